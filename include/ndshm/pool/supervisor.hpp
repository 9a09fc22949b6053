// SPDX-License-Identifier: BSL-1.0
// supervisor.hpp: the owner's side of a pool, without the types of jobs and results: posting tasks, waking workers,
// collecting what they did, and dealing with those that die, hang or cannot be started. Includes task_board.hpp,
// segment.hpp and process.hpp, no xtensor.
//
// Everything happens in the thread that calls: there is no helper thread, because a process with threads cannot safely
// fork the replacement of a worker. It sleeps in one place, step(), until a worker rings, ends, or a time limit is
// over.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/pool/task_board.hpp>
#include <ndshm/process/process.hpp>
#include <ndshm/segment/segment.hpp>
#include <optional>
#include <string>
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
  std::size_t index = 0;   ///< of the task, in the order of the jobs
  std::size_t worker = 0;  ///< who had it
  std::uint64_t pid = 0;   ///< the worker's process; 0 for FailureReason::no_worker
  FailureReason reason = FailureReason::threw;
  std::optional<int> signal{};     ///< that ended its worker
  std::optional<int> exit_code{};  ///< with which its worker ended
  /// `std::runtime_error: out of cheese`, `signal 9 (Killed)`, `exit code 3`, `ran longer than 2 s`.
  std::string text;

  /// `task 17: signal 9 (Killed) (worker 2, process 4711)`.
  std::string to_string() const {
    std::string result = "task " + std::to_string(index) + ": " + text;
    if (pid != 0) result += " (worker " + std::to_string(worker) + ", process " + std::to_string(pid) + ")";
    return result;
  }
};

namespace detail {

/// Who is told what becomes of tasks.
class TaskSink {
 public:
  TaskSink() = default;
  TaskSink(const TaskSink&) = delete;
  TaskSink& operator=(const TaskSink&) = delete;
  virtual ~TaskSink() = default;

  virtual void done(std::size_t index, std::size_t worker, const std::byte* result) = 0;
  virtual void failed(TaskFailure failure) = 0;
  virtual void withdrawn(std::size_t index) = 0;

  unsigned attempts = 1;                // how often a task may be given out when its workers die
  std::chrono::nanoseconds timeout{0};  // 0: none
  std::size_t posted = 0;               // tasks that it has to be told of
};

class Supervisor {
 public:
  /// Starts the process of worker `index`, which serves the board and listens to `own`.
  using Start = std::function<Process(std::size_t index, bool is_replacement, const os::WakeEvent& own)>;

  /// Its workers are started by open().
  Supervisor(const TaskTypes& types, std::size_t workers, std::size_t max_replacements,
             std::chrono::nanoseconds start_timeout)
      : types_(types),
        replacements_left_(max_replacements),
        start_timeout_(start_timeout),
        event_(Context("WorkerPool")),
        process_(os::process_id()) {
    if (workers == 0 || workers > TaskBoard::max_workers) {
      throw Error(errc::invalid_argument, "WorkerPool: " + std::to_string(workers) + " workers",
                  "take 1 to " + std::to_string(TaskBoard::max_workers));
    }
    const std::size_t cells = cells_for(types, workers);
    const std::size_t bytes = TaskBoard::bytes_for(types, workers, cells);
    segment_ = Segment::create({}, npy::Header{"|u1", 1, false, {bytes}}, {}, Context("WorkerPool"),
                               [&](std::byte* memory) { TaskBoard::make(memory, types, workers, cells); });
    board_.emplace(TaskBoard::open(segment_->data(), bytes, types));
    cells_.resize(cells);
    outstanding_.reserve(cells);
    for (std::size_t cell = cells; cell-- > 0;) free_.push_back(cell);
    for (std::size_t i = 0; i < workers; ++i) workers_.emplace_back();
    for (Employee& worker : workers_) worker.event = os::WakeEvent(Context("WorkerPool"));
    descriptors_.assign(1 + workers, -1);
    descriptors_[0] = event_.wait_descriptor();
  }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor() { close(); }

  /// Starts the workers. Throws what `start` throws.
  void open(Start start) {
    start_ = std::move(start);
    for (std::size_t i = 0; i < workers_.size(); ++i) employ(i, false);
  }

