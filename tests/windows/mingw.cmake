# SPDX-License-Identifier: BSL-1.0
# mingw.cmake: the toolchain that builds for Windows on Debian and runs the tests through Wine. The headers of Boost,
# xtensor, xtl and Catch2 are those of the host, reached through links: beside them in /usr/include stand those of the
# host's C library. Debian packages: g++-mingw-w64-x86-64-posix, wine64, and lld, which saves most of the time.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
find_program(NDSHM_WINE NAMES wine64 wine PATHS /usr/lib/wine)
set(CMAKE_CROSSCOMPILING_EMULATOR sh "${CMAKE_CURRENT_LIST_DIR}/wine.sh" "${NDSHM_WINE}")
set(CMAKE_CXX_FLAGS_INIT -Wa,-mbig-obj)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static) # programs that need no library of the compiler's
find_program(NDSHM_LLD ld.lld)
if(NDSHM_LLD)
  set(CMAKE_PROJECT_INCLUDE "${CMAKE_CURRENT_LIST_DIR}/link_with_lld.cmake")
endif()

set(ndshm_host "${CMAKE_BINARY_DIR}/host")
file(MAKE_DIRECTORY "${ndshm_host}/include")
foreach(library IN ITEMS boost xtensor xtl catch2)
  if(EXISTS "/usr/include/${library}")
    file(CREATE_LINK "/usr/include/${library}" "${ndshm_host}/include/${library}" SYMBOLIC)
  endif()
endforeach()
set(CMAKE_PREFIX_PATH "${ndshm_host}")
set(Boost_NO_BOOST_CMAKE ON)
set(Boost_INCLUDE_DIR "${ndshm_host}/include")

# What find_package finds in place of the host's packages, which name /usr/include: of the same versions.
function(ndshm_host_package name target host_version_file)
  file(WRITE "${ndshm_host}/lib/cmake/${name}/${name}Config.cmake"
       "add_library(${target} INTERFACE IMPORTED)
target_include_directories(${target} SYSTEM INTERFACE \"${ndshm_host}/include\")\n")
  file(GLOB host_version "/usr/lib/cmake/${host_version_file}" "/usr/lib/*/cmake/${host_version_file}"
                         "/usr/share/cmake/${host_version_file}")
  if(host_version)
    file(READ "${host_version}" text)
    # Made for another size of pointers, which does not matter to headers.
    file(WRITE "${ndshm_host}/lib/cmake/${name}/${name}ConfigVersion.cmake" "${text}\nset(PACKAGE_VERSION_UNSUITABLE FALSE)\n")
  endif()
endfunction()
ndshm_host_package(xtensor xtensor xtensor/xtensorConfigVersion.cmake)
ndshm_host_package(Catch2 Catch2::Catch2 Catch2/Catch2ConfigVersion.cmake)
