// SPDX-License-Identifier: BSL-1.0
// spawn_workers.cpp: a coordinator and its worker program, spawn_workers_worker.cpp. They share no code and no memory
// but the two arrays whose handles the coordinator hands over: one to read, one to write.
//
//   spawn_workers PATH_OF_THE_WORKER_PROGRAM
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <ndshm/ndshm.hpp>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: spawn_workers PATH_OF_THE_WORKER_PROGRAM\n";
    return 2;
  }
  constexpr std::size_t rows = 1000;
  auto input = ndshm::create<double>({rows, 64});  // anonymous: no name that could be left, or guessed
  input = xt::arange<double>(rows * 64).reshape({rows, std::size_t{64}});
  auto norms = ndshm::create<double>({rows});

  // Each worker is a process of that program. Of the input it gets a descriptor that can only be read.
  ndshm::WorkerPool<ndshm::Range, std::uint64_t> pool(
      3, ndshm::WorkerProgram{argv[1], {"--quiet"}, {input.handle().as_read_only(), norms.handle()}});
  std::uint64_t done = 0;
  for (const std::uint64_t rows_done : pool.map(ndshm::blocks(rows, 10))) done += rows_done;

  const xt::xtensor<double, 1> expected = xt::sqrt(xt::sum(input * input, {1}));
  std::cout << "3 worker processes computed " << done << " norms\n"
            << "the first: " << norms(0) << ", the last: " << norms(rows - 1) << "\n"
            << "as computed here: " << std::boolalpha << xt::allclose(norms, expected) << "\n";
  return xt::allclose(norms, expected) ? 0 : 1;
}
