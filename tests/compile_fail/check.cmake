# SPDX-License-Identifier: BSL-1.0
# check.cmake: compiles a file that must not compile. The compiler has to say the text of the file's first line,
# `// expect: text`, or of its second where compilers differ, `// or: text`, and has to be done after a few errors: a
# sentence in a page of others is not read. A header has to compile without a word.
#   cmake -DCOMPILER=g++;-std=c++20 -DINCLUDES=dir;… -DDEFINITIONS=NAME;… -DSOURCE=case.cpp -P check.cmake
cmake_minimum_required(VERSION 3.23)
set(most_errors 3)

file(READ "${SOURCE}" source)
if(SOURCE MATCHES "\\.hpp$")
  set(has_to_compile TRUE)
elseif(NOT source MATCHES "^// expect: ([^\n]+)\n(// or: ([^\n]+)\n)?")
  message(FATAL_ERROR "The first line of ${SOURCE} is not // expect: text")
endif()
set(expected "${CMAKE_MATCH_1}")
set(alternative "${CMAKE_MATCH_3}")

list(TRANSFORM INCLUDES PREPEND "-I")
list(TRANSFORM DEFINITIONS PREPEND "-D")
set(ENV{LC_ALL} C)
execute_process(COMMAND ${COMPILER} ${DEFINITIONS} ${INCLUDES} "${SOURCE}"
                RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
message("${output}")

if(has_to_compile)
  if(NOT result EQUAL 0 OR NOT output STREQUAL "")
    message(FATAL_ERROR "It does not compile.")
  endif()
  return()
endif()
if(result EQUAL 0)
  message(FATAL_ERROR "It compiles.")
endif()
string(FIND "${output}" "${expected}" found)
if(found EQUAL -1 AND NOT "${alternative}" STREQUAL "")
  string(FIND "${output}" "${alternative}" found)
endif()
if(found EQUAL -1)
  message(FATAL_ERROR "The compiler does not say: ${expected}")
endif()
if(output MATCHES " warning: ")
  message(FATAL_ERROR "There is a warning behind the sentence.")
endif()
string(REGEX MATCHALL " error: " errors "${output}")
list(LENGTH errors count)
if(count GREATER most_errors)
  message(FATAL_ERROR "There are ${count} errors, more than ${most_errors}.")
endif()
