// SPDX-License-Identifier: BSL-1.0
// read_only_matrix.cpp: one large matrix and five or more workers that only read it. They attach it by its name, mapped
// so that nothing can write to it. It is in memory once, however many they are: the program adds up what the system
// says. Usage: read_only_matrix [ROWS COLUMNS [WORKERS]]. `read_only_matrix 100000000 75` is 60 GB and works on a small
// machine too: of a large matrix only a sample of the rows is written and read, and what nobody touches takes no
// memory.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using ndshm::Range;
using Matrix = ndshm::SharedArray<const double, 2>;

constexpr std::size_t block_bytes = std::size_t{4} << 20;
constexpr std::size_t max_blocks = 15;  ///< that are written: a container often has 64 MiB of /dev/shm

/// What one process has of a mapping, in bytes: all that is there of it, and its share of that, in which a page that
/// n processes have counts as 1/n (Rss and Pss of /proc/PID/smaps, see proc(5)).
struct Memory {
  std::uint64_t resident = 0;
  std::uint64_t share = 0;
};

/// What the workers are given: columns of some of the blocks that are written, to be added up.
struct Job {
  Range blocks;
  Range columns;
  bool look_at_memory = false;
};

struct Result {
  double sum = 0;
  std::optional<Memory> memory;
};

double value(std::size_t row, std::size_t column) { return static_cast<double>((row + column) % 1000); }

/// The rows that are written: all of them, or blocks that are spread evenly over a matrix too large for that.
std::vector<Range> blocks_to_write(std::size_t rows, std::size_t columns) {
  const auto all = ndshm::blocks(rows, std::max<std::size_t>(1, block_bytes / sizeof(double) / columns));
  const std::size_t step = (all.size() + max_blocks - 1) / max_blocks;
  std::vector<Range> blocks;
  for (std::size_t i = 0; i < all.size(); i += step) blocks.push_back(all[i]);
  return blocks;
}

std::size_t row_count(const std::vector<Range>& blocks) {
  std::size_t rows = 0;
  for (const Range& block : blocks) rows += block.size();
  return rows;
}

/// Creates the matrix, writes the blocks and gives up writing: what it returns, and what the workers attach, is mapped
/// read-only.
Matrix make_matrix(const std::string& name, std::size_t rows, std::size_t columns, const std::vector<Range>& blocks) {
  // A matrix that is written in full takes its memory at once: where there is not enough, create() says so. A sparse
  // one takes it page by page; a full /dev/shm would then be a SIGBUS. Small pages, or each block could take some MB
  // more.
  const bool sparse = row_count(blocks) < rows;
  auto matrix = ndshm::create<double>(
      name, {rows, columns},
      {.reserve = sparse ? ndshm::Reserve::lazy : ndshm::Reserve::eager, .huge_pages = ndshm::HugePages::never});
  for (const Range& block : blocks) {
    for (std::size_t row = block.begin; row < block.end; ++row) {
      for (std::size_t column = 0; column < columns; ++column) matrix(row, column) = value(row, column);
    }
  }
  return ndshm::attach<const double, 2>(name);
}

/// The sum that the workers have to find. Whole numbers: it is exact in any order.
double expected_sum(std::size_t columns, const std::vector<Range>& blocks) {
  double sum = 0;
  for (const Range& block : blocks) {
    for (std::size_t row = block.begin; row < block.end; ++row) {
      for (std::size_t column = 0; column < columns; ++column) sum += value(row, column);
    }
  }
  return sum;
}

/// What this process has of the matrix in memory; none where the system does not tell.
std::optional<Memory> memory_of(const Matrix& matrix) {
  const auto begin = reinterpret_cast<std::uintptr_t>(matrix.data());
  const auto end = begin + matrix.nbytes();
  std::ifstream smaps("/proc/self/smaps");
  std::optional<Memory> memory;
  bool is_matrix = false;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t first = 0;
    std::uintptr_t last = 0;
    std::uint64_t kib = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &first, &last) == 2) {
      is_matrix = first < end && begin < last;
    } else if (is_matrix && std::sscanf(line.c_str(), "Rss: %" SCNu64 " kB", &kib) == 1) {
      memory = memory.value_or(Memory{});
      memory->resident += kib * 1024;
    } else if (is_matrix && std::sscanf(line.c_str(), "Pss: %" SCNu64 " kB", &kib) == 1) {
      memory = memory.value_or(Memory{});
      memory->share += kib * 1024;
    }
  }
  return memory;
}

