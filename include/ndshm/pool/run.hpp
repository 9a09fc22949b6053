// SPDX-License-Identifier: BSL-1.0
// run.hpp: one run() or map() of a pool from its first job to its report, without the types of jobs and results.
// Includes supervisor.hpp and options.hpp, no xtensor.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <ndshm/core/config.hpp>
#include <ndshm/pool/options.hpp>
#include <ndshm/pool/progress_state.hpp>
#include <ndshm/pool/report.hpp>
#include <ndshm/pool/supervisor.hpp>
#include <ndshm/pool/task_queue.hpp>
#include <optional>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

inline void configure(TaskSink& sink, const RunOptions& options) {
  sink.attempts = options.idempotent ? (std::max)(1U, options.max_attempts) : 1;
  sink.timeout = options.task_timeout;
}

/// What is told of the tasks of one run.
class RunSink final : public TaskSink {
 public:
  void done(std::size_t index, std::size_t worker, const std::byte* result) override {
    --posted;
    ++report.done;
    ++report.done_by[worker];
    if (keep) keep(index, result);
  }
  void failed(TaskFailure failure) override {
    --posted;
    ++report.failed;
    if (report.failures.size() < max_failures) report.failures.push_back(std::move(failure));
  }
  void withdrawn(std::size_t) override {
    --posted;
    ++report.cancelled;
  }

  RunReport report;
  std::size_t max_failures = 0;
  std::function<void(std::size_t, const std::byte*)> keep;
};

class Run {
 public:
  using Keep = std::function<void(std::size_t index, const std::byte* result)>;

  /// `total` is how many jobs there will be, where that is known. `keep` is given the result of each task. Throws:
  /// errc::cancelled if the pool was closed, errc::invalid_argument in a process that did not make it.
  Run(Supervisor& pool, const RunOptions& options, std::optional<std::size_t> total, Keep keep)
      : pool_(pool), options_(options), sink_(std::make_shared<RunSink>()) {
    pool_.require_owner();
    configure(*sink_, options);
    sink_->report.done_by.resize(pool_.worker_count());
    sink_->keep = std::move(keep);
    sink_->max_failures = options.max_failures;
    progress_.total = total;
    if (options.progress) limit_ = progress_interval;
    replaced_before_ = pool_.replaced();
    cancels_ = pool_.cancels();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  /// Whatever has thrown (the jobs, the progress callback): nobody is told any more of the tasks of this run.
  ~Run() { pool_.abandon(*sink_); }

  /// Hands out the next job. Returns false if the run was cancelled.
  bool post(const void* job) {
    while (!pool_.has_room() && pool_.cancels() == cancels_) {
      pool_.step(limit_, pool_.outstanding() / 2);
      show(false);
    }
    if (pool_.cancels() != cancels_) {
      sink_->report.cancelled += progress_.total ? *progress_.total - posted_ : 1;
      return false;
    }
    pool_.post(sink_, posted_++, job);
    if (posted_ % publish_every != 0 && Clock::now() - last_published_ < publish_after) return true;
    pool_.publish();
    last_published_ = Clock::now();
    if (pool_.is_time_to_look()) {  // the jobs come slowly, or the workers are fast
      pool_.step(std::chrono::nanoseconds(0));
      show(false);
    }
    return true;
  }

  /// Waits until all tasks are over, and returns what became of them. Called once.
  RunReport finish() {
    while (sink_->posted > 0) {
      pool_.step(limit_, sink_->posted == pool_.outstanding() ? sink_->posted : 1);
      show(false);
    }
    RunReport& report = sink_->report;
    std::sort(report.failures.begin(), report.failures.end(),
              [](const TaskFailure& a, const TaskFailure& b) { return a.index < b.index; });
    report.replaced = pool_.replaced() - replaced_before_;
    report.elapsed = Clock::now() - start_;
    show(true);
    return std::move(report);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds progress_interval{100};
  static constexpr std::size_t publish_every = 32;
  static constexpr std::chrono::milliseconds publish_after{1};

  void show(bool is_over) {
    const auto now = Clock::now();
    if (!options_.progress || (!is_over && now - last_shown_ < progress_interval)) return;
    last_shown_ = now;
    progress_.done = sink_->report.done;
    progress_.failed = sink_->report.failed;
    progress_.elapsed = now - start_;
    progress_.is_over = is_over;
    options_.progress(progress_);
  }

  Supervisor& pool_;
  const RunOptions& options_;
  std::shared_ptr<RunSink> sink_;
  Progress progress_;
  std::optional<std::chrono::nanoseconds> limit_;  // of one step, so that progress is shown
  std::size_t posted_ = 0;
  std::size_t replaced_before_ = 0;
  std::uint64_t cancels_ = 0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_shown_ = start_;
  Clock::time_point last_published_ = start_;
};

}  // namespace ndshm::detail
