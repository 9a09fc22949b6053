// SPDX-License-Identifier: BSL-1.0
// supervisor.hpp: the loop that connects a pool's tasks, its worker processes and their time limits, which know nothing
// of one another. Without the types of jobs and results. Includes task_queue.hpp, workers.hpp, time_limits.hpp and
// segment.hpp, no xtensor.
//
// Everything happens in the thread that calls: there is no helper thread, because a process with threads cannot safely
// fork the replacement of a worker. It sleeps in one place, step(), until a worker notifies it or ends, or a time limit
// is over.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/npy_header.hpp>
#include <ndshm/format/segment_layout.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/pool/report.hpp>
#include <ndshm/pool/task_board.hpp>
#include <ndshm/pool/task_queue.hpp>
#include <ndshm/pool/task_types.hpp>
#include <ndshm/pool/time_limits.hpp>
#include <ndshm/pool/workers.hpp>
#include <ndshm/process/process.hpp>
#include <ndshm/segment/create.hpp>
#include <ndshm/segment/segment.hpp>
#include <ndshm/segment/sweep.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

class Supervisor {
 public:
  /// Its workers are started by open(). Throws: errc::invalid_argument for a number of workers that cannot be,
  /// errc::out_of_memory.
  Supervisor(const TaskTypes& types, std::size_t workers, std::size_t max_replacements,
             std::chrono::nanoseconds start_timeout)
      : process_(os::process_id()),
        segment_(make_segment(types, workers)),
        board_(TaskBoard::open(segment_->data(), segment_->data_bytes(), types)),
        queue_(board_, types.job_bytes),
        workers_(workers),
        limits_(workers, start_timeout),
        lives_(workers),
        observations_(workers),
        replacements_left_(max_replacements),
        start_timeout_(start_timeout) {}
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor() { close(); }

  /// Starts the workers. Throws: what `start` throws.
  void open(Workers::Start start) {
    workers_.set_start(std::move(start));
    for (std::size_t i = 0; i < workers_.count(); ++i) this->start(i, false);
  }

  /// Waits until every worker is ready. Throws: errc::worker_failed if one dies before.
  void await_workers() {
    for (;;) {
      bool all = true;
      for (std::size_t i = 0; i < workers_.count(); ++i) {
        if (lives_[i].failed_starts > 0 || !workers_.is_alive(i)) {
          throw Error(errc::worker_failed,
                      "WorkerPool: worker " + std::to_string(i) + " did not become ready: " + last_exit_);
        }
        all = all && board_.state(i) != WorkerState::absent;
      }
      if (all) return;
      step(std::nullopt);
    }
  }

  TaskBoard& board() { return board_; }
  const Segment& segment() const { return *segment_; }
  const os::WakeEvent& event() const { return workers_.owner_event(); }
  std::size_t worker_count() const { return workers_.count(); }
  std::size_t replaced() const { return replaced_; }
  std::vector<std::uint64_t> pids() const {
    std::vector<std::uint64_t> result;
    for (std::size_t i = 0; i < workers_.count(); ++i) result.push_back(workers_.pid(i));
    return result;
  }

  /// Enqueues one task. Where all cells are in use, works until one is free. publish() shows it to the workers. The
  /// caller has called require_owner(): here it would cost a system call for each task.
  void post(const std::shared_ptr<TaskSink>& sink, std::size_t index, const void* job) {
    while (!queue_.has_room()) step(std::nullopt, queue_.outstanding() / 2);
    if (queue_.post(sink, index, job)) limits_.forget();
  }

  void publish() { wake(queue_.publish()); }

  /// Returns whether a task can be posted without waiting.
  bool has_room() const { return queue_.has_room(); }
  /// Returns how many tasks are posted and not collected.
  std::size_t outstanding() const { return queue_.outstanding(); }

  /// While tasks come in all the time, deaths and time limits are looked at this often.
  bool is_time_to_look() const {
    return TimeLimits::elapsed(last_look_, os::steady_ns()) > std::chrono::milliseconds(10);
  }

  /// Sleeps until `enough` tasks are finished, a worker has ended, or the limit is over, and deals with it. Returns at
  /// once if a task was finished before.
  void step(std::optional<std::chrono::nanoseconds> limit, std::size_t enough = 1) {
    require_owner();
    publish();
    if (queue_.obey_pauses()) return;
    if (workers_.count_alive() == 0 && queue_.outstanding() > 0 && !start_again()) return give_up();
    const std::uint64_t finished = board_.finished();
    const bool collected = queue_.collect();
    if (collected && !is_time_to_look()) return;
    // Everything counted up to here was collected: from now on each outstanding task will be counted once.
    enough = (std::min)(std::max<std::size_t>(1, enough), queue_.outstanding());
    const bool sleeps = !collected && (queue_.outstanding() == 0 || board_.wake_at(finished + enough));
    workers_.sleep(sleeps ? TimeLimits::shorter(limit, limits_.next_look(observe(), queue_.shortest_timeout()))
                          : std::chrono::nanoseconds(0));
    board_.do_not_wake();
    handle_exits();
    queue_.obey_pauses();
    enforce_limits();
    last_look_ = os::steady_ns();
    queue_.collect();
  }

  /// Returns how often cancel() was called, once what it was called for is done.
  std::uint64_t cancels() {
    queue_.obey_pauses();
    return queue_.pauses_seen();
  }

  /// From any thread or signal handler: withdraws what no worker has begun. A worker that has inherited such a handler
  /// cancels nothing.
  void cancel() noexcept {
    if (os::process_id() != process_) return;
    board_.pause();
    event().notify();
  }

  /// Withdraws what no worker has begun of the tasks of `sink`; nobody is told what becomes of the others.
  void abandon(const TaskSink& sink) noexcept { wake(queue_.abandon(sink)); }

  /// Retires the workers: idle ones end by themselves, those with a task are killed. What none has begun is withdrawn.
  void close() noexcept {
    if (closed_ || os::process_id() != process_) return;
    closed_ = true;
    queue_.withdraw();
    board_.close();
    for (std::size_t i = 0; i < workers_.count(); ++i) {
      workers_.wake(i);
      if (board_.running(i) || board_.state(i) == WorkerState::absent) workers_.kill(i);
    }
    workers_.retire(std::chrono::seconds(1));
    queue_.collect();
    for (std::size_t i = 0; i < workers_.count(); ++i) {
      const auto lost = board_.on_exit(i);
      if (lost) queue_.fail(*lost, {0, i, 0, FailureReason::killed, {}, {}, "the pool was closed"});
    }
    sweep_all();  // what only a worker held
  }

  /// Throws: errc::cancelled if the pool was closed, errc::invalid_argument in a process that did not make it.
  void require_owner() const {
    if (closed_) throw Error(errc::cancelled, "WorkerPool: the pool has been closed");
    if (os::process_id() == process_) return;
    throw Error(errc::invalid_argument,
                "WorkerPool: this pool belongs to process " + std::to_string(process_) + ", this is process " +
                    std::to_string(os::process_id()),
                "create a pool in each process that needs one");
  }

 private:
  /// What is remembered of a worker from one of its processes to the next.
  struct Life {
    std::size_t failed_starts = 0;  // in a row
    std::uint64_t overdue = 0;      // the task for which its process was ended
    bool is_late = false;           // it was ended for not getting ready
  };

  static constexpr std::size_t max_failed_starts = 3;

  static std::shared_ptr<Segment> make_segment(const TaskTypes& types, std::size_t workers) {
    if (workers == 0 || workers > TaskBoard::max_workers) {
      throw Error(errc::invalid_argument, "WorkerPool: " + std::to_string(workers) + " workers",
                  "use 1 to " + std::to_string(TaskBoard::max_workers));
    }
    // So many cells that the workers have enough to do while the owner sleeps, in a few MiB.
    const std::size_t each = types.job_bytes + types.result_bytes + TaskBoard::error_bytes;
    const std::size_t cells =
        (std::max)({std::size_t{16}, 4 * workers, std::min<std::size_t>(1024, (std::size_t{4} << 20) / each)});
    const std::size_t bytes = TaskBoard::bytes_for(types, workers, cells);
    return create_segment(
        {}, npy::Header{"|u1", 1, false, {bytes}}, {}, Context("WorkerPool"),
        [&](std::byte* memory, const SegmentLayout&) { TaskBoard::make(memory, types, workers, cells); });
  }

  /// Wakes up to `count` workers that sleep.
  void wake(std::size_t count) noexcept {
    for (std::size_t i = 0; i < workers_.count() && count > 0; ++i) {
      if (!board_.mark_notified(i)) continue;
      workers_.wake(i);
      --count;
    }
  }

  // ---- starts and exits

  void start(std::size_t index, bool is_replacement) {
    limits_.forget(index);
    lives_[index].overdue = 0;
    lives_[index].is_late = false;
    workers_.start(index, is_replacement);
    queue_.on_start(index, workers_.pid(index));
  }

  void handle_exits() {
    const std::vector<WorkerExit> exits = workers_.reap();
    if (exits.empty()) return;
    queue_.collect();  // what they have done, also if they died right after that
    for (const WorkerExit& exit : exits) on_exit(exit);
    if (workers_.count_alive() == 0) give_up();
    // Who has ended may have been woken for a task that it did not take.
    if (board_.has_unclaimed()) wake(workers_.count());
  }

