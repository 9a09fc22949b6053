// SPDX-License-Identifier: BSL-1.0
// report.hpp: what became of the tasks of a run, and the error that says so. Includes the standard library and
// error.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ndshm/core/error.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// Why a task was not done.
enum class FailureReason {
  threw,      ///< the function threw: the worker goes on
  killed,     ///< a signal ended its worker
  exited,     ///< its worker called exit(), or ended in a way that cannot be known
  timed_out,  ///< it ran longer than it may; its worker was ended
  no_worker   ///< there was no worker left to do it, and none could be started
};

/// One task that was not done.
struct TaskFailure {
  std::size_t index = 0;                        ///< of the task, in the order of the jobs
  std::size_t worker = 0;                       ///< the index of the worker that had it
  std::uint64_t pid = 0;                        ///< the worker's process; 0 for FailureReason::no_worker
  FailureReason reason = FailureReason::threw;  ///< what happened
  std::optional<int> signal{};                  ///< that ended its worker
  std::optional<int> exit_code{};               ///< with which its worker ended
  /// `std::runtime_error: out of cheese`, `signal 9 (Killed)`, `exit code 3`, `ran longer than 2 s`.
  std::string text{};

  /// Returns `task 17: signal 9 (Killed) (worker 2, process 4711)`.
  std::string to_string() const {
    std::string result = "task " + std::to_string(index) + ": " + text;
    if (pid != 0) result += " (worker " + std::to_string(worker) + ", process " + std::to_string(pid) + ")";
    return result;
  }
};

/// What became of the tasks of a run.
struct RunReport {
  std::size_t done = 0;                 ///< tasks
  std::size_t failed = 0;               ///< tasks
  std::vector<TaskFailure> failures{};  ///< the first RunOptions::max_failures of them, in the order of the jobs
  std::size_t cancelled = 0;            ///< never begun, because of cancel(); 1 more where the jobs cannot be counted
  std::vector<std::size_t> done_by{};   ///< how many of them each worker did
  std::size_t replaced = 0;             ///< workers that died and were replaced
  std::chrono::nanoseconds elapsed{0};  ///< how long the run took

  /// Returns whether every task was done.
  bool success() const noexcept { return failed == 0 && cancelled == 0; }
};

/// Thrown when tasks were not done: errc::task_failed, or errc::cancelled.
class NDSHM_VISIBLE TaskError : public Error {
 public:
  /// Makes the error of a run.
  TaskError(errc code, std::string_view facts, RunReport report)
      : Error(code, facts), report_(std::make_shared<const RunReport>(std::move(report))) {}

  /// Returns what became of all tasks of the run.
  const RunReport& report() const noexcept { return *report_; }

 private:
  std::shared_ptr<const RunReport> report_;
};

/// What try_map returns: a result for each job, none for those that failed.
template <class Result>
struct MapReport : RunReport {
  std::vector<std::optional<Result>> results;  ///< in the order of the jobs
};

namespace detail {

/// `run: 3 of 20 tasks failed; task 4: signal 9 (Killed) (worker 1, process 4711)`
inline TaskError error_for(RunReport report) {
  const std::size_t all = report.done + report.failed + report.cancelled;
  const std::string of_all = " of " + std::to_string(all) + " tasks";
  std::string facts = "run: ";
  if (report.cancelled > 0) facts += "cancelled after " + std::to_string(all - report.cancelled) + of_all;
  if (report.cancelled > 0 && report.failed > 0) facts += ", ";
  if (report.failed > 0) facts += std::to_string(report.failed) + of_all + " failed";
  if (!report.failures.empty()) facts += "; " + report.failures.front().to_string();
  const errc code = report.cancelled > 0 ? errc::cancelled : errc::task_failed;
  return {code, facts, std::move(report)};
}

}  // namespace detail

}  // namespace ndshm
