// SPDX-License-Identifier: BSL-1.0
// quickstart.cpp: an array that two processes share, in twenty lines: create, fill, attach, and a token to pass on.
#include <unistd.h>

#include <iostream>
#include <ndshm/ndshm.hpp>

int main() {
  // "weights" would do; with the process id in it, this program can run twice at the same time.
  const std::string name = "weights-" + std::to_string(::getpid());

  // Zeros, in shared memory. The array has this shape for ever: assigning another one throws.
  auto weights = ndshm::create<double>(name, {2000, 10});

  // An xtensor expression like any other: assignment, views, reductions.
  weights = xt::ones<double>({2000, 10});
  xt::view(weights, xt::range(0, 100)) *= 3.0;
  std::cout << "mean: " << xt::mean(weights)() << std::endl;

  // Any other process attaches by the name. Here it is a forked child; another program writes the same line.
  ndshm::Process other = ndshm::fork([&] {
    auto same = ndshm::attach<double, 2>(name);
    same(0, 0) = 42.0;
  });
  const ndshm::ExitStatus& status = other.wait();
  std::cout << "the other process: " << status.to_string() << "\n";
  std::cout << "it wrote: " << weights(0, 0) << "\n";

  // const: mapped read-only. view(0, 0) = 1.0 does not compile, and a write through a cast pointer is a fault.
  auto view = ndshm::attach<const double, 2>(name);
  std::cout << "read-only: " << view(0, 0) << "\n";

  // Text for argv, a pipe, a socket or a configuration file. Unlike a name it works for anonymous arrays and for views,
  // and it means this very segment, not a later one of the same name.
  const std::string token = weights.handle().to_string();
  auto also = ndshm::attach<double, 2>(ndshm::Handle::parse(token));
  std::cout << "token: " << token << "\n";
  std::cout << "attached by it: " << also(0, 0) << "\n";

  // Python needs no package: the segment is a .npy file.
  std::cout << "np.load(\"" << weights.path() << "\", mmap_mode=\"r+\")\n";

  return status.success() ? 0 : 1;
}  // the last process to let go of the array removes it: there is nothing to clean up
