// SPDX-License-Identifier: BSL-1.0
// populate.cpp: four worker processes fill a 2,000 x 10 array in blocks of 100 rows, each block with its offset. Who is
// free takes the next block. `populate --fail` shows what becomes of a block whose worker is killed: it is reported,
// and all others are done.
#include <chrono>
#include <csignal>
#include <cstddef>
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <string>
#include <thread>

namespace {

constexpr std::size_t rows = 2000;
constexpr std::size_t columns = 10;
constexpr std::size_t rows_per_block = 100;
constexpr std::size_t workers = 4;

void print(const ndshm::RunReport& report) {
  for (std::size_t i = 0; i < report.done_by.size(); ++i) {
    std::cout << "worker " << i << " did " << report.done_by[i] << " blocks\n";
  }
  for (const ndshm::TaskFailure& failure : report.failures) std::cout << failure.to_string() << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  const bool one_dies = argc > 1 && std::string(argv[1]) == "--fail";

  auto table = ndshm::create<double>({rows, columns});  // the workers share it, because it was there before them
  ndshm::WorkerPool pool(workers, [&](ndshm::Range block) {
    if (one_dies && block.begin == 700) ::raise(SIGKILL);
    xt::view(table, xt::range(block.begin, block.end)) = static_cast<double>(block.begin);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // stands for the time that real work takes
  });

  const auto blocks = ndshm::blocks(rows, rows_per_block);
  const ndshm::RunReport report = pool.try_run(blocks, {.progress = ndshm::progress_bar("blocks")});
  std::cout << report.done << " of " << blocks.size() << " blocks done\n";
  print(report);

  std::cout << table << "\n";

  std::size_t wrong = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto expected = static_cast<double>(row - row % rows_per_block);
    if (!xt::all(xt::equal(xt::view(table, row), expected))) ++wrong;
  }
  std::cout << "rows that are wrong: " << wrong << "\n";
  return report.success() && wrong == 0 ? 0 : 1;
}
