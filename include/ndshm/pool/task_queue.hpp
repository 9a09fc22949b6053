// SPDX-License-Identifier: BSL-1.0
// task_queue.hpp: the owner's side of tasks: which of them are outstanding, in which cells of the board, and who is
// told what becomes of each. Each task is told to its sink exactly once. Knows the board and no process: whom to wake
// and who has died is the supervisor's business. Includes task_board.hpp and report.hpp; no operating system.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <ndshm/core/config.hpp>
#include <ndshm/pool/report.hpp>
#include <ndshm/pool/task_board.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

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

class TaskQueue {
 public:
  static constexpr std::chrono::nanoseconds no_limit{0};

  /// A queue of up to board.cells() tasks. The board has to outlive it.
  TaskQueue(TaskBoard& board, std::size_t job_bytes)
      : board_(board), job_bytes_(job_bytes), pids_(board.workers()), cells_(board.cells()) {
    outstanding_.reserve(cells_.size());
    for (std::size_t cell = cells_.size(); cell-- > 0;) free_.push_back(cell);
  }
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  /// From now on failures of this worker name this process.
  void on_start(std::size_t worker, std::uint64_t pid) { pids_[worker] = pid; }

  /// Returns whether there is a free cell.
  bool has_room() const { return !free_.empty(); }
  /// Returns how many tasks are posted and not collected.
  std::size_t outstanding() const { return outstanding_.size(); }

  /// Enqueues one task, in a free cell; publish() shows it to the workers. Returns whether it is the first outstanding
  /// task with a time limit.
  bool post(const std::shared_ptr<TaskSink>& sink, std::size_t index, const void* job) {
    const std::size_t at = free_.back();
    free_.pop_back();
    cells_[at] = {sink, index, 0, 1, sink->timeout};
    ++sink->posted;
    std::memcpy(board_.job(at), job, job_bytes_);
    outstanding_.push_back(at);
    const bool is_first_timed = sink->timeout > no_limit && timed_++ == 0;
    if (is_first_timed) board_.want_start_times(true);
    enqueue(at);
    return is_first_timed;
  }

  /// Shows the workers what was posted. Returns how many of them to wake: one for each task.
  [[nodiscard]] std::size_t publish() noexcept {
    if (unpublished_ == 0) return 0;
    board_.publish();
    return std::exchange(unpublished_, 0);
  }

  /// Dequeues what is over and tells the sinks. Returns whether there was anything.
  bool collect() {
    bool any = false;
    for (std::size_t i = 0; i < outstanding_.size();) {
      const std::size_t at = outstanding_[i];
      const TaskState state = board_.task_state(at);
      if (state == TaskState::posted) {
        ++i;
        continue;
      }
      any = true;
      std::string error = state == TaskState::threw ? board_.error(at) : std::string();
      const std::size_t worker = board_.worker_of(at);
      const Cell cell = dequeue(i);
      if (!cell.sink) continue;
      if (state == TaskState::done) {
        cell.sink->done(cell.index, worker, board_.result(at));
      } else {
        cell.sink->failed({cell.index, worker, pids_[worker], FailureReason::threw, {}, {}, std::move(error)});
      }
    }
    return any;
  }

  /// Withdraws all that no worker has begun.
  void withdraw() noexcept {
    withdraw_if([](const Cell&) { return true; });
  }

  /// Withdraws what no worker has begun of the tasks of `sink`; nobody is told what becomes of the others. Returns
  /// how many workers to wake, because the tasks of others were published anew.
  [[nodiscard]] std::size_t abandon(const TaskSink& sink) noexcept {
    if (sink.posted == 0) return 0;
    const auto is_its = [&](const Cell& cell) { return cell.sink.get() == &sink; };
    withdraw_if(is_its);
    for (Cell& cell : cells_) {
      if (is_its(cell)) cell.sink.reset();
    }
    return publish();
  }

  /// Enqueues the task with this number again, after the death of its worker. Returns false if it is not outstanding,
  /// nobody wants to know of it, or it has had all of its attempts.
  bool requeue(std::uint64_t number) {
    const auto position = position_of(number);
    if (!position) return false;
    Cell& cell = cells_[outstanding_[*position]];
    if (!cell.sink || cell.attempt >= cell.sink->attempts) return false;
    ++cell.attempt;
    enqueue(outstanding_[*position]);
    return true;
  }