  /// Waits until every worker has come to its loop. Throws errc::worker_failed when one dies before.
  void await_workers() {
    for (;;) {
      bool all = true;
      for (std::size_t i = 0; i < workers_.size(); ++i) {
        const Employee& worker = workers_[i];
        if (worker.failed_starts > 0 || worker.process.pid() == 0) {
          throw Error(errc::worker_failed,
                      "WorkerPool: worker " + std::to_string(i) + " did not get ready: " + last_end_);
        }
        all = all && board_->state(i) != WorkerState::absent;
      }
      if (all) return;
      step(std::nullopt);
    }
  }

  TaskBoard& board() { return *board_; }
  const Segment& segment() const { return *segment_; }
  const os::WakeEvent& event() const { return event_; }
  std::size_t worker_count() const { return workers_.size(); }
  std::size_t replaced() const { return replaced_; }
  std::vector<std::uint64_t> pids() const {
    std::vector<std::uint64_t> result;
    for (const Employee& worker : workers_) result.push_back(worker.process.pid());
    return result;
  }

  /// Puts one task in line. Where all cells are taken, works until one is free. publish() lets the workers see it. The
  /// caller has asked require_owner(): here it would cost a system call for each task.
  void post(const std::shared_ptr<TaskSink>& sink, std::size_t index, const void* job) {
    while (free_.empty()) {
      publish();
      step(std::nullopt, outstanding_.size() / 2);
    }
    const std::size_t at = free_.back();
    free_.pop_back();
    cells_[at] = {sink, index, 0, 1, sink->timeout};
    ++sink->posted;
    std::memcpy(board_->job(at), job, types_.job_bytes);
    outstanding_.push_back(at);
    if (sink->timeout > no_limit && timed_++ == 0) {
      board_->want_start_times(true);
      for (Employee& worker : workers_) worker.seen_since = 0;
    }
    put_in_line(at);
  }

  void publish() {
    if (unpublished_ == 0) return;
    board_->publish();
    rouse(std::exchange(unpublished_, 0));
  }

  /// Whether a task can be posted without waiting.
  bool has_room() const { return !free_.empty(); }
  /// Tasks that are posted and not collected.
  std::size_t outstanding() const { return outstanding_.size(); }

  /// While tasks come in all the time, deaths and time limits are looked at this often.
  bool is_time_to_look() const { return elapsed(last_look_, os::steady_ns()) > std::chrono::milliseconds(10); }

  /// Sleeps until `enough` tasks are finished, a worker ended, or the limit is over, and deals with it. Returns at once
  /// when a task was finished before.
  void step(std::optional<std::chrono::nanoseconds> limit, std::size_t enough = 1) {
    require_owner();
    publish();
    if (obey_cancel()) return;
    if (number_alive() == 0 && !outstanding_.empty() && !hire_again()) return give_up();
    const std::uint64_t finished = board_->finished();
    const bool collected = collect();
    if (collected && !is_time_to_look()) return;
    // Everything counted up to here was collected: from now on each outstanding task will be counted once.
    enough = std::min(std::max<std::size_t>(1, enough), outstanding_.size());
    const bool sleeps = !collected && (outstanding_.empty() || board_->wake_at(finished + enough));
    os::sleep_until_readable(descriptors_, ready_, sleeps ? shorter(limit, next_look()) : no_limit);
    board_->do_not_wake();
    if (ready_[0]) event_.drain();
    attend();
    obey_cancel();
    look_at_the_slow();
    last_look_ = os::steady_ns();
    collect();
  }

  /// How often cancel() was called, once what it was called for is done.
  std::uint64_t cancels() {
    obey_cancel();
    return cancels_seen_;
  }

  /// From any thread or signal handler: takes back what no worker has begun. A worker that has inherited such a handler
  /// cancels nothing.
  void cancel() noexcept {
    if (os::process_id() != process_) return;
    board_->hold();
    event_.notify();
  }

  /// Takes back what no worker has begun of the tasks of `sink`; what becomes of the others is told to nobody.
  void abandon(const TaskSink& sink) noexcept {
    if (sink.posted == 0) return;
    const auto is_its = [&](const Cell& cell) { return cell.sink.get() == &sink; };
    withdraw_if(is_its);
    for (Cell& cell : cells_) {
      if (is_its(cell)) cell.sink.reset();
    }
  }

