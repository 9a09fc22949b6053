// SPDX-License-Identifier: BSL-1.0
// pending_task.hpp: the result of a task that may still run. Includes supervisor.hpp and report.hpp, no xtensor.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <ndshm/core/config.hpp>
#include <ndshm/pool/report.hpp>
#include <ndshm/pool/supervisor.hpp>
#include <ndshm/pool/task_queue.hpp>
#include <ndshm/pool/task_types.hpp>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

namespace detail {

/// The task of one submit().
template <class Result>
class PendingSink final : public TaskSink {
 public:
  using Value = std::conditional_t<std::is_void_v<Result>, std::monostate, Result>;

  void done(std::size_t, std::size_t, const std::byte* result) override {
    if constexpr (!std::is_void_v<Result>) {
      value.emplace(read_as<Result>(result));
    } else {
      value.emplace();
    }
    --posted;
  }
  void failed(TaskFailure what) override {
    failure = std::move(what);
    --posted;
  }
  void withdrawn(std::size_t) override { --posted; }

  std::optional<Value> value;
  std::optional<TaskFailure> failure;
};

}  // namespace detail

/// The result of a task that may still run; what submit() returns. Movable. Waiting for it keeps the pool going.
template <class Result>
class PendingTask {
 public:
  /// Waits for the task and returns its result. Can be called again. Throws: TaskError: errc::task_failed, or
  /// errc::cancelled if the pool was closed or cancelled before the task began.
  Result get() {
    wait();
    if (sink_->value) {
      if constexpr (std::is_void_v<Result>) {
        return;
      } else {
        return *sink_->value;
      }
    }
    RunReport report;
    if (sink_->failure) {
      report.failures.push_back(*sink_->failure);
      report.failed = 1;
    } else {
      report.cancelled = 1;
    }
    throw detail::error_for(std::move(report));
  }

  /// Waits for the task, whatever becomes of it. Throws: errc::invalid_argument in a process that did not make the
  /// pool.
  void wait() {
    while (sink_->posted > 0) supervisor_->step(std::nullopt);
  }

  /// Waits for the task, but no longer than the limit. Returns whether it is over. Throws: as wait().
  bool wait_for(std::chrono::nanoseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (sink_->posted > 0) {
      const auto left = end - std::chrono::steady_clock::now();
      supervisor_->step(std::max<std::chrono::nanoseconds>(left, std::chrono::nanoseconds(0)));
      if (left <= std::chrono::nanoseconds(0)) break;
    }
    return sink_->posted == 0;
  }

 private:
  template <class Job, class R>
  friend class WorkerPool;
  using Sink = detail::PendingSink<Result>;

  PendingTask(std::shared_ptr<detail::Supervisor> supervisor, std::shared_ptr<Sink> sink)
      : supervisor_(std::move(supervisor)), sink_(std::move(sink)) {}

  std::shared_ptr<detail::Supervisor> supervisor_;
  std::shared_ptr<Sink> sink_;
};

}  // namespace ndshm
