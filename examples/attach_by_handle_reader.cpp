// SPDX-License-Identifier: BSL-1.0
// attach_by_handle_reader.cpp: attaches the arrays whose handles are its arguments, and doubles their elements in
// place. Started by attach_by_handle_owner.
#include <iostream>
#include <ndshm/ndshm.hpp>

int main(int argc, char** argv) try {
  for (int i = 1; i < argc; ++i) {
    const auto handle = ndshm::Handle::parse(argv[i]);  // strict: a damaged text throws, and never reaches memory
    std::cout << "reader: " << handle << "\n";

    // Dynamic: any strides, so that views are taken as well. A type or rank other than these two would throw.
    auto array = ndshm::attach<double, 2, ndshm::layout::dynamic>(handle);
    array *= 2.0;
  }
  return 0;
} catch (const ndshm::Error& error) {
  std::cerr << "reader: " << error.what() << "\n";
  return 1;
}