  /// What the worker was doing has failed, and another process takes its place.
  void on_exit(const WorkerExit& exit) {
    Life& life = lives_[exit.worker];
    const bool was_ready = board_.state(exit.worker) != WorkerState::absent;
    const auto lost = board_.on_exit(exit.worker);
    const std::string who = "worker " + std::to_string(exit.worker);
    last_exit_ = life.is_late ? who + " had not called ndshm::work or come through its initialiser after " +
                                    seconds(start_timeout_)
                              : who + " ended with " + exit.status.to_string();
    life.failed_starts = was_ready ? 0 : life.failed_starts + 1;
    if (lost) on_lost(*lost, exit);
    restart(exit.worker);
  }

  void on_lost(std::uint64_t task, const WorkerExit& exit) {
    if (queue_.requeue(task)) return publish();
    TaskFailure failure{0, exit.worker, 0, FailureReason::exited, exit.status.signal(), exit.status.exit_code(), {}};
    const auto limit = queue_.timeout_of(task);
    if (lives_[exit.worker].overdue == task && limit) {
      failure.reason = FailureReason::timed_out;
      failure.text = "ran longer than " + seconds(*limit);
    } else {
      if (failure.signal) failure.reason = FailureReason::killed;
      failure.text = exit.status.to_string();
    }
    queue_.fail(task, std::move(failure));
  }

  void restart(std::size_t index) {
    if (lives_[index].failed_starts >= max_failed_starts) {
      why_none_ = last_exit_ + ", before it was ready, " + std::to_string(max_failed_starts) + " times in a row";
      return;
    }
    if (replacements_left_ == 0) {
      why_none_ = last_exit_ + ", and no replacements are left";
      return;
    }
    try {
      start(index, true);
      --replacements_left_;
      ++replaced_;
    } catch (const Error& error) {
      why_none_ = error.what();
    }
  }

  /// There is work and nobody to do it: one more try, for those whose start was refused by the system.
  bool start_again() {
    for (std::size_t i = 0; i < workers_.count(); ++i) restart(i);
    return workers_.count_alive() > 0;
  }

  void give_up() { queue_.fail_all("no worker is left: " + why_none_); }

  // ---- time limits

  PoolObservation observe() {
    PoolObservation pool{os::steady_ns(), false, observations_};
    for (std::size_t i = 0; i < observations_.size(); ++i) {
      WorkerObservation& worker = observations_[i];
      worker.has_process = workers_.is_alive(i);
      worker.state = board_.state(i);
      worker.process_start = workers_.started_at(i);
      worker.task = board_.running(i);
      worker.task_start = worker.task ? board_.start_of(i, *worker.task) : std::nullopt;
      worker.last_finished = board_.finished_by(i);
    }
    pool.has_unclaimed = board_.has_unclaimed();  // last: who has claimed the last task meanwhile is not idle
    return pool;
  }

  void enforce_limits() {
    const PoolObservation pool = observe();
    if (TimeLimits::should_wake_another(pool)) wake(1);
    const auto timeout_of = [&](std::uint64_t task) { return queue_.timeout_of(task); };
    for (const LateWorker& late : limits_.find_late(pool, queue_.shortest_timeout(), timeout_of)) end(late);
  }

  /// Ends a worker that is late, unless it has gone on meanwhile.
  void end(const LateWorker& late) {
    const std::size_t i = late.worker;
    Life& life = lives_[i];
    if (late.at == LateWorker::At::start) {
      if (life.is_late) return;
      life.is_late = workers_.kill_if(i, [&] { return board_.state(i) == WorkerState::absent; });
      return;
    }
    if (late.at == LateWorker::At::stopped && !workers_.is_stopped(i)) return;
    workers_.kill_if(i, [&] { return board_.running(i) == late.task; });
    if (late.task) life.overdue = *late.task;
  }

  static std::string seconds(std::chrono::nanoseconds duration) {
    return format_seconds(std::chrono::duration<double>(duration).count());
  }

  std::uint64_t process_;
  std::shared_ptr<Segment> segment_;
  TaskBoard board_;
  TaskQueue queue_;
  Workers workers_;
  TimeLimits limits_;
  std::vector<Life> lives_;
  std::vector<WorkerObservation> observations_;
  std::size_t replacements_left_;
  std::chrono::nanoseconds start_timeout_;
  std::size_t replaced_ = 0;
  std::uint64_t last_look_ = 0;  // at deaths and time limits; ns
  std::string last_exit_;        // who ended last, and how
  std::string why_none_;         // why there are not all workers
  bool closed_ = false;
};

}  // namespace ndshm::detail
