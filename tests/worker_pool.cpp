// SPDX-License-Identifier: BSL-1.0
// worker_pool.cpp: what a pool promises, shown by workers that are really killed, stopped, throw or exit.
#include <poll.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "catch.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;
using ndshm::FailureReason;
using ndshm::Range;
using ndshm::Worker;
using ndshm::WorkerPool;
using namespace std::chrono_literals;

namespace {

std::vector<int> numbers(int count) {
  std::vector<int> result(static_cast<std::size_t>(count));
  std::iota(result.begin(), result.end(), 0);
  return result;
}

[[noreturn]] void sleep_for_ever() {
  for (;;) ::pause();
}

/// Does not sleep, either.
[[noreturn]] void spin_for_ever() {
  static volatile bool spinning = true;
  while (spinning) {
  }
  std::abort();
}

/// A pipe whose end shows that every process which inherited it is gone.
class Survivors {
 public:
  Survivors() { REQUIRE(::pipe(ends_) == 0); }
  ~Survivors() { ::close(ends_[0]); }
  /// Waits until nobody has it any more but the caller. Processes that stand still are let go on meanwhile.
  bool are_gone(const std::vector<pid_t>& stopped = {}) {
    ::close(ends_[1]);
    pollfd entry{ends_[0], POLLIN, 0};
    for (int turn = 0; turn < 6000 && ::poll(&entry, 1, 10) == 0; ++turn) {
      for (const pid_t pid : stopped) ::kill(pid, SIGCONT);
    }
    char byte = 0;
    return entry.revents != 0 && ::read(ends_[0], &byte, 1) == 0;
  }

 private:
  int ends_[2] = {};
};

/// Lets this process wait for the children of its killed children.
void adopt_orphans() {
#if defined(__linux__)
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
#endif
}
void wait_for_all_children() {
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
}

bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD; }

/// A gate that tasks wait at until it is opened.
struct Gate {
  ndshm::SharedArray<int, 1> state = ndshm::create<int>({2});
  void arrive() const { std::atomic_ref(const_cast<int&>(state(1)))++; }
  void pass() const {
    arrive();
    while (std::atomic_ref(const_cast<int&>(state(0))) == 0) std::this_thread::sleep_for(1ms);
  }
  void open() { std::atomic_ref(state(0)) = 1; }
  void await(int count) const {
    while (std::atomic_ref(const_cast<int&>(state(1))) < count) std::this_thread::sleep_for(1ms);
  }
};

}  // namespace

// ---- what it is for

TEST_CASE("blocks of an array are filled by workers that share it") {
  auto array = ndshm::create<double>({2000, 10});
  WorkerPool pool(
      4, [&](Range rows) { xt::view(array, xt::range(rows.begin, rows.end)) = static_cast<double>(rows.begin); });
  static_assert(std::is_same_v<decltype(pool), WorkerPool<Range, void>>);
  const ndshm::RunReport report = pool.run(ndshm::blocks(2000, 100));
  CHECK(report.success());
  CHECK(report.done == 20);
  CHECK(std::accumulate(report.done_by.begin(), report.done_by.end(), std::size_t{0}) == 20);
  CHECK(array(0, 0) == 0);
  CHECK(array(1999, 9) == 1900);
  CHECK(xt::sum(array)() == Approx(19'000'000));
  CHECK(pool.run(ndshm::blocks(0, 100)).success());
  CHECK(pool.run(ndshm::blocks(2000, 1)).done == 2000);
}

