# SPDX-License-Identifier: BSL-1.0
# check_dump.cmake: asks NumPy about each of the files that dump.cpp wrote.
#   cmake -DPYTHON=python3 -DSCRIPT=numpy_side.py -DFOLDER=dumps -P check_dump.cmake
cmake_minimum_required(VERSION 3.23)
if(PYTHON STREQUAL "")
  message("skipped: no Python has NumPy")
  return()
endif()
execute_process(COMMAND "${PYTHON}" "${SCRIPT}" WORKING_DIRECTORY "${FOLDER}" INPUT_FILE "${FOLDER}/requests"
                OUTPUT_VARIABLE answers COMMAND_ERROR_IS_FATAL ANY)
file(STRINGS "${FOLDER}/requests" requests)
list(LENGTH requests count)
string(REGEX MATCHALL "ok\n" same "${answers}")
list(LENGTH same same)
if(count EQUAL 0 OR NOT same EQUAL count)
  message(FATAL_ERROR "Of ${count} files NumPy takes ${same}:\n${answers}")
endif()
message("NumPy takes all of ${count} files")
