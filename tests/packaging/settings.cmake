# SPDX-License-Identifier: BSL-1.0
# settings.cmake: a library in the tree leaves the project around it alone. remember_settings() before it is added,
# check_settings() after.
set(settings_properties COMPILE_DEFINITIONS COMPILE_OPTIONS INCLUDE_DIRECTORIES LINK_LIBRARIES LINK_OPTIONS TESTS)

macro(remember_settings)
  get_cmake_property(cache_before CACHE_VARIABLES)
  get_cmake_property(variables_before VARIABLES)
  foreach(variable IN LISTS variables_before)
    set(before_${variable} "${${variable}}")
  endforeach()
  foreach(property IN LISTS settings_properties)
    get_directory_property(before_property_${property} ${property})
  endforeach()
endmacro()

macro(check_settings)
  # What is set stays as it is: flags, standard, build type, paths.
  foreach(variable IN LISTS variables_before)
    if(NOT "${variable}" MATCHES "^(CMAKE_MATCH_|ARG|cache_before|variables_before|variable$|property$)"
       AND NOT "${before_${variable}}" STREQUAL "${${variable}}")
      message(SEND_ERROR "${variable} was '${before_${variable}}' and is '${${variable}}' now")
    endif()
  endforeach()
  foreach(property IN LISTS settings_properties)
    get_directory_property(now ${property})
    if(NOT "${before_property_${property}}" STREQUAL "${now}")
      message(SEND_ERROR "the directory's ${property} is '${now}' now")
    endif()
  endforeach()
  # What was not set stays so.
  foreach(variable IN ITEMS CMAKE_CXX_STANDARD CMAKE_CXX_STANDARD_REQUIRED CMAKE_CXX_EXTENSIONS BUILD_TESTING
                            CMAKE_EXPORT_COMPILE_COMMANDS CMAKE_POSITION_INDEPENDENT_CODE CMAKE_BUILD_TYPE)
    if(NOT DEFINED before_${variable} AND DEFINED ${variable})
      message(SEND_ERROR "${variable} is set now")
    endif()
  endforeach()
  # New options have the library's name. Where dependencies were found, and what was found out, is not an option.
  get_cmake_property(cache_now CACHE_VARIABLES)
  foreach(variable IN LISTS cache_now)
    get_property(type CACHE ${variable} PROPERTY TYPE)
    if(NOT variable IN_LIST cache_before AND type MATCHES "^(BOOL|STRING)$"
       AND NOT variable MATCHES "^(NDSHM|FETCHCONTENT)_")
      message(SEND_ERROR "there is a new option now: ${variable}")
    endif()
  endforeach()
  # The library is all that is built of it: no tests, no examples.
  foreach(expected IN ITEMS BUILDSYSTEM_TARGETS=ndshm SUBDIRECTORIES= TESTS=)
    string(REGEX MATCH "^[A-Z_]+" property "${expected}")
    get_property(now DIRECTORY "${ndshm_SOURCE_DIR}" PROPERTY ${property})
    if(NOT "${property}=${now}" STREQUAL "${expected}")
      message(SEND_ERROR "of the library's own directory ${property} is '${now}'")
    endif()
  endforeach()
endmacro()