  /// Ends the workers: idle ones leave by themselves, those with a task are killed. Tasks in line are withdrawn.
  void close() noexcept {
    if (closed_ || os::process_id() != process_) return;
    closed_ = true;
    withdraw();
    board_->close();
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      Employee& worker = workers_[i];
      worker.event.notify();
      if (board_->running(i) || board_->state(i) == WorkerState::absent) worker.process.kill();
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    for (Employee& worker : workers_) {
      try {
        if (worker.process.pid() == 0) continue;
        const auto left = end - std::chrono::steady_clock::now();
        if (worker.process.wait_for(std::max<std::chrono::nanoseconds>(left, std::chrono::nanoseconds(0))) == nullptr) {
          worker.process.kill();
          worker.process.wait();
        }
      } catch (const Error&) {  // somebody else reaped it: it is gone all the same
      }
    }
    collect();
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      const std::uint64_t pid = workers_[i].pid;
      workers_[i].process = Process();
      descriptors_[1 + i] = -1;
      const auto lost = board_->bury(i);
      const auto position = lost ? position_of(*lost) : std::nullopt;
      if (!position) continue;
      const Cell gone = take_from_line(*position);
      if (gone.sink) gone.sink->failed({gone.index, i, pid, FailureReason::killed, {}, {}, "the pool was closed"});
    }
    start_ = nullptr;  // and what it has captured
    sweep_all();       // what only a worker held
  }

  void require_owner() const {
    if (closed_) throw Error(errc::cancelled, "WorkerPool: the pool has been closed");
    if (os::process_id() == process_) return;
    throw Error(errc::invalid_argument,
                "WorkerPool: this pool belongs to process " + std::to_string(process_) + ", this is process " +
                    std::to_string(os::process_id()),
                "make a pool of its own in each process that needs one");
  }

 private:
  static constexpr std::chrono::nanoseconds no_limit{0};

  struct Cell {
    std::shared_ptr<TaskSink> sink;  // none: nobody wants to know any more
    std::size_t index = 0;
    std::uint64_t number = 0;
    unsigned attempt = 0;
    std::chrono::nanoseconds timeout = no_limit;
  };

  struct Employee {
    Process process;
    std::uint64_t pid = 0;         // of its process, also after that was reaped
    std::uint64_t started_at = 0;  // ns
    os::WakeEvent event;
    std::size_t failed_starts = 0;
    // What it was seen at when it was last looked at, and since when.
    std::uint64_t seen = 0;
    std::uint64_t seen_since = 0;
    std::uint64_t overdue = 0;  // the task for which it was ended
    bool is_late = false;       // it was ended for not getting ready
  };

  static constexpr std::size_t max_failed_starts = 3;  // in a row, of one worker

  /// So many that the workers have enough to do while the owner sleeps, in a few MiB.
  static std::size_t cells_for(const TaskTypes& types, std::size_t workers) {
    const std::size_t each = types.job_bytes + types.result_bytes + TaskBoard::error_bytes;
    return std::max({std::size_t{16}, 4 * workers, std::min<std::size_t>(1024, (std::size_t{4} << 20) / each)});
  }

  static std::optional<std::chrono::nanoseconds> shorter(std::optional<std::chrono::nanoseconds> a,
                                                         std::optional<std::chrono::nanoseconds> b) {
    if (!a || !b) return a ? a : b;
    return std::min(*a, *b);
  }

  void put_in_line(std::size_t at) {
    cells_[at].number = board_->post(at);
    ++unpublished_;
  }

  std::size_t number_alive() const {
    return static_cast<std::size_t>(std::count_if(workers_.begin(), workers_.end(),
                                                  [](const Employee& worker) { return worker.process.pid() != 0; }));
  }

  /// Rings for up to `count` workers that sleep.
  void rouse(std::size_t count) {
    for (std::size_t i = 0; i < workers_.size() && count > 0; ++i) {
      if (!board_->rouse(i)) continue;
      workers_[i].event.notify();
      --count;
    }
  }

