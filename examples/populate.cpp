// SPDX-License-Identifier: BSL-1.0
// populate.cpp: four worker processes fill an array of 20,000 x 10 doubles in blocks of 100 rows, each block with its
// offset. Who is free takes the next block, and a progress bar shows how far they are. It takes about three seconds;
// `populate --rows 2000` is a tenth of it. `populate --fail` shows what becomes of a block whose worker is killed: it
// is reported, and all others are done.
#include <cctype>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

constexpr std::size_t columns = 10;
constexpr std::size_t rows_per_block = 100;
constexpr std::size_t workers = 4;

struct Options {
  std::size_t rows = 20'000;
  bool one_dies = false;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--fail") {
      options.one_dies = true;
    } else if (argument == "--rows" && i + 1 < argc && std::isdigit(static_cast<unsigned char>(argv[i + 1][0])) != 0) {
      options.rows = std::stoul(argv[++i]);
    } else {
      throw std::invalid_argument("usage: populate [--rows N] [--fail]");
    }
  }
  return options;
}

void print(const ndshm::RunReport& report) {
  for (std::size_t i = 0; i < report.done_by.size(); ++i) {
    std::cout << "worker " << i << " did " << report.done_by[i] << " blocks\n";
  }
  for (const ndshm::TaskFailure& failure : report.failures) std::cout << failure.to_string() << "\n";
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = parse(argc, argv);

  // The workers share it, because it was there before them.
  auto table = ndshm::create<double>({options.rows, columns});
  ndshm::WorkerPool pool(workers, [&](ndshm::Range block) {
    if (options.one_dies && block.begin == 700) ::raise(SIGKILL);
    xt::view(table, xt::range(block.begin, block.end)) = static_cast<double>(block.begin);
    std::this_thread::sleep_for(std::chrono::milliseconds(60));  // stands for the time that real work takes
  });

  const auto blocks = ndshm::blocks(options.rows, rows_per_block);
  const ndshm::RunReport report = pool.try_run(blocks, {.progress = ndshm::progress_bar("blocks")});
  std::cout << report.done << " of " << blocks.size() << " blocks done\n";
  print(report);

  std::cout << table << "\n";

  std::size_t wrong = 0;
  for (std::size_t row = 0; row < options.rows; ++row) {
    const auto expected = static_cast<double>(row - row % rows_per_block);
    if (!xt::all(xt::equal(xt::view(table, row), expected))) ++wrong;
  }
  std::cout << "rows that are wrong: " << wrong << "\n";
  return report.success() && wrong == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 2;
}
