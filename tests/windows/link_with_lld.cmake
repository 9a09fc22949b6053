# SPDX-License-Identifier: BSL-1.0
# link_with_lld.cmake: links by LLVM's linker, in half a second where the one of mingw-w64 takes half a minute. Debian's
# compiler does not let itself be told which linker to call, so it is called here. Included behind project().
set(ndshm_folders "")
foreach(file IN ITEMS crt2.o crtbegin.o crtend.o libstdc++.a libkernel32.a)
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=${file} OUTPUT_VARIABLE ndshm_path
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(ndshm_path_of_${file} "${ndshm_path}")
  cmake_path(GET ndshm_path PARENT_PATH ndshm_folder)
  list(APPEND ndshm_folders "-L${ndshm_folder}")
endforeach()
list(REMOVE_DUPLICATES ndshm_folders)
list(JOIN ndshm_folders " " ndshm_folders)
set(CMAKE_CXX_LINK_EXECUTABLE
    "\"${NDSHM_LLD}\" -m i386pep -Bstatic ${ndshm_path_of_crt2.o} ${ndshm_path_of_crtbegin.o} ${ndshm_folders} \
<OBJECTS> -o <TARGET> <LINK_LIBRARIES> --start-group -lstdc++ -lmingw32 -lgcc -lgcc_eh -lmoldname -lmingwex -lmsvcrt \
-lpthread -lkernel32 -ladvapi32 -lshell32 -luser32 --end-group ${ndshm_path_of_crtend.o}")
