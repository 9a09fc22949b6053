// SPDX-License-Identifier: BSL-1.0
// worker_pool.hpp: WorkerPool<Job, Result>, worker processes that take tasks until all are done, whatever happens to
// one of them. Includes supervisor.hpp, worker.hpp and progress.hpp, no xtensor.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/format/handle.hpp>
#include <ndshm/pool/blocks.hpp>
#include <ndshm/pool/progress.hpp>
#include <ndshm/pool/supervisor.hpp>
#include <ndshm/pool/work.hpp>
#include <ndshm/process/process.hpp>
#include <ndshm/process/spawn.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// Of a pool.
struct PoolOptions {
  /// Called once in each worker before its first task, in replacements too: to attach arrays, to seed a generator. What
  /// it and the pool's function capture by reference are, in each worker, variables of its own.
  std::function<void(const Worker&)> initialise = {};

  /// Called once for each worker after `initialise`, but not in replacements; the pool's constructor waits until all
  /// are through. For filling an array by the workers that will use it: `worker.share(rows)` are this worker's own
  /// indices. The pages of an array of Reserve::lazy lie near the processor that touches them first; those of another
  /// one near the processor that created it.
  std::function<void(const Worker&)> first_touch = {};

  /// How many workers that died are replaced in the pool's lifetime. One that dies three times in a row before it was
  /// ready is not replaced any more.
  std::size_t max_replacements = 1000;

  /// How long a worker may take until it is ready: until `initialise` and `first_touch` are through, or a WorkerProgram
  /// has called work(). One that takes longer is killed, and counts as one that died before it was ready.
  std::chrono::nanoseconds start_timeout = std::chrono::minutes(1);

  /// Forks workers even though other threads run. See ForkOptions.
  bool allow_threads = false;
};

/// A program whose processes are the workers of a pool: its main() attaches what it needs and calls work().
struct WorkerProgram {
  std::filesystem::path path;  ///< as for spawn(); this_program() is this one again
  std::vector<std::string> arguments{};
  std::vector<Handle> handles{};  ///< inherited(0), inherited(1), … there; keep their arrays as long as the pool
  SpawnOptions options{};
};

/// Of one run.
struct RunOptions {
  /// A task may be done twice without harm: if its worker dies it is given out again, up to max_attempts times in all.
  bool idempotent = false;
  unsigned max_attempts = 3;

  /// How long a task may run; its worker is then ended and replaced, also when it was stopped. 0: for ever.
  std::chrono::nanoseconds task_timeout{0};

  /// See Progress, and progress_bar().
  ProgressCallback progress = {};

  /// How many failures are kept in RunReport::failures, the first ones; all of them are counted.
  std::size_t max_failures = 1000;
};

/// What became of the tasks of a run.
struct RunReport {
  std::size_t done = 0;
  std::size_t failed = 0;
  std::vector<TaskFailure> failures;  ///< of the first RunOptions::max_failures that failed, in the order of the jobs
  std::size_t cancelled = 0;          ///< never begun, because of cancel(); 1 more where the jobs cannot be counted
  std::vector<std::size_t> done_by;   ///< how many of them each worker did
  std::size_t replaced = 0;           ///< workers that died and were replaced
  std::chrono::nanoseconds elapsed{0};

  /// Every task was done.
  bool success() const noexcept { return failed == 0 && cancelled == 0; }
};

/// Thrown when tasks were not done: errc::task_failed, or errc::cancelled.
class TaskError : public Error {
 public:
  TaskError(errc code, std::string_view facts, RunReport report)
      : Error(code, facts), report_(std::make_shared<const RunReport>(std::move(report))) {}

  /// What became of all tasks of the run.
  const RunReport& report() const noexcept { return *report_; }

 private:
  std::shared_ptr<const RunReport> report_;
};

/// What try_map returns: a result for each job, none for those that failed.
template <class Result>
struct MapReport : RunReport {
  std::vector<std::optional<Result>> results;
};

namespace detail {

inline constexpr std::size_t max_shared_bytes = std::size_t{64} * 1024;

template <class Result>
inline constexpr std::size_t size_of_result = sizeof(Result);
template <>
inline constexpr std::size_t size_of_result<void> = 0;

/// The tasks of one run() or map().
class RunSink final : public TaskSink {
 public:
  explicit RunSink(std::size_t workers) { report.done_by.resize(workers); }

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

/// The result of a task that may still run; what submit() returns. Movable. Waiting for it keeps the pool going.
template <class Result>
class PendingTask {
 public:
  /// Waits for the task and returns its result. Can be called again.
  /// Throws TaskError: errc::task_failed, or errc::cancelled when the pool was closed or cancelled before it began.
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