  /// Takes what is done out of its cells. True when there was anything.
  bool collect() {
    bool any = false;
    for (std::size_t i = 0; i < outstanding_.size();) {
      const std::size_t at = outstanding_[i];
      const TaskState state = board_->task_state(at);
      if (state == TaskState::posted) {
        ++i;
        continue;
      }
      any = true;
      std::string error = state == TaskState::threw ? board_->error(at) : std::string();
      const std::size_t worker = board_->worker_of(at);
      const Cell cell = take_from_line(i);
      if (!cell.sink) continue;
      if (state == TaskState::done) {
        cell.sink->done(cell.index, worker, board_->result(at));
      } else {
        cell.sink->failed({cell.index, worker, workers_[worker].pid, FailureReason::threw, {}, {}, std::move(error)});
      }
    }
    return any;
  }

  /// Frees the cell outstanding_[i].
  Cell take_from_line(std::size_t i) {
    const std::size_t at = outstanding_[i];
    outstanding_[i] = outstanding_.back();
    outstanding_.pop_back();
    free_.push_back(at);
    Cell cell = std::exchange(cells_[at], {});
    if (cell.timeout > no_limit && --timed_ == 0) board_->want_start_times(false);
    return cell;
  }

  std::optional<std::size_t> position_of(std::uint64_t number) const {
    for (std::size_t i = 0; i < outstanding_.size(); ++i) {
      if (cells_[outstanding_[i]].number == number) return i;
    }
    return std::nullopt;
  }

  bool obey_cancel() noexcept {
    const std::uint64_t cancels = board_->holds();
    if (cancels == cancels_seen_) return false;
    cancels_seen_ = cancels;
    withdraw();
    board_->release(cancels);
    return true;
  }

  void withdraw() noexcept {
    withdraw_if([](const Cell&) { return true; });
  }

  /// Takes all back that no worker has begun, and puts in line again what does not match.
  template <class Matches>
  void withdraw_if(Matches matches) noexcept {
    const auto [first, last] = board_->withdraw();
    unpublished_ = 0;
    for (std::size_t i = 0; i < outstanding_.size();) {
      Cell& cell = cells_[outstanding_[i]];
      const bool in_line = cell.number > first && cell.number <= last;
      if (!matches(cell)) {
        if (in_line) put_in_line(outstanding_[i]);
        ++i;
      } else if (in_line) {
        const Cell taken = take_from_line(i);
        if (taken.sink) taken.sink->withdrawn(taken.index);
      } else {
        ++i;
      }
    }
    publish();
  }

  // ---- workers

  void employ(std::size_t index, bool is_replacement) {
    Employee& worker = workers_[index];
    worker.event.drain();
    worker.seen = worker.seen_since = worker.overdue = 0;
    worker.is_late = false;
    worker.started_at = os::steady_ns();
    worker.process = start_(index, is_replacement, worker.event);
    worker.pid = worker.process.pid();
    descriptors_[1 + index] = worker.process.poll_descriptor();
  }

