// SPDX-License-Identifier: BSL-1.0
// crash_proof.cpp: an array is computed by workers that keep dying in the middle of their work. A block may be computed
// twice without harm, so the pool is told that it is idempotent: it gives the block of a dead worker out again, and
// starts another worker in its place. In the end the result is complete, and the program says what happened.
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <ndshm/ndshm.hpp>

namespace {

constexpr std::size_t rows = 1000;
constexpr std::size_t columns = 500;
constexpr std::size_t rows_per_block = 5;

double value_at(std::size_t row, std::size_t column) {
  return std::sin(static_cast<double>(row)) * std::cos(static_cast<double>(column));
}

/// Every tenth call is a worker's last, in one of three ways.
void risk_your_life(unsigned& calls) {
  const unsigned call = std::atomic_ref(calls).fetch_add(1);
  if (call % 10 != 9) return;
  if (call % 30 == 9) ::raise(SIGKILL);  // as the system does when memory is short
  if (call % 30 == 19) std::abort();     // as a failed assertion does
  std::_Exit(3);                         // as a library that thinks it is a program does
}

}  // namespace

int main() {
  auto table = ndshm::create<double>({rows, columns});
  auto calls = ndshm::create<unsigned>({1});

  ndshm::WorkerPool pool(4, [&](ndshm::Range block) {
    for (std::size_t row = block.begin; row < block.end; ++row) {
      for (std::size_t column = 0; column < columns; ++column) table(row, column) = value_at(row, column);
      if (row == block.begin + rows_per_block / 2) risk_your_life(calls(0));
    }
  });
  const auto blocks = ndshm::blocks(rows, rows_per_block);
  const ndshm::RunReport report = pool.run(blocks, {.idempotent = true, .max_attempts = 100});

  std::size_t wrong = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      if (table(row, column) != value_at(row, column)) ++wrong;
    }
  }
  std::cout << report.replaced << " workers died in the middle of a block and were replaced\n"
            << report.done << " of " << blocks.size() << " blocks are done\n"
            << "elements that are wrong: " << wrong << "\n";
  return wrong == 0 && report.replaced > 0 ? 0 : 1;
}
