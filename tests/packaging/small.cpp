// SPDX-License-Identifier: BSL-1.0
// small.cpp: what the target brings along, told by a program that compiles in a moment: the standard, the headers of
// the library and of what it needs, and what has to be linked. main.cpp uses an array; the project that finds the
// installed library builds it.
#include <iostream>
#include <ndshm/registry.hpp>
#include <ndshm/version.hpp>

#if !__has_include(<xtensor/xtensor.hpp>) && !__has_include(<xtensor/containers/xtensor.hpp>)
#error "the target does not bring xtensor along"
#endif
#if !__has_include(<boost/version.hpp>)
#error "the target does not bring Boost along"
#endif
static_assert(__cplusplus >= 202002L, "the target asks for C++20");

int main() {
  std::cout << "ndshm " << NDSHM_VERSION_MAJOR << '.' << NDSHM_VERSION_MINOR << '\n';
  return ndshm::exists("packaging-no-such") ? 1 : 0;
}