  /// Looks after the workers whose descriptors say that they may have ended.
  void attend() {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      if (descriptors_[1 + i] < 0 || (!ready_[1 + i] && workers_[i].process.readable_means_ended())) continue;
      if (const auto status = ended(workers_[i].process)) dismiss(i, *status);
    }
  }

  /// How it ended, if it has; somebody else in this program may have reaped it.
  static std::optional<ExitStatus> ended(Process& process) {
    try {
      const ExitStatus* const status = process.poll();
      return status != nullptr ? std::optional<ExitStatus>(*status) : std::nullopt;
    } catch (const Error&) {
      return ExitStatus();
    }
  }

  /// A worker has ended: what it was doing has failed, and another process takes its place.
  void dismiss(std::size_t index, const ExitStatus& status) {
    Employee& worker = workers_[index];
    const bool was_ready = board_->state(index) != WorkerState::absent;
    collect();  // what it has done, also if it died right after that
    const auto lost = board_->bury(index);
    worker.process = Process();
    descriptors_[1 + index] = -1;
    last_end_ = "worker " + std::to_string(index) + " ended with " + status.to_string();
    if (worker.is_late) {
      last_end_ = "worker " + std::to_string(index) +
                  " had not called ndshm::work or come through its initialiser after " +
                  format_seconds(std::chrono::duration<double>(start_timeout_).count());
    }
    worker.failed_starts = was_ready ? 0 : worker.failed_starts + 1;
    if (lost) lose(*lost, index, status);
    replace(index);
    if (number_alive() == 0) give_up();
    // It may have been woken for a task that it did not take.
    if (board_->has_unclaimed()) rouse(workers_.size());
  }

  void lose(std::uint64_t number, std::size_t index, const ExitStatus& status) {
    const auto position = position_of(number);
    if (!position) return;
    const std::size_t at = outstanding_[*position];
    Cell& cell = cells_[at];
    const bool overdue = workers_[index].overdue == number;
    if (cell.sink && cell.attempt < cell.sink->attempts) {
      ++cell.attempt;
      put_in_line(at);
      publish();
      return;
    }
    const Cell gone = take_from_line(*position);
    if (!gone.sink) return;
    const FailureReason reason = overdue           ? FailureReason::timed_out
                                 : status.signal() ? FailureReason::killed
                                                   : FailureReason::exited;
    const std::string text =
        overdue ? "ran longer than " + format_seconds(std::chrono::duration<double>(gone.timeout).count())
                : status.to_string();
    gone.sink->failed({gone.index, index, workers_[index].pid, reason, status.signal(), status.exit_code(), text});
  }

  void replace(std::size_t index) {
    if (closed_) return;
    if (workers_[index].failed_starts >= max_failed_starts) {
      reason_ = last_end_ + ", before it was ready, " + std::to_string(max_failed_starts) + " times in a row";
      return;
    }
    if (replacements_left_ == 0) {
      reason_ = last_end_ + ", and no replacements are left";
      return;
    }
    try {
      employ(index, true);
      --replacements_left_;
      ++replaced_;
    } catch (const Error& error) {
      reason_ = error.what();
    }
  }

  /// There is work and nobody to do it: one more try, for those whose start was refused by the system.
  bool hire_again() {
    for (std::size_t i = 0; i < workers_.size(); ++i) replace(i);
    return number_alive() > 0;
  }

  void give_up() {
    board_->withdraw();
    unpublished_ = 0;
    collect();
    while (!outstanding_.empty()) {
      const Cell cell = take_from_line(0);
      if (cell.sink)
        cell.sink->failed({cell.index, 0, 0, FailureReason::no_worker, {}, {}, "no worker is left: " + reason_});
    }
  }

  // ---- time limits

  /// The shortest time limit of the tasks that are out; none where there is none.
  std::optional<std::chrono::nanoseconds> shortest_timeout() const {
    std::optional<std::chrono::nanoseconds> shortest;
    if (timed_ == 0) return shortest;
    for (const std::size_t at : outstanding_) {
      const auto timeout = cells_[at].timeout;
      if (timeout > no_limit) shortest = shorter(shortest, timeout);
    }
    return shortest;
  }

  /// When step() has to wake up by itself.
  std::optional<std::chrono::nanoseconds> next_look() {
    std::optional<std::chrono::nanoseconds> next;
    // Whoever was woken for a task may be stopped: others that sleep are woken then.
    if (board_->has_unclaimed() && sleeps_anybody()) next = std::chrono::milliseconds(2);
    const std::uint64_t now = os::steady_ns();
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      const Employee& worker = workers_[i];
      if (worker.process.pid() == 0) continue;
      if (!worker.process.readable_means_ended()) next = shorter(next, std::chrono::milliseconds(100));
      if (board_->state(i) == WorkerState::absent)
        next = shorter(next, left_of(start_timeout_, worker.started_at, now));
    }
    const auto timeout = shortest_timeout();
    if (!timeout) return next;
    next = shorter(next, timeout);
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      const auto since = busy_since(i, now);
      if (since) next = shorter(next, left_of(*timeout, *since, now));
    }
    return next;
  }

  static std::chrono::nanoseconds elapsed(std::uint64_t since, std::uint64_t now) {
    return std::chrono::nanoseconds(now > since ? static_cast<std::int64_t>(now - since) : 0);
  }

  /// Until a limit is over that runs from `since`, and a little more.
  static std::chrono::nanoseconds left_of(std::chrono::nanoseconds limit, std::uint64_t since, std::uint64_t now) {
    const auto passed = elapsed(since, now);
    return passed >= limit ? std::chrono::nanoseconds(std::chrono::milliseconds(1))
                           : std::min<std::chrono::nanoseconds>(limit - passed, std::chrono::hours(1)) +
                                 std::chrono::milliseconds(1);
  }

  bool sleeps_anybody() const {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      if (board_->state(i) == WorkerState::sleeping) return true;
    }
    return false;
  }

  /// Since when the worker has been at what it is at now: a task, getting ready, or not taking a task although some are
  /// in line.
  std::optional<std::uint64_t> busy_since(std::size_t index, std::uint64_t now) {
    Employee& worker = workers_[index];
    const WorkerState state = board_->state(index);
    if (worker.process.pid() == 0) return std::nullopt;
    const auto task = board_->running(index);
    if (task) {
      if (const auto start = board_->start_of(index, *task)) return start;
    } else if (state == WorkerState::sleeping || !board_->has_unclaimed()) {
      worker.seen_since = 0;
      return std::nullopt;
    }
    // Which task it has, or how many it has had.
    const std::uint64_t at = task ? *task * 2 : board_->finished_by(index) * 2 + 1;
    if (worker.seen_since == 0 || worker.seen != at) {
      worker.seen = at;
      worker.seen_since = now;
    }
    return worker.seen_since;
  }

  void look_at_the_slow() {
    if (board_->has_unclaimed() && sleeps_anybody()) rouse(1);
    const std::uint64_t now = os::steady_ns();
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      Employee& worker = workers_[i];
      if (worker.process.pid() == 0 || board_->state(i) != WorkerState::absent || worker.is_late) continue;
      if (elapsed(worker.started_at, now) <= start_timeout_) continue;
      worker.is_late = worker.process.kill_if([&] { return board_->state(i) == WorkerState::absent; });
    }
    const auto shortest = shortest_timeout();
    if (!shortest) return;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      const auto since = busy_since(i, now);
      if (!since) continue;
      const auto task = board_->running(i);
      if (elapsed(*since, now) <= (task ? timeout_of(*task, *shortest) : *shortest)) continue;
      // Getting ready has a limit of its own.
      if (board_->state(i) == WorkerState::absent && !workers_[i].process.is_stopped()) continue;
      end_if_still_at(i, task);
    }
  }

  /// That of a task; `otherwise` for one whose result is there already, but whose worker has not gone on.
  std::chrono::nanoseconds timeout_of(std::uint64_t number, std::chrono::nanoseconds otherwise) const {
    const auto position = position_of(number);
    if (!position) return otherwise;
    const auto timeout = cells_[outstanding_[*position]].timeout;
    return timeout > no_limit ? timeout : std::chrono::nanoseconds::max();
  }

  /// Ends a worker for being at `task` (or at none) too long, unless it has gone on meanwhile.
  void end_if_still_at(std::size_t index, std::optional<std::uint64_t> task) {
    Employee& worker = workers_[index];
    worker.process.kill_if([&] { return board_->running(index) == task; });
    if (task) worker.overdue = *task;
  }

  TaskTypes types_;
  std::size_t replacements_left_;
  std::chrono::nanoseconds start_timeout_;
  std::size_t replaced_ = 0;
  std::shared_ptr<Segment> segment_;
  std::optional<TaskBoard> board_;
  os::WakeEvent event_;
  std::uint64_t process_;
  Start start_;
  std::vector<Employee> workers_;
  std::vector<int> descriptors_;  // of the wake-up event and of the workers' processes, for one poll
  std::vector<bool> ready_;
  std::vector<Cell> cells_;
  std::vector<std::size_t> free_;
  std::vector<std::size_t> outstanding_;  // cells that are posted
  std::size_t unpublished_ = 0;
  std::uint64_t last_look_ = 0;  // at deaths and time limits; ns
  std::size_t timed_ = 0;        // outstanding tasks with a time limit
  std::string last_end_;         // who ended last, and how
  std::string reason_;           // why there are not all workers
  std::uint64_t cancels_seen_ = 0;
  bool closed_ = false;
};

}  // namespace detail
}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE
