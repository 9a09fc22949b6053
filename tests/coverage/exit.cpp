// SPDX-License-Identifier: BSL-1.0
// exit.cpp: for the preset coverage. _exit(), with which forked children end, does not write down what was covered;
// with this in its place (-Wl,--wrap=_exit) it does. What was killed writes nothing all the same.
extern "C" {
void __gcov_dump();                         // NOLINT(bugprone-reserved-identifier): GCC's name
[[noreturn]] void __real__exit(int code);   // NOLINT(bugprone-reserved-identifier): the linker's
[[noreturn]] void __wrap__exit(int code) {  // NOLINT(bugprone-reserved-identifier): the linker's
  __gcov_dump();
  __real__exit(code);
}
}
