// SPDX-License-Identifier: BSL-1.0
// time_limits.cpp: who is late and when to look next. What is seen of the workers and what time it is are made up here:
// there is no process, and no time passes.
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "catch.hpp"

#include <ndshm/pool/time_limits.hpp>

using ndshm::detail::LateWorker;
using ndshm::detail::PoolObservation;
using ndshm::detail::TimeLimits;
using ndshm::detail::WorkerObservation;
using ndshm::detail::WorkerState;
using namespace std::chrono_literals;

namespace {

using Duration = std::chrono::nanoseconds;
using Limit = std::optional<Duration>;
using At = LateWorker::At;

/// Time as the tests count it: from a start that is not 0.
constexpr std::uint64_t at(Duration time) { return static_cast<std::uint64_t>(Duration(1000h + time).count()); }

/// Two workers, awake and without a task, whose processes were started at the beginning.
struct Fixture {
  TimeLimits limits{2, 60s};
  std::vector<WorkerObservation> workers{2, {true, WorkerState::awake, at(0s)}};
  bool has_unclaimed = false;
  Limit shortest = 10s;
  Limit limit_of_task = 10s;

  PoolObservation seen(Duration time) const { return {at(time), has_unclaimed, workers}; }
  Limit next_look(Duration time) { return limits.next_look(seen(time), shortest); }
  std::vector<LateWorker> late(Duration time) {
    return limits.find_late(seen(time), shortest, [&](std::uint64_t) { return limit_of_task; });
  }
};

}  // namespace

TEST_CASE("where nothing has a limit nobody is late, and there is nothing to look at") {
  Fixture f;
  f.shortest.reset();
  f.workers[0].task = 5;
  f.workers[1].state = WorkerState::sleeping;
  CHECK_FALSE(f.next_look(0s));
  CHECK(f.late(1000h).empty());
}

TEST_CASE("a worker that has recorded its start is late when the limit of its task is over") {
  Fixture f;
  f.workers[1].task = 7;
  f.workers[1].task_start = at(3s);
  CHECK(f.next_look(4s) == Duration(9s + 1ms));
  CHECK(f.late(13s).empty());
  const auto late = f.late(13s + 1ns);
  REQUIRE(late.size() == 1);
  CHECK(late[0].worker == 1);
  CHECK(late[0].at == At::task_or_idle);
  CHECK(late[0].task == 7U);
  CHECK(f.next_look(20s) == Duration(1ms));  // as soon as possible
}

TEST_CASE("a task has its own limit, which may be none") {
  Fixture f;
  f.workers[0].task = 7;
  f.workers[0].task_start = at(0s);
  f.limit_of_task = 30s;
  CHECK(f.late(30s).empty());
  CHECK(f.late(31s).size() == 1);
  f.limit_of_task = 0s;
  CHECK(f.late(1000h).empty());
  // Its result is there and its worker has not gone on, because it was stopped.
  f.limit_of_task.reset();
  CHECK(f.late(10s).empty());
  CHECK(f.late(11s).size() == 1);
}

TEST_CASE("one that has not recorded the start is late after a limit in which it was always seen at the same task") {
  Fixture f;
  f.workers[0].task = 7;
  CHECK(f.late(0s).empty());
  CHECK(f.next_look(4s) == Duration(6s + 1ms));
  CHECK(f.late(10s).empty());
  f.workers[0].task = 8;
  CHECK(f.late(11s).empty());
  CHECK(f.late(21s).empty());
  CHECK(f.late(22s).size() == 1);
}

TEST_CASE("one that claims nothing although there are tasks is late, but not one that sleeps or has nothing to do") {
  Fixture f;
  f.workers[1].state = WorkerState::sleeping;
  f.has_unclaimed = true;
  CHECK(f.late(0s).empty());
  CHECK(f.late(11s).size() == 1);
  CHECK(f.late(11s)[0].worker == 0);
  CHECK_FALSE(f.late(11s)[0].task);
  f.workers[0].last_finished = 3;  // it has done one meanwhile
  CHECK(f.late(12s).empty());
  f.has_unclaimed = false;
  CHECK(f.late(30s).empty());
  f.has_unclaimed = true;  // from here on it counts anew
  CHECK(f.late(31s).empty());
  CHECK(f.late(41s).empty());
  CHECK(f.late(42s).size() == 1);
  f.workers[0].state = WorkerState::sleeping;
  CHECK(f.late(43s).empty());
}

TEST_CASE("what was seen before it was forgotten does not count") {
  Fixture f;
  f.has_unclaimed = true;
  CHECK(f.late(0s).empty());
  f.limits.forget();
  CHECK(f.late(11s).empty());
  CHECK(f.late(22s).size() == 2);
  f.limits.forget(0);
  REQUIRE(f.late(23s).size() == 1);
  CHECK(f.late(23s)[0].worker == 1);
}

TEST_CASE("a process that does not become ready is late, with or without a limit for tasks") {
  Fixture f;
  f.workers[1].state = WorkerState::absent;
  f.workers[1].process_start = at(5s);
  f.shortest.reset();
  CHECK(f.next_look(10s) == Duration(55s + 1ms));
  CHECK(f.late(65s).empty());
  const auto late = f.late(66s);
  REQUIRE(late.size() == 1);
  CHECK(late[0].worker == 1);
  CHECK(late[0].at == At::start);
  f.workers[1].has_process = false;  // there is none that could be late
  CHECK(f.late(66s).empty());
  CHECK_FALSE(f.next_look(10s));
}

TEST_CASE("one that is not ready when the tasks' limit is over is late only if it is stopped") {
  Fixture f;
  f.workers[0].state = WorkerState::absent;
  f.has_unclaimed = true;
  f.workers[1].task = 1;
  f.workers[1].task_start = at(0s);
  f.limit_of_task = 0s;
  CHECK(f.late(0s).empty());
  const auto late = f.late(11s);
  REQUIRE(late.size() == 1);
  CHECK(late[0].worker == 0);
  CHECK(late[0].at == At::stopped);
}

TEST_CASE("while there are tasks and a worker sleeps, another one is woken soon") {
  Fixture f;
  f.shortest.reset();
  f.has_unclaimed = true;
  CHECK_FALSE(TimeLimits::should_wake_another(f.seen(0s)));
  f.workers[1].state = WorkerState::sleeping;
  CHECK(TimeLimits::should_wake_another(f.seen(0s)));
  CHECK(f.next_look(0s) == Duration(2ms));
  f.has_unclaimed = false;
  CHECK_FALSE(TimeLimits::should_wake_another(f.seen(0s)));
  CHECK_FALSE(f.next_look(0s));
}

TEST_CASE("with a limit one looks at the latest when the shortest one would be over") {
  Fixture f;
  CHECK(f.next_look(0s) == Duration(10s));
  f.shortest = 2s;
  CHECK(f.next_look(0s) == Duration(2s));
  // Limits of years do not overflow, and neither does a clock that differs a little.
  f.shortest = Duration::max();
  f.workers[0].task = 1;
  f.workers[0].task_start = at(5s);
  CHECK(f.next_look(4s) == Duration(1h + 1ms));
  CHECK(f.late(4s).empty());
}