  void wait() {
    while (sink_->posted > 0) supervisor_->step(std::nullopt);
  }

  /// Whether the task is over; waits for it as long as the limit says.
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

/// Worker processes that call one function for each job.
///
///   WorkerPool pool(4, [&](Range rows) { xt::view(weights, xt::range(rows.begin, rows.end)) = 1.0; });
///   pool.run(blocks(2000, 100));
///
/// Job     what the function takes: any trivially copyable type
/// Result  what it returns: void, or any trivially copyable type
///
/// The workers are forked from this process, so the function may use every array (and everything else) that exists when
/// the pool is made; what it writes outside of shared memory stays in its worker. It may take a `const Worker&` as a
/// second parameter.
///
/// What holds whatever happens: a worker that is killed, crashes or calls exit() fails only the task that it was at,
/// and is replaced. A task that throws is reported with type and text, and its worker goes on. Each task is done or
/// reported exactly once. No lock is shared by the workers. When this process ends, however it ends, the workers end.
/// Destroying a pool never hangs: tasks in line are dropped, workers that are at a task are killed.
///
/// To be used by one thread at a time, except for cancel(). Deaths and time limits are dealt with while that thread is
/// in run(), map(), or waits for a PendingTask; workers go on with what was submitted meanwhile. An interrupt from the
/// terminal (Ctrl-C) is ignored by the workers, so that this process alone decides what it means: by default it ends,
/// and the workers with it; a handler may call cancel().
template <class Job, class Result = void>
class WorkerPool {
  static_assert(
      detail::Shareable<Job>,
      "ndshm: a job is copied through shared memory: it has to be trivially copyable and no pointer; an index, a "
      "Range or a struct of numbers is");
  static_assert(sizeof(Job) <= detail::max_shared_bytes && detail::size_of_result<Result> <= detail::max_shared_bytes,
                "ndshm: a job or result of more than 64 KiB; put it into a SharedArray, and let the job be its index");
  static_assert(std::is_void_v<Result> || detail::Shareable<std::conditional_t<std::is_void_v<Result>, int, Result>>,
                "ndshm: a result is copied through shared memory: it has to be trivially copyable and no pointer");

 public:
  using job_type = Job;
  using result_type = Result;

  /// Forks the workers. Throws errc::multithreaded while other threads run (see PoolOptions::allow_threads),
  /// errc::out_of_memory, errc::invalid_argument, and errc::worker_failed when first_touch fails.
  template <class Function>
  WorkerPool(std::size_t workers, Function function, PoolOptions options = {})
      : supervisor_(std::make_shared<detail::Supervisor>(detail::task_types<Job, Result>(), workers,
                                                         options.max_replacements, options.start_timeout)) {
    static_assert(std::is_same_v<detail::TaskResult<Function, Job>, Result>,
                  "ndshm: the function does not take a Job and return a Result of this WorkerPool<Job, Result>");
    const bool waits = static_cast<bool>(options.first_touch);
    supervisor_->open([supervisor = supervisor_.get(),
                       watch = std::make_shared<detail::os::ParentWatch>(detail::Context("WorkerPool")),
                       function = std::move(function), options = std::move(options)](
                          std::size_t index, bool is_replacement, const detail::os::WakeEvent& own) mutable {
      const Worker worker{index, supervisor->worker_count(), is_replacement};
      const std::uint64_t parent = detail::os::process_id();
      return ndshm::fork(
          [&] {
            watch->close_in_child();
            detail::os::exit_with_parent(watch->descriptor(), parent, detail::Context("WorkerPool"));
            detail::os::leave_interrupts_to_parent();
            if (options.initialise) options.initialise(worker);
            if (options.first_touch && !is_replacement) options.first_touch(worker);
            detail::serve<Job, Result>(supervisor->board(), worker, own, supervisor->event(), function);
          },
          {.allow_threads = options.allow_threads});
    });
    if (waits) supervisor_->await_workers();
  }