/// Returns when `count` processes are here.
void meet(ndshm::SharedArray<std::size_t, 1>& arrived, std::size_t count) {
  std::atomic_ref here(arrived(0));
  ++here;
  while (here < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

std::string megabytes(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", bytes / 1e6);
  return text;
}
std::string megabytes(std::uint64_t bytes) { return megabytes(static_cast<double>(bytes)); }

std::string describe(const std::optional<Memory>& memory) {
  if (!memory) return "this system does not tell";
  return megabytes(memory->resident) + ", its share " + megabytes(memory->share);
}

/// Prints who has how much of the matrix in memory. False when it is there more than once.
bool print_memory(const std::vector<std::optional<Memory>>& workers, const std::optional<Memory>& parent,
                  double written) {
  bool known = parent.has_value();
  std::uint64_t total = parent ? parent->share : 0;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    std::cout << "  worker " << i << ": " << describe(workers[i]) << "\n";
    known = known && workers[i];
    total += workers[i] ? workers[i]->share : 0;
  }
  std::cout << "  parent: " << describe(parent) << "\n"
            << "a copy for each would be " << megabytes(written * static_cast<double>(workers.size())) << "\n";
  if (!known || total == 0) {
    std::cout << "all shares together: this cannot be told here\n";
    return true;
  }
  const bool once = static_cast<double>(total) < 1.5 * written + 4e6;  // in whole pages, which may be large
  std::cout << "all shares together: " << megabytes(total) << ", " << (once ? "one copy" : "more than one copy")
            << "\n";
  return once;
}

std::size_t number(std::string_view text) {
  std::size_t result = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (error != std::errc{} || end != text.data() + text.size() || result == 0) {
    throw std::invalid_argument("\"" + std::string(text) + "\" is not a number of 1 or more");
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 2 || argc > 4) {
    std::cerr << "usage: " << argv[0] << " [ROWS COLUMNS [WORKERS]]\n";
    return 2;
  }
  const std::size_t rows = argc > 2 ? number(argv[1]) : 100'000;
  const std::size_t columns = argc > 2 ? number(argv[2]) : 75;
  const std::size_t workers = argc > 3 ? number(argv[3]) : 5;

  const std::string name = "matrix-" + std::to_string(::getpid());
  const std::vector<Range> blocks = blocks_to_write(rows, columns);
  const Matrix matrix = make_matrix(name, rows, columns, blocks);
  const auto written = static_cast<double>(row_count(blocks) * columns * sizeof(double));
  std::cout << "matrix: " << rows << " x " << columns << " doubles, " << megabytes(matrix.nbytes()) << "; "
            << "written: " << megabytes(written) << " in " << blocks.size() << " blocks"
            << "\n";

  auto arrived = ndshm::create<std::size_t>({1});
  Matrix mine;  // another one in each worker
  ndshm::WorkerPool pool(
      workers,
      [&](const Job& job) {
        Result result;
        // Only blocks that were written. Reading a hole of a file in /dev/shm takes memory like writing to it does: who
        // adds up all rows of a sparse 60 GB matrix needs the 60 GB.
        for (std::size_t i = job.blocks.begin; i < job.blocks.end; ++i) {
          const Range& block = blocks[i];
          result.sum += xt::sum(
              xt::view(mine, xt::range(block.begin, block.end), xt::range(job.columns.begin, job.columns.end)))();
        }
        if (job.look_at_memory) {
          meet(arrived, workers);  // so each worker has one of these tasks, and has read what it reads
          result.memory = memory_of(mine);
        }
        return result;
      },
      {.initialise = [&](const ndshm::Worker&) { mine = ndshm::attach<const double, 2>(name); }});

  // Who is free takes the next block of rows.
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < blocks.size(); ++i) jobs.push_back({{i, i + 1}, {0, columns}});
  double by_rows = 0;
  for (const Result& result : pool.map(jobs)) by_rows += result.sum;

  // Each worker adds up its share of the columns, for which it has to read every page.
  jobs.clear();
  for (std::size_t i = 0; i < workers; ++i) {
    jobs.push_back({{0, blocks.size()}, ndshm::share_of(columns, i, workers), true});
  }
  double by_columns = 0;
  std::vector<std::optional<Memory>> memory;
  // They wait for each other: should one of them die, the others are ended after a minute.
  for (const Result& result : pool.map(jobs, {.task_timeout = std::chrono::minutes(1)})) {
    by_columns += result.sum;
    memory.push_back(result.memory);
  }

  const double sum = expected_sum(columns, blocks);
  const bool right = by_rows == sum && by_columns == sum;
  std::cout << "workers: " << workers << "; they added it up by rows and by columns: " << (right ? "right" : "wrong")
            << "\n"
            << "of the matrix, they have in memory\n";
  return print_memory(memory, memory_of(matrix), written) && right ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
