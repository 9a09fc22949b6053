// SPDX-License-Identifier: BSL-1.0
// mpi_peer.cpp: MPI's way of sharing arrays within one machine, measured inside MPI: windows of
// MPI_Win_allocate_shared, messages, and static shares of the work, as is usual there. The first process reads requests
// as Peer in measure.hpp writes them, and tells the others.
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "kernels.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

int rank() {
  int result = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &result);
  return result;
}
int size() {
  int result = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &result);
  return result;
}

/// An array that the first process has made for all of them.
class Window {
 public:
  explicit Window(std::size_t count) {
    const auto bytes = static_cast<MPI_Aint>(rank() == 0 ? count * sizeof(double) : 0);
    void* mine = nullptr;
    MPI_Win_allocate_shared(bytes, sizeof(double), MPI_INFO_NULL, MPI_COMM_WORLD, &mine, &window_);
    MPI_Aint whole = 0;
    int unit = 0;
    MPI_Win_shared_query(window_, 0, &whole, &unit, &data_);
  }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;
  ~Window() { MPI_Win_free(&window_); }
  double* data() const { return data_; }

 private:
  MPI_Win window_ = MPI_WIN_NULL;
  double* data_ = nullptr;
};

/// The seconds that all iterations return, but for one before them that does not count.
template <class Iteration>
double sum_of(std::size_t iterations, Iteration iteration) {
  iteration();
  double seconds = 0;
  for (std::size_t i = 0; i < iterations; ++i) seconds += iteration();
  return seconds;
}

double create(std::size_t bytes, std::size_t iterations, bool filled) {
  const std::size_t count = bytes / sizeof(double);
  return sum_of(iterations, [&] {
    MPI_Barrier(MPI_COMM_WORLD);
    const auto start = Clock::now();
    const Window window(count);
    if (filled && rank() == 0) std::fill(window.data(), window.data() + count, 1.0);
    return seconds_since(start);
  });
}

/// From the first process to the second one and back. They wait by asking again and again, as MPI does.
double round_trip(std::size_t iterations) {
  int word = 0;
  return sum_of(iterations, [&] {
    const int other = 1 - rank();
    const auto start = Clock::now();
    if (rank() == 0) {
      MPI_Send(&word, 1, MPI_INT, other, 0, MPI_COMM_WORLD);
      MPI_Recv(&word, 1, MPI_INT, other, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else if (rank() == 1) {
      MPI_Recv(&word, 1, MPI_INT, other, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      MPI_Send(&word, 1, MPI_INT, other, 0, MPI_COMM_WORLD);
    }
    return seconds_since(start);
  });
}

/// Every process does its share of the tasks.
template <class Task>
double run(std::size_t count, std::size_t iterations, Task task) {
  const auto processes = static_cast<std::size_t>(size());
  return sum_of(iterations, [&] {
    MPI_Barrier(MPI_COMM_WORLD);
    const auto start = Clock::now();
    for (auto mine = static_cast<std::size_t>(rank()); mine < count; mine += processes) task(mine);
    MPI_Barrier(MPI_COMM_WORLD);
    return seconds_since(start);
  });
}

double compute_bound(std::size_t count, std::size_t iterations) {
  const Window results(count);
  return run(count, iterations, [&](std::size_t task) { results.data()[task] = measure::compute(task); });
}

/// `blocks` are kept from one request to the next: filling them takes much longer than adding them up.
double memory_bound(std::size_t count, std::size_t iterations, std::unique_ptr<Window>& blocks) {
  constexpr std::size_t block = (std::size_t{1} << 20) / sizeof(double);
  if (!blocks) {
    blocks = std::make_unique<Window>(count * block);
    if (rank() == 0) std::fill_n(blocks->data(), count * block, 1.0);
  }
  const Window sums(count);
  return run(count, iterations, [&](std::size_t task) {
    sums.data()[task] = measure::read_all({blocks->data() + task * block, block});
  });
}

/// A table of 10 columns in blocks of 100 rows.
double populate(std::size_t rows, std::size_t iterations) {
  constexpr std::size_t block = 100 * 10;
  const Window table(rows * 10);
  return run(rows / 100, iterations, [&](std::size_t task) {
    std::fill_n(table.data() + task * block, block, static_cast<double>(task * 100));
  });
}

/// Negative: there is no such request.
double serve(const std::string& request, std::unique_ptr<Window>& blocks) {
  std::istringstream words(request);
  std::string what;
  words >> what;
  std::vector<std::size_t> numbers;
  for (std::size_t number = 0; words >> number;) numbers.push_back(number);
  if (what == "round_trip" && numbers.size() == 1) return round_trip(numbers[0]);
  if (numbers.size() != 2) return -1;
  if (what == "create") return create(numbers[0], numbers[1], false);
  if (what == "create_fill") return create(numbers[0], numbers[1], true);
  if (what == "compute_bound") return compute_bound(numbers[0], numbers[1]);
  if (what == "populate") return populate(numbers[0], numbers[1]);
  if (what == "memory_bound") return memory_bound(numbers[0], numbers[1], blocks);
  return -1;
}

/// From the first process to all others. MPI waits by asking again and again, which would disturb what others measure
/// meanwhile: here they sleep in between.
void broadcast(void* data, int bytes) {
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Ibcast(data, bytes, MPI_CHAR, 0, MPI_COMM_WORLD, &request);
  for (int done = 0; MPI_Test(&request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done == 0;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

/// The next request, the same in every process; empty at the end.
std::string next_request() {
  std::string line;
  if (rank() == 0) std::getline(std::cin, line);
  if (line == "end") line.clear();
  std::size_t length = line.size();
  broadcast(&length, sizeof length);
  line.resize(length);
  broadcast(line.data(), static_cast<int>(length));
  return line;
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  std::unique_ptr<Window> blocks;
  for (std::string request; !(request = next_request()).empty();) {
    const double seconds = serve(request, blocks);
    if (rank() != 0) continue;
    if (seconds < 0) std::cout << "error: no such request: " << request << std::endl;
    if (seconds >= 0) std::cout << seconds << std::endl;
  }
  blocks.reset();
  MPI_Finalize();
  return 0;
}
