// SPDX-License-Identifier: BSL-1.0
// split_work.cpp: n random numbers and n worker processes; each worker sets its own number to zero.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <random>
#include <vector>

int main(int argc, char** argv) {
  const std::size_t n = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 8;

  auto values = ndshm::create<int>({n});
  std::mt19937 random;
  std::generate(values.begin(), values.end(), [&] { return static_cast<int>(random() % 100); });
  std::cout << "before: " << values << "\n";

  // No locks: no two workers write the same element. Start them all before waiting for the first one.
  std::vector<ndshm::Process> workers;
  for (std::size_t i = 0; i < n; ++i) {
    workers.push_back(ndshm::fork([&] { values(i) = 0; }));
  }
  bool good = true;
  for (std::size_t i = 0; i < n; ++i) {
    const ndshm::ExitStatus& status = workers[i].wait();
    if (!status.success()) std::cerr << "worker " << i << ": " << status.to_string() << "\n";
    good = good && status.success();
  }

  std::cout << "after:  " << values << "\n";
  return good && xt::all(xt::equal(values, 0)) ? 0 : 1;
}
