# SPDX-License-Identifier: BSL-1.0
# run.cmake: one test of packaging/CMakeLists.txt, which gives it its variables. MODE is
#   install           installs the build tree BUILD below WORK: exactly the headers, and the package files
#   find_package      builds and runs a project that finds what was installed
#   wrong_version     projects that ask for another version are refused, with a word on the version
#   add_subdirectory, fetch_content   build and run a project that has the library as a part of its tree
cmake_minimum_required(VERSION 3.23)
set(prefix "${WORK}/prefix")
set(consumer "${WORK}/${MODE}")

# Runs a command; leaves its exit code in `result` and what it printed in `output`.
macro(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  message("${output}")
endmacro()

macro(run_or_fail)
  run(${ARGV})
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "It ended with ${result}.")
  endif()
endmacro()

# Configures the project of that name for the compiler under test; the rest are further settings.
macro(configure project)
  file(REMOVE_RECURSE "${consumer}")
  set(prefixes "${prefix};${PREFIX_PATH}")
  set(settings "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_MAKE_PROGRAM=${MAKE_PROGRAM}" "-DNDSHM_SOURCE=${SOURCE}"
               "-DNDSHM_PORTABLE_POSIX=${PORTABLE_POSIX}")
  execute_process(COMMAND ${CMAKE_COMMAND} -G ${GENERATOR} -S "${CMAKE_CURRENT_LIST_DIR}/${project}" -B "${consumer}"
                          ${settings} "-DCMAKE_PREFIX_PATH=${prefixes}" ${ARGN}
                  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  message("${output}")
endmacro()

# The files below a directory that match.
function(files_of directory pattern result)
  file(GLOB_RECURSE files RELATIVE "${directory}" "${directory}/${pattern}")
  list(SORT files)
  set(${result} "${files}" PARENT_SCOPE)
endfunction()

if(MODE STREQUAL "install")
  file(REMOVE_RECURSE "${prefix}")
  run_or_fail(${CMAKE_COMMAND} --install "${BUILD}" --prefix "${prefix}")
  files_of("${SOURCE}" "include/*.hpp" headers)
  set(package ndshm-config-version.cmake ndshm-config.cmake ndshm-targets.cmake)
  list(TRANSFORM package PREPEND "share/cmake/ndshm/")
  files_of("${prefix}" "*" installed)
  if(NOT "${installed}" STREQUAL "${headers};${package}")
    message(FATAL_ERROR "Installed:\n  ${installed}\ninstead of\n  ${headers};${package}")
  endif()
  return()
endif()

if(MODE STREQUAL "wrong_version")
  string(REGEX REPLACE "^([0-9]+)\\.([0-9]+).*" "\\1;\\2" numbers "${VERSION}")
  list(GET numbers 0 major)
  list(GET numbers 1 minor)
  math(EXPR minor_before "${minor} - 1")
  math(EXPR minor_after "${minor} + 1")
  set(refused 9.0 ${major}.${minor_after})
  if(minor GREATER 0)
    list(APPEND refused ${major}.${minor_before})
  endif()
  foreach(wanted IN LISTS refused)
    configure(find_package -DNDSHM_WANTED=${wanted})
    if(result EQUAL 0)
      message(FATAL_ERROR "Version ${VERSION} was taken for ${wanted}.")
    endif()
    string(REGEX REPLACE "[ \n]+" " " output "${output}")
    foreach(part IN ITEMS "compatible with requested version \"${wanted}\"" "version: ${VERSION}")
      string(FIND "${output}" "${part}" found)
      if(found EQUAL -1)
        message(FATAL_ERROR "CMake does not say: ${part}")
      endif()
    endforeach()
  endforeach()
  return()
endif()

configure(${MODE})
if(NOT result EQUAL 0)
  message(FATAL_ERROR "It cannot be configured.")
endif()
run_or_fail(${CMAKE_COMMAND} --build "${consumer}" --target run)
