// SPDX-License-Identifier: BSL-1.0
// workers.hpp: the worker processes of a pool, as processes: starting, waking, killing, reaping and retiring them, and
// sleeping until one of them has something to tell. Knows nothing of tasks. Includes process.hpp and platform/.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/process/process.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// The end of a worker's process.
struct WorkerExit {
  std::size_t worker;
  ExitStatus status;
};

class Workers {
 public:
  using Duration = std::chrono::nanoseconds;

  /// Starts the process of worker `index`, which waits for `own`.
  using Start = std::function<Process(std::size_t index, bool is_replacement, const os::WakeEvent& own)>;

  /// No process is started before start(). Throws: errc::system_error if there can be no wake-up events.
  explicit Workers(std::size_t count)
      : event_(Context("WorkerPool")), workers_(count), descriptors_(1 + count, -1), ready_(1 + count) {
    for (Entry& worker : workers_) worker.event = os::WakeEvent(Context("WorkerPool"));
    descriptors_[0] = event_.wait_descriptor();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void set_start(Start start) { start_ = std::move(start); }

  std::size_t count() const noexcept { return workers_.size(); }
  std::size_t count_alive() const {
    return static_cast<std::size_t>(
        std::count_if(workers_.begin(), workers_.end(), [](const Entry& worker) { return worker.process.pid() != 0; }));
  }
  /// Returns the process id, or 0 if there is no process just now.
  std::uint64_t pid(std::size_t index) const { return workers_[index].process.pid(); }
  bool is_alive(std::size_t index) const { return pid(index) != 0; }
  /// Returns when the process was started, by the steady clock, in ns.
  std::uint64_t started_at(std::size_t index) const { return workers_[index].started_at; }

  /// The event by which workers wake the owner.
  const os::WakeEvent& owner_event() const noexcept { return event_; }

  /// Starts a process in the place of this worker. Throws: what the function given to set_start() throws.
  void start(std::size_t index, bool is_replacement) {
    Entry& worker = workers_[index];
    worker.event.drain();
    worker.started_at = os::steady_ns();
    worker.process = start_(index, is_replacement, worker.event);
    descriptors_[1 + index] = worker.process.poll_descriptor();
  }

  void wake(std::size_t index) const noexcept { workers_[index].event.notify(); }

  /// Sleeps until a worker wakes the owner, a process may have ended, a signal was handled, or the limit is over.
  void sleep(std::optional<Duration> limit) {
    for (const Entry& worker : workers_) {
      // Whose end wakes nobody has to be looked at now and then.
      if (worker.process.pid() == 0 || worker.process.readable_means_ended()) continue;
      limit = std::min<Duration>(limit.value_or(poll_interval), poll_interval);
    }
    os::sleep_until_readable(descriptors_, ready_, limit);
    if (ready_[0]) event_.drain();
  }

  /// Returns the processes that have ended, as far as the last sleep() has seen it, each of them once. A process that
  /// somebody else in this program has reaped has an exit status that tells nothing.
  std::vector<WorkerExit> reap() {
    std::vector<WorkerExit> exits;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      if (descriptors_[1 + i] < 0 || (!ready_[1 + i] && workers_[i].process.readable_means_ended())) continue;
      auto status = exit_status(workers_[i].process);
      if (!status) continue;
      remove(i);
      exits.push_back({i, std::move(*status)});
    }
    return exits;
  }

  /// Kills the process if it is still at something: stops it, asks, and kills it or lets it go on. Returns whether it
  /// was killed.
  template <class IsStillAtIt>
  bool kill_if(std::size_t index, IsStillAtIt is_still_at_it) {
    return workers_[index].process.kill_if(is_still_at_it);
  }
  void kill(std::size_t index) noexcept { workers_[index].process.kill(); }
  bool is_stopped(std::size_t index) const noexcept { return workers_[index].process.is_stopped(); }

  /// Waits until all processes have ended, and kills those that have not after `limit`. None is started any more.
  void retire(Duration limit) noexcept {
    const auto end = std::chrono::steady_clock::now() + limit;
    for (Entry& worker : workers_) {
      try {
        if (worker.process.pid() == 0) continue;
        const auto left = end - std::chrono::steady_clock::now();
        if (worker.process.wait_for(std::max<Duration>(left, Duration(0))) == nullptr) {
          worker.process.kill();
          worker.process.wait();
        }
      } catch (const Error&) {  // somebody else reaped it: it has ended all the same
      }
    }
    for (std::size_t i = 0; i < workers_.size(); ++i) remove(i);
    start_ = nullptr;  // and what it has captured
  }

 private:
  static constexpr std::chrono::milliseconds poll_interval{100};

  struct Entry {
    Process process;
    std::uint64_t started_at = 0;  // ns
    os::WakeEvent event;
  };

  /// Returns how the process ended, or nullopt if it has not.
  static std::optional<ExitStatus> exit_status(Process& process) {
    try {
      const ExitStatus* const status = process.poll();
      return status != nullptr ? std::optional<ExitStatus>(*status) : std::nullopt;
    } catch (const Error&) {
      return ExitStatus();
    }
  }

  void remove(std::size_t index) noexcept {
    workers_[index].process = Process();
    descriptors_[1 + index] = -1;
  }

  os::WakeEvent event_;
  Start start_;
  std::vector<Entry> workers_;
  std::vector<int> descriptors_;  // of the owner's event and of the workers' processes, for one poll
  std::vector<bool> ready_;
};

}  // namespace ndshm::detail
