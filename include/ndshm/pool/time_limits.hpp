// SPDX-License-Identifier: BSL-1.0
// time_limits.hpp: who is late, and when to look next. From what is seen of the workers and what time it is; makes no
// system call and knows no process, so that its tests decide both. Includes task_board.hpp for WorkerState.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ndshm/core/config.hpp>
#include <ndshm/pool/task_board.hpp>
#include <optional>
#include <span>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// What is seen of one worker at one moment. Times are those of one steady clock, in ns.
struct WorkerObservation {
  bool has_process = false;
  WorkerState state = WorkerState::absent;
  std::uint64_t process_start = 0;
  std::optional<std::uint64_t> task{};        // the number of the one that it has claimed and not finished
  std::optional<std::uint64_t> task_start{};  // when it began that one, where it has recorded it
  std::uint64_t last_finished = 0;            // the number of its last task
};

/// What is seen of all workers at one moment.
struct PoolObservation {
  std::uint64_t now = 0;
  bool has_unclaimed = false;  // tasks that are published and nobody has claimed
  std::span<const WorkerObservation> workers{};
};

/// A worker that has been at something for too long. It may have gone on since it was observed.
struct LateWorker {
  enum class At {
    start,        // it has not become ready
    stopped,      // the same, but only the tasks' limit is over: late if it does not run at all
    task_or_idle  // a task, or not claiming one although there are some
  };
  std::size_t worker;
  At at;
  std::optional<std::uint64_t> task{};
};

class TimeLimits {
 public:
  using Duration = std::chrono::nanoseconds;

  TimeLimits(std::size_t workers, Duration start_timeout) : start_timeout_(start_timeout), watched_(workers) {}

  /// Forgets since when the workers have been at what they are at: no limit has run so far.
  void forget() { std::fill(watched_.begin(), watched_.end(), Watched()); }
  void forget(std::size_t worker) { watched_[worker] = {}; }

  /// Returns whether one more worker should be woken, because those that were may be stopped.
  static bool should_wake_another(const PoolObservation& pool) {
    return pool.has_unclaimed && std::any_of(pool.workers.begin(), pool.workers.end(),
                                             [](const auto& worker) { return worker.state == WorkerState::sleeping; });
  }

  /// Returns after how long to look again at the latest, or nullopt if nothing has a limit. `shortest` is the shortest
  /// time limit of the outstanding tasks, if one has any.
  std::optional<Duration> next_look(const PoolObservation& pool, std::optional<Duration> shortest) {
    std::optional<Duration> next;
    if (should_wake_another(pool)) next = wake_interval;
    for (const WorkerObservation& worker : pool.workers) {
      if (worker.has_process && worker.state == WorkerState::absent) {
        next = shorter(next, left_of(start_timeout_, worker.process_start, pool.now));
      }
    }
    if (!shortest) return next;
    next = shorter(next, shortest);
    for (std::size_t i = 0; i < pool.workers.size(); ++i) {
      if (const auto since = busy_since(i, pool)) next = shorter(next, left_of(*shortest, *since, pool.now));
    }
    return next;
  }

  /// Returns who is late. `timeout_of(number)` tells the time limit of a task: 0 for none, nullopt if its end was
  /// collected already and its worker has not gone on, which `shortest` then limits.
  template <class TimeoutOf>
  std::vector<LateWorker> find_late(const PoolObservation& pool, std::optional<Duration> shortest,
                                    const TimeoutOf& timeout_of) {
    std::vector<LateWorker> late;
    for (std::size_t i = 0; i < pool.workers.size(); ++i) {
      const WorkerObservation& worker = pool.workers[i];
      const bool is_starting = worker.has_process && worker.state == WorkerState::absent;
      if (is_starting && elapsed(worker.process_start, pool.now) > start_timeout_) {
        late.push_back({i, LateWorker::At::start});
        continue;
      }
      if (!shortest) continue;
      const auto since = busy_since(i, pool);
      if (!since || elapsed(*since, pool.now) <= limit_of(worker, *shortest, timeout_of)) continue;
      late.push_back({i, is_starting ? LateWorker::At::stopped : LateWorker::At::task_or_idle, worker.task});
    }
    return late;
  }

  static Duration elapsed(std::uint64_t since, std::uint64_t now) {
    return Duration(now > since ? static_cast<std::int64_t>(now - since) : 0);
  }

  static std::optional<Duration> shorter(std::optional<Duration> a, std::optional<Duration> b) {
    if (!a || !b) return a ? a : b;
    return (std::min)(*a, *b);
  }

 private:
  static constexpr std::chrono::milliseconds wake_interval{2};

  /// What a worker was seen at when it was last observed, and since when.
  struct Watched {
    std::uint64_t at = 0;
    std::uint64_t since = 0;  // 0: nothing
  };

  /// Until a limit is over that runs from `since`, and a little more.
  static Duration left_of(Duration limit, std::uint64_t since, std::uint64_t now) {
    const auto passed = elapsed(since, now);
    if (passed >= limit) return std::chrono::milliseconds(1);
    return std::min<Duration>(limit - passed, std::chrono::hours(1)) + std::chrono::milliseconds(1);
  }

  template <class TimeoutOf>
  static Duration limit_of(const WorkerObservation& worker, Duration shortest, const TimeoutOf& timeout_of) {
    if (!worker.task) return shortest;
    const std::optional<Duration> limit = timeout_of(*worker.task);
    if (!limit) return shortest;
    return *limit > Duration(0) ? *limit : (Duration::max)();
  }

  /// Since when the worker has been at what it is at now: a task, getting ready, or not claiming a task although there
  /// are some.
  std::optional<std::uint64_t> busy_since(std::size_t index, const PoolObservation& pool) {
    const WorkerObservation& worker = pool.workers[index];
    Watched& watched = watched_[index];
    if (!worker.has_process) return std::nullopt;
    if (worker.task) {
      if (worker.task_start) return worker.task_start;
    } else if (worker.state == WorkerState::sleeping || !pool.has_unclaimed) {
      watched = {};
      return std::nullopt;
    }
    // Which task it has, or how many it has had.
    const std::uint64_t at = worker.task ? *worker.task * 2 : worker.last_finished * 2 + 1;
    if (watched.since == 0 || watched.at != at) watched = {at, pool.now};
    return watched.since;
  }

  Duration start_timeout_;
  std::vector<Watched> watched_;
};

}  // namespace ndshm::detail