  /// Starts a program of its own for each worker, which calls work() with a function that takes a Job and returns a
  /// Result. It shares nothing but what it is handed, so other threads may run here. For WorkerPool<Job, Result>(…).
  /// Throws what spawn() throws, errc::out_of_memory and errc::invalid_argument.
  WorkerPool(std::size_t workers, WorkerProgram program, PoolOptions options = {})
      : supervisor_(std::make_shared<detail::Supervisor>(detail::task_types<Job, Result>(), workers,
                                                         options.max_replacements, options.start_timeout)) {
    if (options.initialise || options.first_touch) {
      throw Error(errc::invalid_argument, "WorkerPool: a program cannot be given functions of this one",
                  "call them in its main(), before ndshm::work()");
    }
    supervisor_->open([supervisor = supervisor_.get(),
                       watch = std::make_shared<detail::os::ParentWatch>(detail::Context("WorkerPool")),
                       program = std::move(program)](std::size_t index, bool is_replacement,
                                                     const detail::os::WakeEvent& own) {
      using detail::Employment;
      const Employment employment{{index, supervisor->worker_count(), is_replacement}, detail::os::process_id()};
      std::vector<int> descriptors(Employment::descriptors);
      descriptors[Employment::board] = supervisor->segment().descriptor();
      descriptors[Employment::own_event] = own.wait_descriptor();
      descriptors[Employment::owner_event] = supervisor->event().notify_descriptor();
      descriptors[Employment::owner_process] = watch->descriptor();
      return detail::spawn(program.path, program.arguments, program.handles, program.options,
                           {std::move(descriptors), {{Employment::variable, employment.to_string()}}, watch->job()});
    });
  }

  WorkerPool(WorkerPool&&) noexcept = default;
  WorkerPool& operator=(WorkerPool&& other) noexcept {
    if (this != &other) {
      close();
      supervisor_ = std::move(other.supervisor_);
    }
    return *this;
  }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() { close(); }

  /// Does a task for each job of a range (blocks(), tiles(), a vector, anything that can be iterated) and waits for all
  /// of them. Whoever is free takes the next job. The jobs are read as they are needed: 10,000,000 blocks take no more
  /// memory than 1,000. Throws TaskError, after all others are over, when a task failed or the run was cancelled.
  template <class Jobs = std::initializer_list<Job>>
  RunReport run(Jobs&& jobs, const RunOptions& options = {}) {
    return checked(try_run(jobs, options));
  }

  /// The same, but failed tasks are only reported.
  template <class Jobs = std::initializer_list<Job>>
  RunReport try_run(Jobs&& jobs, const RunOptions& options = {}) {
    return run_with(jobs, options, {});
  }

  /// The results of all jobs, in the order of the jobs. Throws TaskError when one of them failed.
  template <class Jobs = std::initializer_list<Job>>
  std::vector<Result> map(Jobs&& jobs, const RunOptions& options = {}) requires(!std::is_void_v<Result>) {
    MapReport<Result> report = try_map(jobs, options);
    checked(report);
    std::vector<Result> results;
    results.reserve(report.results.size());
    for (const std::optional<Result>& result : report.results) results.push_back(*result);
    return results;
  }

  /// The same, with nothing in place of the results of failed tasks.
  template <class Jobs = std::initializer_list<Job>>
  MapReport<Result> try_map(Jobs&& jobs, const RunOptions& options = {}) requires(!std::is_void_v<Result>) {
    MapReport<Result> report;
    const auto keep = [&](std::size_t index, const std::byte* bytes) {
      if (index >= report.results.size()) report.results.resize(index + 1);
      report.results[index].emplace(detail::read_as<Result>(bytes));
    };
    static_cast<RunReport&>(report) = run_with(jobs, options, keep);
    const std::size_t tasks = report.done + report.failed + report.cancelled;
    report.results.resize(std::max(tasks, report.results.size()));
    return report;
  }

  /// Hands out one task and returns at once, unless very many are in line. It is done also while nobody waits for it.
  PendingTask<Result> submit(const Job& job, const RunOptions& options = {}) {
    supervisor().require_owner();
    auto sink = std::make_shared<detail::PendingSink<Result>>();
    configure(*sink, options);
    supervisor().cancels();  // one that came before does not concern it
    supervisor().post(sink, 0, &job);
    supervisor().publish();
    return {supervisor_, std::move(sink)};
  }

