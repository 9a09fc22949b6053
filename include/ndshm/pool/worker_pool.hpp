// SPDX-License-Identifier: BSL-1.0
// worker_pool.hpp: WorkerPool<Job, Result>, worker processes that take tasks until all are done, whatever happens to
// one of them. Includes run.hpp, pending_task.hpp, worker_loop.hpp and spawn.hpp, no xtensor.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/pool/options.hpp>
#include <ndshm/pool/pending_task.hpp>
#include <ndshm/pool/report.hpp>
#include <ndshm/pool/run.hpp>
#include <ndshm/pool/supervisor.hpp>
#include <ndshm/pool/task_function.hpp>
#include <ndshm/pool/task_types.hpp>
#include <ndshm/pool/worker.hpp>
#include <ndshm/pool/worker_loop.hpp>
#include <ndshm/process/fork.hpp>
#include <ndshm/process/spawn.hpp>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

namespace detail {

inline constexpr std::size_t max_shared_bytes = std::size_t{64} * 1024;

template <class Result>
inline constexpr std::size_t size_of_result = sizeof(Result);
template <>
inline constexpr std::size_t size_of_result<void> = 0;

/// What a range-based for takes: arrays, lists, containers, and what has begin() and end() in its namespace.
template <class Jobs>
concept Iterable = requires(Jobs& jobs) {
  std::begin(jobs);
  std::end(jobs);
}
|| requires(Jobs& jobs) {
  begin(jobs);
  end(jobs);
};

/// What `for (auto&& job : jobs)` yields.
template <class Jobs>
decltype(auto) first_of(Jobs& jobs) {
  using std::begin;
  return *begin(jobs);
}

template <class Jobs, class Job>
concept JobsOf = std::convertible_to<decltype(first_of(std::declval<Jobs&>())), Job>;

}  // namespace detail

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
/// Destroying a pool never hangs: tasks that no worker has begun are dropped, workers that are at a task are killed.
///
/// To be used by one thread at a time, except for cancel(). Deaths and time limits are dealt with while that thread is
/// in run(), map(), or waits for a PendingTask; workers go on with what was submitted meanwhile. An interrupt from the
/// terminal (Ctrl-C) is ignored by the workers, so that this process alone decides what it means: by default it ends,
/// and the workers with it; a handler may call cancel().
template <class Job, class Result = void>
class WorkerPool {
  static_assert(
      detail::Shareable<Job>,
      "ndshm: a job is copied through shared memory: it has to be trivially copyable, and not a pointer; an index, a "
      "Range or a struct of numbers is");
  static_assert(sizeof(Job) <= detail::max_shared_bytes && detail::size_of_result<Result> <= detail::max_shared_bytes,
                "ndshm: a job or result of more than 64 KiB; put it into a SharedArray, and let the job be its index");
  static_assert(std::is_void_v<Result> || detail::Shareable<std::conditional_t<std::is_void_v<Result>, int, Result>>,
                "ndshm: a result is copied through shared memory: it has to be trivially copyable, and not a pointer");

 public:
  using job_type = Job;
  using result_type = Result;

  /// Forks the workers. Throws: errc::multithreaded if other threads run (see PoolOptions::allow_threads),
  /// errc::out_of_memory, errc::invalid_argument for a number of workers that cannot be, errc::worker_failed if
  /// first_touch fails.
  template <class Function>
  WorkerPool(std::size_t workers, Function function, PoolOptions options = {})
      : supervisor_(std::make_shared<detail::Supervisor>(detail::task_types<Job, Result>(), workers,
                                                         options.max_replacements, options.start_timeout)) {
    static_assert(std::is_same_v<typename TaskResult<Function, Job>::type, Result>,
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
  /// Throws: what spawn() throws, errc::out_of_memory, errc::invalid_argument for a number of workers that cannot be or
  /// for functions in the options.
  WorkerPool(std::size_t workers, WorkerProgram program, PoolOptions options = {})
      : supervisor_(std::make_shared<detail::Supervisor>(detail::task_types<Job, Result>(), workers,
                                                         options.max_replacements, options.start_timeout)) {
    if (options.initialise || options.first_touch) {
      throw Error(errc::invalid_argument, "WorkerPool: a worker program cannot call functions of this program",
                  "call them in its main(), before ndshm::work()");
    }
    supervisor_->open([supervisor = supervisor_.get(),
                       watch = std::make_shared<detail::os::ParentWatch>(detail::Context("WorkerPool")),
                       program = std::move(program)](std::size_t index, bool is_replacement,
                                                     const detail::os::WakeEvent& own) {
      using detail::Assignment;
      const Assignment assignment{{index, supervisor->worker_count(), is_replacement}, detail::os::process_id()};
      std::vector<int> descriptors(Assignment::descriptors);
      descriptors[Assignment::board] = supervisor->segment().object().descriptor();
      descriptors[Assignment::own_event] = own.wait_descriptor();
      descriptors[Assignment::owner_event] = supervisor->event().notify_descriptor();
      descriptors[Assignment::owner_process] = watch->descriptor();
      return detail::spawn(program.path, program.arguments, program.handles, program.options,
                           {std::move(descriptors), {{Assignment::variable, assignment.to_string()}}, watch->job()});
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
  /// of them. A free worker takes the next job. The jobs are read as they are needed: 10,000,000 blocks take no more
  /// memory than 1,000. Returns what became of them. Throws: TaskError, after all others are over, if a task failed or
  /// the run was cancelled; errc::cancelled if the pool was closed; errc::invalid_argument in a process that did not
  /// make it; what the jobs and the progress callback throw.
  template <class Jobs = std::initializer_list<Job>>
  RunReport run(Jobs&& jobs, const RunOptions& options = {}) {
    return checked(try_run(jobs, options));
  }

  /// Does the same, but failed tasks are only reported. Throws: as run(), but for TaskError.
  template <class Jobs = std::initializer_list<Job>>
  RunReport try_run(Jobs&& jobs, const RunOptions& options = {}) {
    return run_with(jobs, options, {});
  }

  /// Returns the results of all jobs, in the order of the jobs. Throws: as run().
  template <class Jobs = std::initializer_list<Job>>
  std::vector<Result> map(Jobs&& jobs, const RunOptions& options = {}) requires(!std::is_void_v<Result>) {
    MapReport<Result> report = try_map(jobs, options);
    checked(report);
    std::vector<Result> results;
    results.reserve(report.results.size());
    for (const std::optional<Result>& result : report.results) results.push_back(*result);
    return results;
  }

  /// Returns the same, with nothing in place of the results of failed tasks. Throws: as run(), but for TaskError.
  template <class Jobs = std::initializer_list<Job>>
  MapReport<Result> try_map(Jobs&& jobs, const RunOptions& options = {}) requires(!std::is_void_v<Result>) {
    MapReport<Result> report;
    const auto keep = [&](std::size_t index, const std::byte* bytes) {
      if (index >= report.results.size()) report.results.resize(index + 1);
      report.results[index].emplace(detail::read_as<Result>(bytes));
    };
    static_cast<RunReport&>(report) = run_with(jobs, options, keep);
    const std::size_t tasks = report.done + report.failed + report.cancelled;
    report.results.resize((std::max)(tasks, report.results.size()));
    return report;
  }

  /// Hands out one task and returns at once, unless very many are outstanding. It is done also while nobody waits for
  /// it. Returns what to wait for. Throws: errc::cancelled if the pool was closed, errc::invalid_argument in a process
  /// that did not make it.
  PendingTask<Result> submit(const Job& job, const RunOptions& options = {}) {
    supervisor().require_owner();
    auto sink = std::make_shared<detail::PendingSink<Result>>();
    detail::configure(*sink, options);
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

  /// Returns how many workers the pool was made with. Throws: errc::invalid_argument if it was moved from.
  std::size_t worker_count() const { return supervisor().worker_count(); }

  /// Returns the process ids of the workers, by their index, with 0 where there is none just now. Throws:
  /// errc::invalid_argument if the pool was moved from.
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

  static RunReport checked(RunReport report) {
    if (report.success()) return report;
    throw detail::error_for(std::move(report));
  }

  template <class Jobs>
  RunReport run_with(Jobs& jobs, const RunOptions& options, detail::Run::Keep keep) {
    constexpr bool is_range = detail::Iterable<Jobs>;
    static_assert(
        is_range,
        "ndshm: run takes a range of jobs: pool.run(ndshm::blocks(n, size)), a vector or a list; so does map; "
        "a single job is for pool.submit(job)");
    if constexpr (is_range) {
      constexpr bool has_jobs = detail::JobsOf<Jobs, Job>;
      static_assert(
          has_jobs,
          "ndshm: the elements of this range are not jobs of this pool: they do not convert to its Job, which "
          "is what its function takes");
      if constexpr (has_jobs) {
        std::optional<std::size_t> total;
        if constexpr (requires { std::size(jobs); }) total = static_cast<std::size_t>(std::size(jobs));
        detail::Run run(supervisor(), options, total, std::move(keep));
        for (auto&& each : jobs) {
          const Job job = each;
          if (!run.post(&job)) break;
        }
        return run.finish();
      }
    }
    return {};
  }

  std::shared_ptr<detail::Supervisor> supervisor_;
};

template <class Function>
WorkerPool(std::size_t, Function, PoolOptions = {})
    -> WorkerPool<typename TaskJob<Function>::type, typename TaskResult<Function>::type>;

}  // namespace ndshm
