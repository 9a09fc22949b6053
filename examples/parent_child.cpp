// SPDX-License-Identifier: BSL-1.0
// parent_child.cpp: a parent and its forked child work on the same 10,000 numbers, without copying or sending any.
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <stdexcept>

int main() {
  // Anonymous: a forked child has it anyway, and memory without a name cannot be left behind.
  auto values = ndshm::create<double>({10'000});
  values.fill(1.0);
  std::cout << "parent: " << values.size() << " values, sum " << xt::sum(values)() << "\n";

  ndshm::Process child = ndshm::fork([&] {
    // The child's copy of `values` is a copy of the array object, not of the elements: those are shared.
    if (!xt::all(xt::equal(values, 1.0))) throw std::runtime_error("the child does not see what the parent wrote");
    std::cout << "child: sees ones, writes zeros\n";
    values.fill(0.0);
  });

  // Waiting is also what orders the two: everything the child wrote before it ended is visible from here on.
  const ndshm::ExitStatus& status = child.wait();
  if (!status.success()) {
    std::cerr << "child: " << status.to_string() << "\n";
    return 1;
  }
  std::cout << "parent: " << values.size() << " values, sum " << xt::sum(values)() << "\n";
  return xt::all(xt::equal(values, 0.0)) ? 0 : 1;
}