  /// From any thread, or from a signal handler: the tasks that no worker has begun are dropped, and run() returns as
  /// soon as those are over that have. What comes later is not concerned.
  void cancel() noexcept {
    if (supervisor_) supervisor_->cancel();
  }

  std::size_t worker_count() const { return supervisor().worker_count(); }

  /// The processes of the workers, by their index; 0 where there is none just now.
  std::vector<std::uint64_t> pids() const { return supervisor().pids(); }

  /// Ends the workers, as the destructor does; PendingTasks that are not done are cancelled.
  void close() noexcept {
    if (supervisor_) supervisor_->close();
  }

 private:
  detail::Supervisor& supervisor() const {
    if (!supervisor_) throw Error(errc::invalid_argument, "WorkerPool: it has been moved from");
    return *supervisor_;
  }

  static void configure(detail::TaskSink& sink, const RunOptions& options) {
    sink.attempts = options.idempotent ? std::max(1U, options.max_attempts) : 1;
    sink.timeout = options.task_timeout;
  }

  static RunReport checked(RunReport report) {
    if (report.success()) return report;
    throw detail::error_for(std::move(report));
  }

  template <class Jobs>
  RunReport run_with(Jobs& jobs, const RunOptions& options, std::function<void(std::size_t, const std::byte*)> keep) {
    detail::Supervisor& pool = supervisor();
    pool.require_owner();
    const auto start = std::chrono::steady_clock::now();
    const std::size_t replaced_before = pool.replaced();
    auto sink = std::make_shared<detail::RunSink>(pool.worker_count());
    configure(*sink, options);
    sink->keep = std::move(keep);
    sink->max_failures = options.max_failures;
    // Whatever throws here (the jobs, the progress callback), its tasks are told to nobody any more.
    struct Abandon {
      detail::Supervisor& pool;
      detail::RunSink& sink;
      ~Abandon() { pool.abandon(sink); }
    } abandon{pool, *sink};

    Progress progress;
    if constexpr (requires { std::size(jobs); }) progress.total = static_cast<std::size_t>(std::size(jobs));
    auto last_shown = start;
    const auto show = [&](bool is_over) {
      const auto now = std::chrono::steady_clock::now();
      if (!options.progress || (!is_over && now - last_shown < progress_interval)) return;
      last_shown = now;
      progress.done = sink->report.done;
      progress.failed = sink->report.failed;
      progress.elapsed = now - start;
      progress.is_over = is_over;
      options.progress(progress);
    };
    const std::optional<std::chrono::nanoseconds> limit =
        options.progress ? std::optional<std::chrono::nanoseconds>(progress_interval) : std::nullopt;

    const std::uint64_t cancels = pool.cancels();
    std::size_t taken = 0;
    auto last_published = start;
    for (auto&& each : jobs) {
      const Job job = each;
      while (!pool.has_room() && pool.cancels() == cancels) {
        pool.step(limit, pool.outstanding() / 2);
        show(false);
      }
      if (pool.cancels() != cancels) {
        sink->report.cancelled += progress.total ? *progress.total - taken : 1;
        break;
      }
      pool.post(sink, taken++, &job);
      if (taken % publish_every != 0 && std::chrono::steady_clock::now() - last_published < publish_after) continue;
      pool.publish();
      last_published = std::chrono::steady_clock::now();
      if (pool.is_time_to_look()) {  // the jobs come slowly, or the workers are fast
        pool.step(std::chrono::nanoseconds(0));
        show(false);
      }
    }
    while (sink->posted > 0) {
      pool.step(limit, sink->posted == pool.outstanding() ? sink->posted : 1);
      show(false);
    }
    std::sort(sink->report.failures.begin(), sink->report.failures.end(),
              [](const TaskFailure& a, const TaskFailure& b) { return a.index < b.index; });
    sink->report.replaced = pool.replaced() - replaced_before;
    sink->report.elapsed = std::chrono::steady_clock::now() - start;
    show(true);
    return std::move(sink->report);
  }

  static constexpr std::chrono::milliseconds progress_interval{100};
  static constexpr std::size_t publish_every = 32;
  static constexpr std::chrono::milliseconds publish_after{1};

  std::shared_ptr<detail::Supervisor> supervisor_;
};

template <class Function>
WorkerPool(std::size_t, Function, PoolOptions = {})
    -> WorkerPool<detail::JobOf<Function>, detail::TaskResult<Function, detail::JobOf<Function>>>;

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE
