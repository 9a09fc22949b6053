// SPDX-License-Identifier: BSL-1.0
// work.hpp: work(), by which a program of its own becomes a worker of a pool. Includes worker_loop.hpp, spawn.hpp and
// segment.hpp, no xtensor.
#pragma once

#include <ndshm/core/context.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/pool/task_board.hpp>
#include <ndshm/pool/task_function.hpp>
#include <ndshm/pool/task_types.hpp>
#include <ndshm/pool/worker.hpp>
#include <ndshm/pool/worker_loop.hpp>
#include <ndshm/process/inherited.hpp>
#include <ndshm/segment/attach.hpp>
#include <optional>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// For main() of a program that a WorkerPool starts: `return ndshm::work([&](Range rows) { … });`. Calls the function
/// for each job that this worker is given, until the pool closes, and ends with the pool's process, whatever happens to
/// that. The function is like that of a WorkerPool, and takes and returns what the pool's Job and Result are. Attach
/// the arrays before: inherited(0) and its like. Call it once, at the end of main(): the pool gives a worker one second
/// to end after its last task. Returns the exit code: 0, or Process::exception_exit_code if this process was not
/// started by a WorkerPool, or by one with other types; why reaches the pool as text, or is printed where there is
/// none. Throws: nothing.
template <class Function>
int work(Function function) {
  using Job = typename TaskJob<Function>::type;
  using Result = typename TaskResult<Function>::type;
  return run_main([&] {
    namespace os = detail::os;
    using detail::Assignment;
    const detail::Context context("work");
    const Assignment assignment = Assignment::of_this_process(context);
    os::exit_with_parent(os::inherited_descriptor(Assignment::owner_process), assignment.owner, context);
    os::leave_interrupts_to_parent();
    const auto segment = detail::attach_segment(
        os::open_descriptor(os::inherited_descriptor(Assignment::board), detail::Access::read_write, context), context);
    auto board = detail::TaskBoard::open(segment->data(), segment->data_bytes(), detail::task_types<Job, Result>());
    const os::WakeEvent own(os::inherited_descriptor(Assignment::own_event), -1);
    const os::WakeEvent owner(-1, os::inherited_descriptor(Assignment::owner_event));
    detail::serve<Job, Result>(board, assignment.worker, own, owner, function);
  });
}

}  // namespace ndshm
