# SPDX-License-Identifier: BSL-1.0
# find_numpy.cmake: sets NDSHM_PYTHON to a Python interpreter that has NumPy, or to the empty string. The first python3
# on the PATH need not be one: many machines have several. Set NDSHM_PYTHON or Python3_EXECUTABLE to choose.
if(NOT NDSHM_PYTHON)
  set(found "")
  foreach(candidate IN ITEMS "${Python3_EXECUTABLE}" python3 /usr/bin/python3 /usr/local/bin/python3 python)
    if(NOT candidate STREQUAL "" AND found STREQUAL "")
      execute_process(COMMAND "${candidate}" -c "import sys, numpy; print(sys.executable)" RESULT_VARIABLE result
                      OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
      if(result STREQUAL "0")
        set(found "${path}")
      endif()
    endif()
  endforeach()
  if(found STREQUAL "")
    message(STATUS "No Python with NumPy found: what needs it is skipped")
  else()
    message(STATUS "Python with NumPy: ${found}")
  endif()
  set(NDSHM_PYTHON "${found}" CACHE STRING "Python interpreter with NumPy, for tests and examples" FORCE)
endif()
