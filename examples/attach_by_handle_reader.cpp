// SPDX-License-Identifier: BSL-1.0
// attach_by_handle_reader.cpp: attaches the arrays whose handles come line by line on standard input, and doubles their
// elements in place. Started by attach_by_handle_owner.
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <string>

int main() try {
  for (std::string line; std::getline(std::cin, line);) {
    const auto handle = ndshm::Handle::parse(line);  // strict: a damaged line throws, and never reaches memory
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
