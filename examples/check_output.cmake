# SPDX-License-Identifier: BSL-1.0
# check_output.cmake: runs an example and compares what it prints, line by line, with a file of expected lines.
#   cmake -DEXPECTED=file [-DEXIT_CODE=0] [-DWINE=TRUE] -P check_output.cmake -- program argument…
# Expected lines stand for themselves, except for <number>, <uuid> and <any>. The exit code has to be right as well,
# and nothing but progress may be printed on standard error unless it is expected to fail.
cmake_minimum_required(VERSION 3.23)

if(NOT DEFINED EXIT_CODE)
  set(EXIT_CODE 0)
endif()
set(command "")
set(own TRUE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE 1 ${last})
  if(NOT own)
    list(APPEND command "${CMAKE_ARGV${i}}")
  elseif("${CMAKE_ARGV${i}}" STREQUAL "--")
    set(own FALSE)
  endif()
endforeach()

execute_process(COMMAND ${command} OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE result)
message("${output}${errors}")
if(WINE)
  string(REPLACE "\r\n" "\n" output "${output}")
  string(REGEX REPLACE "wine: [^\n]*\n" "" errors "${errors}") # what it says of itself when it first starts
endif()
if(NOT "${result}" STREQUAL "${EXIT_CODE}")
  message(FATAL_ERROR "It ended with ${result}, not ${EXIT_CODE}.")
endif()
# The lines of progress_bar() where there is no terminal: `blocks:  50%  10/20  …`.
string(REGEX REPLACE "[a-z]+: +[0-9]+%  [0-9]+/[0-9]+[^\n]*\n" "" errors "${errors}")
if(NOT "${errors}" STREQUAL "" AND "${EXIT_CODE}" STREQUAL "0")
  message(FATAL_ERROR "It ended well, but printed errors.")
endif()

# Named segments are in a directory of this test's own; what is expected is what users see, who have none.
string(REGEX REPLACE ":dir=[^:]*:" ":" output "${output}")
string(REGEX REPLACE "/dev/shm/ndshm-test-[^/]*/" "/dev/shm/" output "${output}")

# Not as lists: a line may have semicolons and brackets in it.
macro(take_line text line)
  string(FIND "${${text}}" "\n" end)
  if(end EQUAL -1)
    set(${line} "${${text}}")
    set(${text} "")
  else()
    string(SUBSTRING "${${text}}" 0 ${end} ${line})
    math(EXPR end "${end} + 1")
    string(SUBSTRING "${${text}}" ${end} -1 ${text})
  endif()
endmacro()

file(READ "${EXPECTED}" expected)
while(NOT "${expected}${output}" STREQUAL "")
  take_line(expected want)
  take_line(output got)
  string(REGEX REPLACE " +$" "" got "${got}")  # xtensor prints some, editors take them away
  string(REGEX REPLACE "([][+.*()^$?|\\])" "\\\\\\1" pattern "${want}")
  string(REPLACE "<number>" "[0-9]+" pattern "${pattern}")
  string(REPLACE "<uuid>" "[0-9a-f-]+" pattern "${pattern}")
  string(REPLACE "<any>" ".*" pattern "${pattern}")
  if(NOT "${got}" MATCHES "^${pattern}$")
    message(FATAL_ERROR "Expected the line\n  ${want}\nand got\n  ${got}")
  endif()
endwhile()