TEST_CASE("map returns the results in the order of the jobs, of any trivially copyable types") {
  struct Job {
    std::array<double, 20> values;
    char letter;
  };
  struct Result {
    double sum;
    std::size_t worker;
  };
  WorkerPool pool(3, [](const Job& job, const Worker& worker) {
    return Result{std::accumulate(job.values.begin(), job.values.end(), double(job.letter)), worker.index};
  });
  std::vector<Job> jobs(3000);
  for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i] = {{double(i), 1}, 'a'};
  const std::vector<Result> results = pool.map(jobs);
  REQUIRE(results.size() == jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (results[i].sum != double(i) + 1 + 'a' || results[i].worker >= 3) FAIL("result " << i);
  }
  WorkerPool<int, int> free_function(
      1, +[](int i) { return i + 1; });
  CHECK(free_function.map(numbers(3)) == std::vector<int>{1, 2, 3});
  WorkerPool over_tiles(2, [](ndshm::Tile<2> tile) { return tile[0].size() * tile[1].size(); });
  const auto sizes = over_tiles.map(ndshm::tiles<2>({100, 70}, {16, 16}));
  CHECK(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}) == 7000);
}

TEST_CASE("single tasks are submitted and waited for in any order") {
  Gate gate;
  WorkerPool pool(2, [&](int i) {
    if (i == 0) gate.pass();
    return i * i;
  });
  auto held = pool.submit(0);
  auto second = pool.submit(3);
  CHECK(second.get() == 9);
  CHECK(second.get() == 9);
  CHECK_FALSE(held.wait_for(1ms));
  std::vector<ndshm::PendingTask<int>> more;
  for (int i = 0; i < 5000; ++i) more.push_back(pool.submit(i + 1));  // more than can be outstanding at one time
  gate.open();
  CHECK(held.get() == 0);
  for (int i = 4999; i >= 0; --i) {
    if (more[static_cast<std::size_t>(i)].get() != (i + 1) * (i + 1)) FAIL("result " << i);
  }
  CHECK(pool.map(numbers(4)) == std::vector<int>{0, 1, 4, 9});
}

