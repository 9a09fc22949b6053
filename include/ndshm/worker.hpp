// SPDX-License-Identifier: BSL-1.0
// worker.hpp: the worker's side of a pool: what a worker knows of itself, and the loop in which it takes tasks from the
// board until the pool closes. Includes task_board.hpp, blocks.hpp, process.hpp and platform/, no xtensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <ndshm/blocks.hpp>
#include <ndshm/error.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/process.hpp>
#include <ndshm/task_board.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>

namespace ndshm {

/// What a worker of a pool knows of itself.
struct Worker {
  std::size_t index = 0;        ///< 0 to count - 1; a replacement has the index of the one it replaces
  std::size_t count = 1;        ///< workers of the pool
  bool is_replacement = false;  ///< another process had this index before and died

  /// This worker's share of the indices 0 to size: the shares are disjoint, in order, and together all of it.
  Range share(std::size_t size) const { return share_of(size, index, count); }
};

namespace detail {

/// A pool's jobs and results lie in shared memory as they are.
template <class T>
concept Shareable = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> && alignof(T) <= 64;

template <class Job, class Result>
TaskTypes task_types() {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  };
  add(typeid(Job).name());
  add(" ");
  add(typeid(Result).name());
  if constexpr (std::is_void_v<Result>) {
    return {sizeof(Job), 0, hash};
  } else {
    return {sizeof(Job), sizeof(Result), hash};
  }
}

/// Calls function(job) or function(job, worker).
template <class Function, class Job>
decltype(auto) call_task(Function& function, const Job& job, const Worker& worker) {
  if constexpr (std::is_invocable_v<Function&, const Job&, const Worker&>) {
    return std::invoke(function, job, worker);
  } else {
    return std::invoke(function, job);
  }
}

template <class Function, class Job>
using TaskResult =
    std::decay_t<decltype(call_task(std::declval<Function&>(), std::declval<const Job&>(), std::declval<Worker>()))>;

template <class Job, class Result, class Function>
void run_task(TaskBoard& board, const TaskBoard::Claim& claim, Function& function, const Worker& worker) {
  alignas(Job) std::byte bytes[sizeof(Job)];
  std::memcpy(bytes, board.job(claim.cell), sizeof(Job));
  const Job& job = *std::launder(reinterpret_cast<const Job*>(bytes));
  if constexpr (std::is_void_v<Result>) {
    call_task(function, job, worker);
  } else {
    const Result result = call_task(function, job, worker);
    std::memcpy(board.result(claim.cell), &result, sizeof(Result));
  }
}

/// Does tasks until the board closes. `own` is this worker's bell, `owner` that of the pool.
template <class Job, class Result, class Function>
void serve(TaskBoard& board, const Worker& worker, const os::Bell& own, const os::Bell& owner, Function& function) {
  board.set_state(worker.index, WorkerState::awake);
  owner.ring();  // it may be waited for
  while (!board.is_closing()) {
    const auto claim = board.claim(worker.index);
    if (!claim) {
      if (board.fall_asleep(worker.index)) os::listen(own);
      board.set_state(worker.index, WorkerState::awake);
      continue;
    }
    if (board.wants_start_times()) board.started(worker.index, *claim, os::steady_ns());
    bool ring = false;
    try {
      run_task<Job, Result>(board, *claim, function, worker);
      ring = board.finish(worker.index, *claim, TaskState::done);
    } catch (...) {
      ring = board.finish(worker.index, *claim, TaskState::threw, text_of_current_exception());
    }
    if (ring) owner.ring();
  }
}

}  // namespace detail
}  // namespace ndshm