  /// Dequeues the task with this number, if it is outstanding, as one that failed; the failure's index and process are
  /// filled in here.
  void fail(std::uint64_t number, TaskFailure failure) {
    const auto position = position_of(number);
    if (!position) return;
    failure.pid = pids_[failure.worker];
    fail_at(*position, std::move(failure));
  }

  /// Withdraws what no worker has begun and fails all that is outstanding and not over, because no worker is left.
  void fail_all(const std::string& text) {
    board_.withdraw();
    unpublished_ = 0;
    collect();
    while (!outstanding_.empty()) fail_at(0, {0, 0, 0, FailureReason::no_worker, {}, {}, text});
  }

  /// Returns the time limit of the task with this number, which may be no_limit, or nullopt if it is not outstanding.
  std::optional<std::chrono::nanoseconds> timeout_of(std::uint64_t number) const {
    const auto position = position_of(number);
    if (!position) return std::nullopt;
    return cells_[outstanding_[*position]].timeout;
  }

  /// Returns the shortest time limit of the outstanding tasks, or nullopt if none has one.
  std::optional<std::chrono::nanoseconds> shortest_timeout() const {
    std::optional<std::chrono::nanoseconds> shortest;
    if (timed_ == 0) return shortest;
    for (const std::size_t at : outstanding_) {
      const auto timeout = cells_[at].timeout;
      if (timeout > no_limit && (!shortest || timeout < *shortest)) shortest = timeout;
    }
    return shortest;
  }

  /// Withdraws what no worker has begun, if the board was paused since the last call, and lets it go on. Returns
  /// whether it was.
  bool obey_pauses() noexcept {
    const std::uint64_t pauses = board_.pauses();
    if (pauses == pauses_seen_) return false;
    pauses_seen_ = pauses;
    withdraw();
    board_.resume(pauses);
    return true;
  }
  /// Returns how many pauses were obeyed.
  std::uint64_t pauses_seen() const noexcept { return pauses_seen_; }

 private:
  struct Cell {
    std::shared_ptr<TaskSink> sink;  // none: nobody wants to know any more
    std::size_t index = 0;
    std::uint64_t number = 0;
    unsigned attempt = 0;
    std::chrono::nanoseconds timeout = no_limit;
  };

  void enqueue(std::size_t at) {
    cells_[at].number = board_.post(at);
    ++unpublished_;
  }

  /// Frees the cell outstanding_[i].
  Cell dequeue(std::size_t i) {
    const std::size_t at = outstanding_[i];
    outstanding_[i] = outstanding_.back();
    outstanding_.pop_back();
    free_.push_back(at);
    Cell cell = std::exchange(cells_[at], {});
    if (cell.timeout > no_limit && --timed_ == 0) board_.want_start_times(false);
    return cell;
  }

  void fail_at(std::size_t position, TaskFailure failure) {
    const Cell cell = dequeue(position);
    if (!cell.sink) return;
    failure.index = cell.index;
    cell.sink->failed(std::move(failure));
  }

  std::optional<std::size_t> position_of(std::uint64_t number) const {
    for (std::size_t i = 0; i < outstanding_.size(); ++i) {
      if (cells_[outstanding_[i]].number == number) return i;
    }
    return std::nullopt;
  }

  /// Withdraws all that no worker has begun, and enqueues again what does not match.
  template <class Matches>
  void withdraw_if(Matches matches) noexcept {
    const auto [first, last] = board_.withdraw();
    unpublished_ = 0;
    for (std::size_t i = 0; i < outstanding_.size();) {
      Cell& cell = cells_[outstanding_[i]];
      const bool was_withdrawn = cell.number > first && cell.number <= last;
      if (!was_withdrawn) {
        ++i;
      } else if (!matches(cell)) {
        enqueue(outstanding_[i++]);
      } else {
        const Cell withdrawn = dequeue(i);
        if (withdrawn.sink) withdrawn.sink->withdrawn(withdrawn.index);
      }
    }
  }

  TaskBoard& board_;
  std::size_t job_bytes_;
  std::vector<std::uint64_t> pids_;  // of the workers' present or last processes
  std::vector<Cell> cells_;
  std::vector<std::size_t> free_;
  std::vector<std::size_t> outstanding_;  // cells that are posted
  std::size_t unpublished_ = 0;
  std::size_t timed_ = 0;  // outstanding tasks with a time limit
  std::uint64_t pauses_seen_ = 0;
};

}  // namespace ndshm::detail