TEST_CASE("a slow task holds nobody up") {
  Gate gate;
  auto count = ndshm::create<int>({1});
  WorkerPool pool(2, [&](int i) {
    if (i == 0) {
      // All others are done by the other worker while this one waits for them.
      while (std::atomic_ref(count(0)) < 19'999) std::this_thread::sleep_for(1ms);
    } else {
      ++std::atomic_ref(count(0));
    }
  });
  const auto report = pool.run(numbers(20'000));
  CHECK(report.done == 20'000);
  CHECK(*std::min_element(report.done_by.begin(), report.done_by.end()) == 1);
}

TEST_CASE("workers are initialised once each, and know their index and their share") {
  auto array = ndshm::create<int>({100});
  auto starts = ndshm::create<int>({3});
  int state = 0;
  WorkerPool pool(3,
                  [&](int i, const Worker& worker) {
                    if (i == 1 && state == 1) ::raise(SIGKILL);
                    return state * 1000 + static_cast<int>(worker.index) * 10 + (worker.is_replacement ? 1 : 0);
                  },
                  {.initialise =
                       [&](const Worker& worker) {
                         state = worker.is_replacement ? 2 : 1;
                         ++std::atomic_ref(starts(worker.index));
                       },
                   .first_touch =
                       [&](const Worker& worker) {
                         const Range share = worker.share(array.size());
                         for (std::size_t i = share.begin; i < share.end; ++i)
                           array(i) += static_cast<int>(worker.index) + 1;
                       }});
  // The constructor has waited for it.
  CHECK(array(0) == 1);
  CHECK(array(33) == 1);
  CHECK(array(34) == 2);
  CHECK(array(99) == 3);
  CHECK(starts(0) + starts(1) + starts(2) == 3);
  const auto report = pool.try_map(std::vector<int>{1});
  CHECK(report.failures.size() == 1);
  CHECK(pool.map(std::vector<int>(1000, 5)).size() == 1000);
  CHECK(report.replaced == 1);
  CHECK(xt::amax(array)() == 3);  // the replacement did not touch it again
  CHECK(state == 0);
}

// ---- 1: a worker that dies fails only its own task, and is replaced

TEST_CASE("a worker that is killed, crashes or exits fails only the task it was at") {
  WorkerPool pool(2, [](int i) {
    if (i == 3) ::raise(SIGKILL);
    if (i == 5) ::raise(SIGUSR1);
    if (i == 7) ::_exit(0);
    if (i == 9) std::exit(4);
    return i + 1;
  });
  for (int round = 0; round < 3; ++round) {
    const auto report = pool.try_map(numbers(200));
    CHECK(report.done == 196);
    CHECK(report.replaced == 4);
    REQUIRE(report.failures.size() == 4);
    CHECK(report.failures[0].index == 3);
    CHECK(report.failures[0].reason == FailureReason::killed);
    CHECK(report.failures[0].text == "signal 9 (Killed)");
    CHECK(report.failures[1].text == "signal 10 (User defined signal 1)");
    CHECK(report.failures[2].text == "exit code 0");
    CHECK(report.failures[2].reason == FailureReason::exited);
    CHECK(report.failures[3].text == "exit code 4");
    std::set<std::uint64_t> pids;
    for (const auto& lost : report.failures) pids.insert(lost.pid);
    CHECK(pids.size() == 4);
    for (std::size_t i = 0; i < 200; ++i) {
      const bool fails = i == 3 || i == 5 || i == 7 || i == 9;
      if (report.results[i].has_value() == fails) FAIL("task " << i);
      if (!fails && *report.results[i] != static_cast<int>(i) + 1) FAIL("result " << i);
    }
  }
  try {
    pool.run(numbers(10));
    FAIL("it did not throw");
  } catch (const ndshm::TaskError& error) {
    CHECK(error.condition() == errc::task_failed);
    CHECK(error.report().done == 6);
    CHECK(error.report().failures.size() == 4);
    CHECK(std::string(error.what()).find("4 of 10 tasks failed; task ") != std::string::npos);
  }
}

TEST_CASE("idle workers that are killed are replaced, and no task is lost") {
  WorkerPool pool(3, [](int i) { return i; });
  pool.map(numbers(3));
  for (int round = 0; round < 20; ++round) {
    for (const std::uint64_t pid : pool.pids()) {
      if (pid != 0) ::kill(static_cast<pid_t>(pid), SIGKILL);
    }
    const auto report = pool.try_map(numbers(50));
    // Whoever was killed may have claimed a task by then.
    CHECK(report.done + report.failures.size() == 50);
    CHECK(report.failures.size() <= 3);
  }
}

TEST_CASE("workers that die at the same time are each reported with what ended them") {
  Gate gate;
  WorkerPool pool(2,
                  [&](int) {
                    gate.pass();
                    ::raise(SIGKILL);
                  },
                  {.max_replacements = 0});
  auto first = pool.submit(0);
  auto second = pool.submit(1);
  gate.await(2);
  gate.open();
  for (const std::uint64_t pid : pool.pids()) {
    siginfo_t info{};
    CHECK(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);  // it stays for the pool to reap
  }
  CHECK_ERROR(first.get(), errc::task_failed, "; task 0: signal 9");
  CHECK_ERROR(second.get(), errc::task_failed, "; task 0: signal 9");
}

TEST_CASE("the pool ends in words when there is no worker left") {
  WorkerPool pool(2, [](int) { ::raise(SIGKILL); }, {.max_replacements = 3});
  const auto report = pool.try_run(numbers(20));
  CHECK(report.done == 0);
  REQUIRE(report.failures.size() == 20);
  CHECK(std::count_if(report.failures.begin(), report.failures.end(),
                      [](const auto& lost) { return lost.reason == FailureReason::killed; }) == 5);
  CHECK(report.failures.back().reason == FailureReason::no_worker);
  CHECK(report.failures.back().text.find("no replacements are left") != std::string::npos);
  CHECK(pool.try_run(numbers(2)).failures.size() == 2);

  WorkerPool never_ready(2, [](int) {}, {.initialise = [](const Worker&) { throw std::runtime_error("no luck"); }});
  const auto none = never_ready.try_run(numbers(3));
  REQUIRE(none.failures.size() == 3);
  CHECK(none.failures[0].reason == FailureReason::no_worker);
  CAPTURE(none.failures[0].text);
  CHECK(none.failures[0].text.find("exception std::runtime_error: no luck, before it was ready, 3 times in a row") !=
        std::string::npos);
  CHECK_ERROR(WorkerPool(2, [](int) {},
                         {.first_touch =
                              [](const Worker& worker) {
                                if (worker.index == 1) ::raise(SIGKILL);
                              }}),
              errc::worker_failed, "worker 1 ended with signal 9");
}

// ---- 2: exceptions

TEST_CASE("a task that throws is reported with type and text, and its worker stays") {
  WorkerPool pool(1, [](int i) {
    if (i == 1) throw std::out_of_range("too far");
    if (i == 2) throw 5;
    if (i == 3) throw std::runtime_error(std::string(100'000, 'x'));
    return static_cast<long>(::getpid());
  });
  const auto report = pool.try_map(numbers(6));
  REQUIRE(report.failures.size() == 3);
  CHECK(report.failures[0].index == 1);
  CHECK(report.failures[0].reason == FailureReason::threw);
  CHECK(report.failures[0].text == "std::out_of_range: too far");
  CHECK(report.failures[1].text == "an exception that is not a std::exception");
  CHECK(report.failures[2].text.size() == 1023);
  CHECK(report.replaced == 0);
  CHECK(report.failures[0].pid == static_cast<std::uint64_t>(*report.results[0]));
  CHECK(*report.results[0] == *report.results[5]);
  CHECK_ERROR(pool.submit(1).get(), errc::task_failed, "task 0: std::out_of_range: too far");
}

// ---- 3: idempotent tasks

TEST_CASE("idempotent tasks are given out again, a limited number of times") {
  auto tries = ndshm::create<int>({20});
  WorkerPool pool(2, [&](int i) {
    const int before = std::atomic_ref(tries(i))++;
    if (i % 5 == 0 && before < 2) ::raise(SIGKILL);
    if (i == 7) ::raise(SIGKILL);
  });
  const auto report = pool.try_run(numbers(20), {.idempotent = true});
  CHECK(report.done == 19);
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures[0].index == 7);
  CHECK(tries(7) == 3);
  CHECK(tries(5) == 3);
  CHECK(tries(6) == 1);
  CHECK(report.replaced == 4 * 2 + 3);
}

// ---- 4: the parent's death

TEST_CASE("when the owner of a pool is killed its workers end, whatever they are doing") {
  adopt_orphans();
  enum class At { work, rest, stop };
  for (const At at : {At::work, At::rest, At::stop}) {
    Survivors survivors;
    Gate gate;
    const std::string name = unique_name();
    const pid_t owner = ::fork();
    if (owner == 0) {
      auto array = ndshm::create<pid_t>(name, {3});
      WorkerPool pool(3, [&](int i) {
        array(i) = ::getpid();
        gate.arrive();
        if (at == At::stop) ::raise(SIGSTOP);
        if (at == At::work) spin_for_ever();
      });
      for (int i = 0; i < 3; ++i) pool.submit(i);
      sleep_for_ever();
    }
    gate.await(at == At::rest ? 1 : 3);
    std::vector<pid_t> stopped;
#if defined(NDSHM_PORTABLE_POSIX) || !defined(__linux__)
    // What stands still cannot end by itself, and only Linux lets it go on when its parent ends: there somebody else
    // has to. It ends then.
    if (at == At::stop) {
      const auto pids = ndshm::attach<const pid_t, 1>(name);
      stopped.assign(pids.begin(), pids.end());
    }
#endif
    ::kill(owner, SIGKILL);
    ::waitpid(owner, nullptr, 0);
    CHECK(survivors.are_gone(stopped));
    wait_for_all_children();
    CHECK_FALSE(ndshm::exists(name));
    ndshm::sweep();
    const auto left = ndshm::list();
    CHECK(std::none_of(left.begin(), left.end(), [&](const auto& segment) { return segment.name == name; }));
  }
}

// ---- 5: interrupts, destruction, stopped workers

TEST_CASE("an interrupt from the terminal is the owner's business") {
  Gate gate;
  Survivors survivors;
  const pid_t owner = ::fork();
  if (owner == 0) {
    ::setpgid(0, 0);
    static WorkerPool<int>* pool = nullptr;
    static Gate* shown = &gate;
    WorkerPool made(2, [&](int) { gate.pass(); });
    pool = &made;
    ::signal(SIGINT, [](int) {
      pool->cancel();
      std::atomic_ref(shown->state(1)) = 100;
    });
    const auto report = made.try_run(numbers(100));
    ::_exit(report.done == 2 && report.cancelled == 98 && report.failures.empty() ? 0 : 1);
  }
  gate.await(2);
  ::kill(-owner, SIGINT);  // as Ctrl-C does: to all processes of the group
  gate.await(100);
  gate.open();
  int status = 0;
  ::waitpid(owner, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(survivors.are_gone());
  wait_for_all_children();
}

TEST_CASE("destroying a pool does not hang, and leaves nothing") {
  Gate gate;
  CHECK_FALSE(has_children());
  {
    WorkerPool idle(3, [](int) {});
    idle.run(numbers(3));
  }
  CHECK_FALSE(has_children());
  {
    WorkerPool never_used(3, [](int) {});
  }
  CHECK_FALSE(has_children());
  {
    WorkerPool busy(2, [&](int) {
      gate.arrive();
      sleep_for_ever();
    });
    auto begun = busy.submit(1);
    busy.submit(2);
    auto waiting = busy.submit(3);
    gate.await(2);
    busy.close();
    CHECK_ERROR(begun.get(), errc::task_failed, "the pool was closed");
    CHECK_ERROR(waiting.get(), errc::cancelled, "cancelled after 0 of 1 tasks");
    CHECK_ERROR(busy.submit(4), errc::cancelled, "has been closed");
    CHECK(busy.pids() == std::vector<std::uint64_t>{0, 0});
  }
  CHECK_FALSE(has_children());
  {
    // What is done is done, also when nobody has asked before the end.
    Gate done;
    WorkerPool closed(1, [&](int i) {
      if (i == 2) done.arrive();
      return i;
    });
    auto first = closed.submit(1);
    closed.submit(2);
    done.await(1);
    closed.close();
    CHECK(first.get() == 1);
  }
  CHECK_FALSE(has_children());
  {
    WorkerPool stopped(2, [&](int) { ::raise(SIGSTOP); });
    stopped.submit(1);
    int status = 0;
    CHECK(::waitpid(-1, &status, WUNTRACED) > 0);
    CHECK(WIFSTOPPED(status));
  }
  CHECK_FALSE(has_children());
  {
    WorkerPool first(2, [](int i) { return i; });
    WorkerPool second = std::move(first);
    CHECK(second.map(numbers(2)) == std::vector<int>{0, 1});
    CHECK_ERROR(first.map(numbers(2)), errc::invalid_argument, "moved from");  // NOLINT(bugprone-use-after-move)
    first.cancel();
    second = WorkerPool<int, int>(1, [](int i) { return -i; });
    CHECK(second.map(numbers(2)) == std::vector<int>{0, -1});
  }
  CHECK_FALSE(has_children());
}

TEST_CASE("a task that runs too long is ended, alone") {
  WorkerPool pool(2, [](int i) {
    if (i == 1) sleep_for_ever();
    if (i == 2) ::raise(SIGSTOP);
    if (i == 3) spin_for_ever();
    return i;
  });
  const auto report = pool.try_map(numbers(50), {.task_timeout = 50ms});
  CHECK(report.done == 47);
  REQUIRE(report.failures.size() == 3);
  for (const auto& lost : report.failures) {
    CHECK(lost.reason == FailureReason::timed_out);
    CHECK(lost.text == "ran longer than 0.05 s");
    CHECK((lost.index >= 1 && lost.index <= 3));
  }
  CHECK(pool.map(std::vector<int>{7, 8}) == std::vector<int>{7, 8});
}

TEST_CASE("workers that are stopped while they have no task do not hold up a pool with a time limit") {
  WorkerPool pool(2, [](int i) { return i; });
  pool.map(numbers(10));
  for (const std::uint64_t pid : pool.pids()) ::kill(static_cast<pid_t>(pid), SIGSTOP);
  const auto report = pool.try_map(numbers(10), {.idempotent = true, .task_timeout = 50ms});
  CHECK(report.done == 10);
  CHECK(report.replaced >= 1);
  // One that sleeps and one that does not is enough without a limit.
  WorkerPool other(2, [](int i) { return i; });
  other.map(numbers(10));
  ::kill(static_cast<pid_t>(other.pids()[0]), SIGSTOP);
  CHECK(other.submit(5).get() == 5);
}

// ---- 7: progress, cancellation, other children, signal handlers

TEST_CASE("progress is told at the end at least") {
  WorkerPool pool(2, [](Range) {});
  std::vector<ndshm::Progress> seen;
  pool.run(ndshm::blocks(1000, 10), {.progress = [&](const ndshm::Progress& progress) { seen.push_back(progress); }});
  REQUIRE_FALSE(seen.empty());
  CHECK(seen.back().is_over);
  CHECK(seen.back().done == 100);
  CHECK(seen.back().total == 100);
  CHECK(seen.back().fraction() == 1);
}

TEST_CASE("cancel drops what nobody has begun, from a callback or another thread") {
  auto done = ndshm::create<int>({1});
  Gate gate;
  WorkerPool pool(2, [&](int) {
    gate.pass();
    ++std::atomic_ref(done(0));
  });
  std::thread canceller([&] {
    gate.await(2);
    pool.cancel();
    gate.open();
  });
  const auto report = pool.try_run(numbers(10'000));
  canceller.join();
  CHECK(report.done == 2);
  CHECK(report.cancelled == 9998);
  CHECK(done(0) == 2);
  CHECK(pool.run(numbers(10)).done == 10);  // it goes on working
  // It holds from the moment on at which it is called, also while the owner is busy with something else.
  Gate second;
  WorkerPool held(1, [&](int) {
    second.pass();
    return 0;
  });
  struct Jobs {
    WorkerPool<int, int>& pool;
    Gate& gate;
    struct Iterator {
      const Jobs& jobs;
      int at;
      int operator*() const {
        if (at == 64) {
          jobs.gate.await(1);
          jobs.pool.cancel();
          jobs.gate.open();
          std::this_thread::sleep_for(20ms);  // enough for a worker that does not know of it to do more
        }
        return at;
      }
      Iterator& operator++() {
        ++at;
        return *this;
      }
      bool operator!=(const Iterator& other) const { return at != other.at; }
    };
    std::size_t size() const { return 100; }
    Iterator begin() const { return {*this, 0}; }
    Iterator end() const { return {*this, 100}; }
  };
  const auto cut = held.try_run(Jobs{held, second});
  CHECK(cut.done == 1);
  CHECK(cut.cancelled == 99);
  try {
    pool.run(numbers(1000), {.progress = [&](const ndshm::Progress&) { pool.cancel(); }});
  } catch (const ndshm::TaskError& error) {
    CHECK(error.condition() == errc::cancelled);
  }
  pool.run(numbers(10));
}

TEST_CASE("a worker that runs an inherited signal handler cancels nothing") {
  static std::optional<WorkerPool<int>> pool;
  const auto before = ::signal(SIGUSR2, [](int) { pool->cancel(); });
  pool.emplace(2, [](int i) {
    if (i % 3 == 0) ::raise(SIGUSR2);
  });
  for (const std::uint64_t pid : pool->pids()) ::kill(static_cast<pid_t>(pid), SIGKILL);
  pool->try_run(numbers(10));  // by replacements, which have the pool where the handler looks for it
  for (int round = 0; round < 3; ++round) CHECK(pool->run(numbers(100)).done == 100);
  pool.reset();
  ::signal(SIGUSR2, before);
}

TEST_CASE("of very many failures the first are kept and all are counted") {
  WorkerPool pool(2, [](int i) {
    if (i % 2 == 0) throw std::runtime_error("even");
    return i;
  });
  const auto report = pool.try_map(numbers(5000));
  CHECK(report.failed == 2500);
  CHECK(report.failures.size() == 1000);
  CHECK(report.done == 2500);
  CHECK(report.results.size() == 5000);
  CHECK_FALSE(report.success());
  CHECK_ERROR(pool.run(numbers(10), {.max_failures = 0}), errc::task_failed, "5 of 10 tasks failed");
  CHECK(pool.map({1, 3, 5}) == std::vector<int>{1, 3, 5});
}

TEST_CASE("a worker that does not get ready has a limit") {
  Gate gate;
  WorkerPool pool(2, [](int i) { return i; },
                  {.initialise =
                       [&](const Worker& worker) {
                         if (worker.index == 1) gate.pass();
                       },
                   .start_timeout = 50ms});
  CHECK(pool.map(numbers(100)).size() == 100);  // by the other one
  CHECK_ERROR(WorkerPool(2, [](int) {}, {.first_touch = [&](const Worker&) { gate.pass(); }, .start_timeout = 50ms}),
              errc::worker_failed, "come through its initialiser after 0.05 s");
  // One that was ready and died without a replacement does not keep the constructor waiting, either.
  CHECK_ERROR(WorkerPool(2, [](int) {},
                         {.first_touch =
                              [&](const Worker& worker) {
                                if (worker.index == 1) gate.pass();
                                ::kill(::getpid(), SIGKILL);
                              },
                          .max_replacements = 0}),
              errc::worker_failed, "worker 0 ended with signal 9");
  gate.open();
}

TEST_CASE("what the caller's own jobs or callbacks throw reaches the caller, and the pool goes on") {
  WorkerPool pool(2, [](int i) { return i; });
  struct Jobs {
    std::vector<int> values = numbers(100);
    struct Iterator {
      std::vector<int>::const_iterator at;
      int operator*() const {
        if (*at == 50) throw std::runtime_error("no job 50");
        return *at;
      }
      Iterator& operator++() {
        ++at;
        return *this;
      }
      bool operator!=(const Iterator& other) const { return at != other.at; }
    };
    Iterator begin() const { return {values.begin()}; }
    Iterator end() const { return {values.end()}; }
  };
  for (int round = 0; round < 20; ++round) {
    CHECK_THROWS_WITH(pool.map(Jobs()), "no job 50");
    CHECK(pool.map(numbers(5)) == numbers(5));
  }
  CHECK_THROWS_WITH(pool.run(numbers(5), {.progress = [](const ndshm::Progress&) { throw std::logic_error("mine"); }}),
                    "mine");
  CHECK(pool.map(numbers(5)) == numbers(5));
}

TEST_CASE("a task whose run has thrown is told to nobody") {
  Gate gate;
  WorkerPool pool(1, [&](int i) {
    if (i == 0) gate.pass();
    return i;
  });
  struct Jobs {
    Gate& gate;
    struct Iterator {
      Gate& gate;
      int at;
      int operator*() const {
        if (at < 40) return at;
        gate.await(1);  // the first task is running
        throw std::runtime_error("no more jobs");
      }
      Iterator& operator++() {
        ++at;
        return *this;
      }
      bool operator!=(const Iterator& other) const { return at != other.at; }
    };
    Iterator begin() const { return {gate, 0}; }
    Iterator end() const { return {gate, 100}; }
  };
  // What try_map would write the result of the first task to is gone by then: a sanitizer sees that it does not.
  CHECK_THROWS_WITH(pool.try_map(Jobs{gate}), "no more jobs");
  gate.open();
  CHECK(pool.map({7, 8}) == std::vector<int>{7, 8});
}

TEST_CASE("only the pool's own children are reaped, and signal handlers are left alone") {
  const pid_t stranger = ::fork();
  if (stranger == 0) ::_exit(9);
  struct sigaction before[32] = {};
  for (int signal = 1; signal < 32; ++signal) ::sigaction(signal, nullptr, &before[signal]);
  {
    WorkerPool pool(2, [](int i) {
      if (i == 3) ::raise(SIGKILL);
    });
    CHECK(pool.try_run(numbers(10)).failures.size() == 1);
  }
  for (int signal = 1; signal < 32; ++signal) {
    struct sigaction now {};
    ::sigaction(signal, nullptr, &now);
    CHECK(now.sa_handler == before[signal].sa_handler);
  }
  int status = 0;
  CHECK(::waitpid(stranger, &status, 0) == stranger);
  CHECK(WEXITSTATUS(status) == 9);
}

TEST_CASE("a host that reaps all children itself loses the status, not the tasks") {
  const auto before = ::signal(SIGCHLD, SIG_IGN);
  {
    WorkerPool pool(2, [](int i) {
      if (i == 3) ::raise(SIGKILL);
      return i;
    });
    const auto report = pool.try_map(numbers(10));
    CHECK(report.done == 9);
    REQUIRE(report.failures.size() == 1);
    CHECK(report.failures[0].index == 3);
    CHECK(report.failures[0].text.find("waited for") != std::string::npos);
  }
  ::signal(SIGCHLD, before);
}

// ---- shapes of use

TEST_CASE("pools nest, and several live side by side") {
  WorkerPool outer(2, [](int i) {
    WorkerPool inner(2, [](int j) { return j * 2; });
    const auto results = inner.map(numbers(i));
    return std::accumulate(results.begin(), results.end(), 0);
  });
  CHECK(outer.map(std::vector<int>{3, 10, 100}) == std::vector<int>{6, 90, 9900});
  WorkerPool one(1, [](int i) { return i + 1; });
  WorkerPool many(16, [](int i) { return i - 1; });
  auto pending = one.submit(1);
  CHECK(many.map(numbers(100)).back() == 98);
  CHECK(pending.get() == 2);
  CHECK(one.map(numbers(100)).back() == 100);
  WorkerPool refuses(1, [&](int) { return one.submit(1).get(); });
  const auto report = refuses.try_map(numbers(1));
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures[0].text.find("this pool belongs to process") != std::string::npos);
}

TEST_CASE("many tasks take no more memory than few") {
  WorkerPool pool(2, [](Range) {});
  pool.run(ndshm::blocks(10'000, 1));
  const auto peak = [] {
    struct rusage usage {};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;  // KiB
  };
  const auto before = peak();
  CHECK(pool.run(ndshm::blocks(1'000'000, 1)).done == 1'000'000);
  CHECK(peak() - before < 4096);
}

TEST_CASE("a pool that cannot be is an error") {
  CHECK_ERROR(WorkerPool(0, [](int) {}), errc::invalid_argument, "0 workers");
  CHECK_ERROR(WorkerPool(100'000, [](int) {}), errc::invalid_argument, "100000 workers");
#if defined(__linux__) && !defined(NDSHM_PORTABLE_POSIX)
  std::thread thread([] {
    CHECK_ERROR(WorkerPool(1, [](int) {}), errc::multithreaded, "2 threads run");
    WorkerPool forced(1, [](int i) { return i; }, {.allow_threads = true});
    CHECK(forced.map(numbers(2)) == numbers(2));
  });
  thread.join();
  // A thread that was started later stands in the way of replacements alone.
  WorkerPool pool(2, [](int i) {
    if (i == 1) ::raise(SIGKILL);
    return i;
  });
  pool.map(std::vector<int>{0});
  Gate gate;
  std::thread later([&] { gate.pass(); });
  const auto report = pool.try_map(numbers(10));
  CHECK(report.done == 9);
  CHECK(report.replaced == 0);
  CHECK(pool.try_map(std::vector<int>{1, 1, 5}).failures.size() == 3);
  CHECK(pool.try_map(std::vector<int>{5}).failures.at(0).text.find("threads run") != std::string::npos);
  gate.open();
  later.join();
  CHECK(pool.map(std::vector<int>{5}) == std::vector<int>{5});  // and now it can be replaced
#endif
}
