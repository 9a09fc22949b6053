// SPDX-License-Identifier: BSL-1.0
// pool.cpp: what a task costs in a pool of workers, and what the workers gain. Sides: a bare futex and pipe, threads
// with an atomic counter, OpenMP, Python's multiprocessing.Pool, MPI.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <ndshm/ndshm.hpp>
#include <numeric>
#include <set>
#include <thread>

#include "kernels.hpp"
#include "measure.hpp"
#include "processes.hpp"

namespace {

using measure::seconds_of;

/// Tasks [0, count) by threads that take the next one as long as there is one.
template <class F>
void run_by_threads(std::size_t workers, std::size_t count, const F& task) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < workers; ++i) {
    threads.emplace_back([&] {
      for (std::size_t mine = 0; (mine = next.fetch_add(1, std::memory_order_relaxed)) < count;) task(mine);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

template <class F>
void run_by_openmp(std::size_t workers, std::size_t count, const F& task) {
#if defined(_OPENMP)
#pragma omp parallel for schedule(dynamic, 1) num_threads(static_cast <int>(workers))
  for (std::size_t i = 0; i < count; ++i) task(i);
#else
  static_cast<void>(workers), static_cast<void>(count), static_cast<void>(task);
#endif
}

/// Seconds for tasks by OpenMP, each of which has been done before. In a process of its own: the threads that it keeps
/// would be in the way of the workers that others fork.
template <class F>
auto by_openmp(std::size_t workers, std::size_t count, const F& task) {
#if !defined(_OPENMP)
  throw measure::LeftOut("the compiler has no OpenMP");
#endif
  return measure::in_child([=] {
    for (std::size_t i = 0; i < count; ++i) task(i);
    return [=] { return seconds_of([&] { run_by_openmp(workers, count, task); }); };
  });
}

/// Jobs for a pool: 0, 1 and so on. (std::views::iota does not compile with clang 14.)
std::vector<std::size_t> indices(std::size_t count) {
  std::vector<std::size_t> result(count);
  std::iota(result.begin(), result.end(), std::size_t{0});
  return result;
}

/// Seconds for tasks by a pool whose workers have been started before, and have each called `prepare()`.
template <class F>
auto by_pool(
    std::size_t workers, std::size_t count, const F& task, const std::function<void()>& prepare = [] {}) {
  const auto pool = std::make_shared<ndshm::WorkerPool<std::size_t>>(
      workers, task, ndshm::PoolOptions{.initialise = [=](const ndshm::Worker&) { prepare(); }});
  const std::vector<std::size_t> jobs = indices(count);
  pool->run(jobs);
  return [=] { return seconds_of([&] { pool->run(jobs); }); };
}

// ---- empty tasks ----------------------------------------------------------------------------------------------------

void add_empty_tasks(std::size_t count) {
  constexpr std::size_t workers = 2;
  const auto nothing = [](std::size_t i) { benchmark::DoNotOptimize(i); };
  const auto add = [=](const std::string& side, auto make) {
    measure::add_timed("empty_tasks", workers, side, make, count);
  };
  add("threads", [=] { return [=] { return seconds_of([&] { run_by_threads(workers, count, nothing); }); }; });
  add("openmp", [=] { return by_openmp(workers, count, nothing); });
  add("ndshm", [=] { return by_pool(workers, count, nothing); });
  measure::add_peer("empty_tasks", workers, "python", measure::python, "empty_tasks " + std::to_string(workers));
}

// ---- one task, to a worker that sleeps ------------------------------------------------------------------------------

/// Waits until the word is no longer `value`, or lets somebody else see that it has changed.
void futex_wait(std::uint32_t& word, std::uint32_t value) {
  while (std::atomic_ref(word).load(std::memory_order_acquire) == value) {
    ::syscall(SYS_futex, &word, FUTEX_WAIT, value, nullptr, nullptr, 0);
  }
}
void futex_set(std::uint32_t& word, std::uint32_t value) {
  std::atomic_ref(word).store(value, std::memory_order_release);
  ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

/// A child that answers, and what asks it: `serve()` there, `ask()` here, `end()` here at the end.
template <class Serve, class Ask, class End>
auto ping_pong(Serve serve, Ask ask, End end) {
  const std::shared_ptr<ndshm::Process> child(new ndshm::Process(ndshm::fork(serve)), [=](ndshm::Process* process) {
    end();
    process->wait();
    delete process;
  });
  return [=] {
    static_cast<void>(child);
    measure::let_others_fall_asleep();
    return seconds_of(ask);
  };
}

auto ping_pong_by_futex() {
  // In one cache line each.
  const auto words = std::make_shared<ndshm::SharedArray<std::uint32_t, 2>>(ndshm::create<std::uint32_t>({2, 16}));
  constexpr std::uint32_t last = UINT32_MAX;
  const auto number = std::make_shared<std::uint32_t>(0);
  return ping_pong(
      [=] {
        measure::watch_parent();
        for (std::uint32_t seen = 0; seen != last;) {
          futex_wait((*words)(0, 0), seen);
          seen = std::atomic_ref((*words)(0, 0)).load(std::memory_order_acquire);
          futex_set((*words)(1, 0), seen);
        }
      },
      [=] {
        const std::uint32_t before = *number;
        futex_set((*words)(0, 0), ++*number);
        futex_wait((*words)(1, 0), before);
      },
      [=] { futex_set((*words)(0, 0), last); });
}

auto ping_pong_by_pipe() {
  const auto there = std::make_shared<measure::Pipe>();
  const auto back = std::make_shared<measure::Pipe>();
  constexpr char last = 0;
  const auto receive = [=](measure::Pipe& pipe) {
    char what = last;
    pipe.read(&what, 1);
    return what;
  };
  return ping_pong(
      [=] {
        there->close_writer();
        while (receive(*there) != last) back->write("x", 1);
      },
      [=] {
        there->write("x", 1);
        receive(*back);
      },
      [=] { there->write(&last, 1); });
}

void add_round_trip() {
  measure::add_distribution("round_trip", 1, "futex", [] { return ping_pong_by_futex(); });
  measure::add_distribution("round_trip", 1, "pipe", [] { return ping_pong_by_pipe(); });
  measure::add_distribution("round_trip", 1, "ndshm", [] {
    const auto pool = std::make_shared<ndshm::WorkerPool<int, int>>(1, [](int i) { return i; });
    pool->submit(0).get();
    return [=] {
      measure::let_others_fall_asleep();
      return seconds_of([&] { pool->submit(1).get(); });
    };
  });
  measure::add_peer("round_trip", 1, "python", measure::python, "round_trip");
  measure::add_peer(
      "round_trip", 1, "mpi", []() -> measure::Peer& { return measure::mpi(2); }, "round_trip");
}

// ---- 2,000 x 10 elements in blocks of 100 rows, by two workers ------------------------------------------------------

void add_populate() {
  constexpr std::size_t rows = 2000;
  constexpr std::size_t columns = 10;
  constexpr std::size_t rows_per_block = 100;
  constexpr std::size_t workers = 2;
  constexpr std::size_t blocks = rows / rows_per_block;
  using Table = ndshm::SharedArray<double, 2>;
  const auto make_table = [=] { return std::make_shared<Table>(ndshm::create<double>({rows, columns})); };
  const auto fill_in = [=](const std::shared_ptr<Table>& table) {
    return [=](std::size_t block) {
      const std::size_t begin = block * rows_per_block;
      xt::view(*table, xt::range(begin, begin + rows_per_block)) = static_cast<double>(begin);
    };
  };
  measure::add_timed("populate", rows, "serial", [=] {
    return [=, task = fill_in(make_table())] {
      return seconds_of([&] {
        for (std::size_t i = 0; i < blocks; ++i) task(i);
      });
    };
  });
  measure::add_timed("populate", rows, "threads", [=] {
    return [=, task = fill_in(make_table())] { return seconds_of([&] { run_by_threads(workers, blocks, task); }); };
  });
  measure::add_timed("populate", rows, "openmp", [=] { return by_openmp(workers, blocks, fill_in(make_table())); });
  measure::add_timed("populate", rows, "ndshm", [=] { return by_pool(workers, blocks, fill_in(make_table())); });
  measure::add_timed("populate", rows, "ndshm_with_start", [=] {
    return [=, task = fill_in(make_table())] {
      return seconds_of([&] {
        ndshm::WorkerPool<std::size_t> pool(workers, task);
        pool.run(indices(blocks));
      });
    };
  });
  measure::add_peer("populate", rows, "python", measure::python, "populate " + std::to_string(workers));
  measure::add_peer("populate", rows, "python_with_start", measure::python,
                    "populate_with_start " + std::to_string(workers));
  measure::add_peer(
      "populate", rows, "mpi", [=]() -> measure::Peer& { return measure::mpi(workers); },
      "populate " + std::to_string(rows));
}

// ---- speed-up -------------------------------------------------------------------------------------------------------

/// One topic for 1, 2, 4 and so on up to 2 x cores workers. `make()` returns a task, and keeps what it works on. Each
/// process has done all of them once before: one that reads memory for the first time fills its page tables, which
/// threads share.
template <class Make>
void add_speed_up(const std::string& topic, std::size_t count, Make make) {
  measure::add_timed(topic, 1, "serial", [=] {
    return [task = make(), count] {
      return seconds_of([&] {
        for (std::size_t i = 0; i < count; ++i) task(i);
      });
    };
  });
  const std::size_t cores = std::max<std::size_t>(1, std::thread::hardware_concurrency());
  std::set<std::size_t> counts{cores, 2 * cores};
  for (std::size_t workers = 1; workers < cores; workers *= 2) counts.insert(workers);
  for (const std::size_t workers : counts) {
    measure::add_timed(topic, workers, "threads", [=] {
      return [=, task = make()] { return seconds_of([&] { run_by_threads(workers, count, task); }); };
    });
    measure::add_timed(topic, workers, "openmp", [=] { return by_openmp(workers, count, make()); });
    measure::add_timed(topic, workers, "ndshm", [=] {
      const auto task = make();
      return by_pool(workers, count, task, [=] {
        for (std::size_t i = 0; i < count; ++i) task(i);
      });
    });
    const std::string request = " " + std::to_string(workers);
    measure::add_peer(topic, workers, "python", measure::python, topic + request);
    measure::add_peer(
        topic, workers, "mpi", [=]() -> measure::Peer& { return measure::mpi(workers); },
        topic + " " + std::to_string(count));
  }
  measure::add_peer(topic, 1, "python_serial", measure::python, topic + " 0");
}

void add_compute_bound(std::size_t count) {
  add_speed_up("compute_bound", count, [=] {
    const auto results = std::make_shared<ndshm::SharedArray<double, 1>>(ndshm::create<double>({count}));
    return [=](std::size_t task) { (*results)(task) = measure::compute(task); };
  });
}

/// Blocks of 1 MiB are added up.
void add_memory_bound(std::size_t count) {
  struct Data {
    ndshm::SharedArray<double, 2> blocks;
    ndshm::SharedArray<double, 1> sums;
  };
  constexpr std::size_t block = (std::size_t{1} << 20) / sizeof(double);
  const auto data = std::make_shared<Data>();  // made when it is first needed, and then the same one for all sides
  add_speed_up("memory_bound", count, [=] {
    if (data->blocks.size() == 0) {
      *data = {ndshm::create<double>({count, block}), ndshm::create<double>({count})};
      data->blocks.fill(1.0);
    }
    return [=](std::size_t task) { data->sums(task) = measure::read_all({&data->blocks(task, 0), block}); };
  });
}

}  // namespace

void measure::add_benchmarks(const Settings& settings) {
  add_empty_tasks(settings.quick ? 50'000 : 500'000);
  add_round_trip();
  add_populate();
  add_compute_bound(settings.quick ? 32 : 128);
  add_memory_bound(settings.quick ? 32 : 128);
}
