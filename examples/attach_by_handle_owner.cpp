// SPDX-License-Identifier: BSL-1.0
// attach_by_handle_owner.cpp: hands arrays to a program that shares nothing with it: one with a name, a view of it, and
// one without a name. What the other program gets is a line of text for each, however large the array; here as its
// arguments, it could be a pipe, a socket or a file.
// Usage: attach_by_handle_owner READER, the path of attach_by_handle_reader.
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <random>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " READER\n";
    return 2;
  }
  auto named = ndshm::create<double>("handle-" + std::to_string(std::random_device{}()), {2, 6});
  auto anonymous = ndshm::create<double>({2, 3});
  named.fill(1.0);
  anonymous.fill(10.0);

  // A view is handed over like an array: the handle has its strides.
  auto even_columns = xt::view(named, xt::all(), xt::range(0, 6, 2));
  std::cout << "owner: named\n" << named << "\nowner: anonymous\n" << anonymous << std::endl;

  // Without a name the handle says "descriptor N of process P": it is good as long as this process keeps the array, for
  // processes of the same user.
  const std::vector<std::string> texts{named.handle().to_string(), named.handle(even_columns).to_string(),
                                       anonymous.handle().to_string()};
  const ndshm::ExitStatus end = ndshm::spawn(argv[1], texts).wait();

  std::cout << "owner: the reader ended with " << end.to_string() << "\n"
            << "owner: named\n"
            << named << "\nowner: anonymous\n"
            << anonymous << "\n";
  return end.success() ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "owner: " << error.what() << "\n";
  return 1;
}
