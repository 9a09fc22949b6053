// SPDX-License-Identifier: BSL-1.0
// populate.cpp: four worker processes fill a 2,000 x 10 array in blocks of 100 rows. Who is free takes the next block,
// from a counter that lies in shared memory too, so that a slow worker holds nobody up. One that fails is reported; as
// it holds no lock, the others go on. `populate --fail` shows that.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

/// What a worker did. An array of structs is shared like one of numbers, once its members are listed.
struct Report {
  std::uint64_t pid;
  std::uint64_t blocks;
  std::uint64_t rows;
};
NDSHM_STRUCT(Report, pid, blocks, rows)

constexpr std::size_t rows = 2000;
constexpr std::size_t columns = 10;
constexpr std::size_t rows_per_block = 100;
constexpr std::size_t worker_count = 4;

}  // namespace

int main(int argc, char** argv) {
  const bool one_fails = argc > 1 && std::string(argv[1]) == "--fail";

  // All of them anonymous, mapped before the fork: the workers have them without attaching anything.
  auto table = ndshm::create<double>({rows, columns});
  auto reports = ndshm::create<Report>({worker_count});
  auto next_row = ndshm::create<std::size_t>({1});

  const auto work = [&](std::size_t worker) {
    Report& report = reports(worker);  // its own element: nobody else writes it
    report.pid = static_cast<std::uint64_t>(::getpid());
    if (one_fails && worker == 1) throw std::runtime_error("out of luck");

    for (;;) {
      // The one thing that several processes write. An atomic operation works between processes as between threads, as
      // long as it is lock-free.
      static_assert(std::atomic_ref<std::size_t>::is_always_lock_free);
      const std::size_t first = std::atomic_ref(next_row(0)).fetch_add(rows_per_block);
      if (first >= rows) return;
      const std::size_t last = std::min(first + rows_per_block, rows);
      xt::view(table, xt::range(first, last)) = static_cast<double>(first);
      report.blocks += 1;
      report.rows += last - first;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // stands for the time that real work takes
    }
  };

  std::vector<ndshm::Process> workers;
  for (std::size_t i = 0; i < worker_count; ++i) workers.push_back(ndshm::fork([&] { work(i); }));

  bool good = true;
  std::uint64_t blocks = 0;
  for (std::size_t i = 0; i < worker_count; ++i) {
    const ndshm::ExitStatus& status = workers[i].wait();
    const Report& report = reports(i);
    std::cout << "worker " << i << ", pid " << report.pid << ": " << report.blocks << " blocks, " << report.rows
              << " rows" << (status.success() ? "" : "; it failed: " + status.to_string()) << "\n";
    good = good && status.success();
    blocks += report.blocks;
  }
  std::cout << blocks << " blocks in all\n" << table << "\n";

  // A worker that dies in the middle of a block takes that block with it, so look before relying on the result.
  std::size_t wrong = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto expected = static_cast<double>(row - row % rows_per_block);
    if (!xt::all(xt::equal(xt::view(table, row), expected))) ++wrong;
  }
  std::cout << "rows that are wrong: " << wrong << "\n";
  return good && wrong == 0 ? 0 : 1;
}
