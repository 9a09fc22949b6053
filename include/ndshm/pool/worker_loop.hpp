// SPDX-License-Identifier: BSL-1.0
// worker_loop.hpp: the loop in which a worker does tasks until its pool closes, whether it was forked or spawned.
// Includes task_board.hpp, task_function.hpp and process.hpp, no xtensor.
#pragma once

#include <cstring>
#include <ndshm/platform/platform.hpp>
#include <ndshm/pool/task_board.hpp>
#include <ndshm/pool/task_function.hpp>
#include <ndshm/pool/task_types.hpp>
#include <ndshm/pool/worker.hpp>
#include <ndshm/process/run.hpp>
#include <type_traits>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

template <class Job, class Result, class Function>
void run_task(TaskBoard& board, const TaskBoard::Claim& claim, Function& function, const Worker& worker) {
  const Job job = read_as<Job>(board.job(claim.cell));
  if constexpr (std::is_void_v<Result>) {
    call_task(function, job, worker);
  } else {
    const Result result = call_task(function, job, worker);
    std::memcpy(board.result(claim.cell), &result, sizeof(Result));
  }
}

/// Does tasks until the board closes. `own` is this worker's event, `owner` that of the pool.
template <class Job, class Result, class Function>
void serve(TaskBoard& board, const Worker& worker, const os::WakeEvent& own, const os::WakeEvent& owner,
           Function& function) {
  board.set_state(worker.index, WorkerState::awake);
  owner.notify();  // it may be waiting for this worker to become ready
  while (!board.is_closing()) {
    const auto claim = board.claim(worker.index);
    if (!claim) {
      if (board.fall_asleep(worker.index)) os::wait(own);
      board.set_state(worker.index, WorkerState::awake);
      continue;
    }
    if (board.wants_start_times()) board.record_start(worker.index, *claim, os::steady_ns());
    bool notify = false;
    try {
      run_task<Job, Result>(board, *claim, function, worker);
      notify = board.finish(worker.index, *claim, TaskState::done);
    } catch (...) {
      notify = board.finish(worker.index, *claim, TaskState::threw, text_of_current_exception());
    }
    if (notify) owner.notify();
  }
}

}  // namespace ndshm::detail
