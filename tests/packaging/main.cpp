// SPDX-License-Identifier: BSL-1.0
// main.cpp: the program of the project that finds the installed library: an array is created, written, attached and read.
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <random>
#include <string>

static_assert(__cplusplus >= 202002L, "the target asks for C++20");

int main() {
  const std::string name = "packaging-" + std::to_string(std::random_device{}());
  auto numbers = ndshm::create<double>(name, {3, 4});
  numbers = 2.0 * xt::ones<double>({3, 4});
  const auto same = ndshm::attach<const double, 2>(name);
  const double sum = xt::sum(same)();
  std::cout << "ndshm " << NDSHM_VERSION_MAJOR << '.' << NDSHM_VERSION_MINOR << ": the sum is " << sum << '\n';
  return sum == 24.0 ? 0 : 1;
}
