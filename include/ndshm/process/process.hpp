// SPDX-License-Identifier: BSL-1.0
// process.hpp: Process, which owns a child process, and ExitStatus, which says how it ended. Includes platform/, no
// xtensor.
#pragma once

#include <chrono>
#include <cstdint>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/platform.hpp>
#include <optional>
#include <string>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

namespace detail {
struct ProcessAccess;  // how fork() and spawn() make a Process
}  // namespace detail

/// How a child process ended.
class ExitStatus {
 public:
  /// Returns what the function returned (0 for void), or what the program gave to exit(), of which only the lowest 8
  /// bits survive; nullopt if a signal ended the process.
  std::optional<int> exit_code() const noexcept { return exit_code_; }

  /// Returns the signal that ended the process; nullopt if it ended by itself.
  std::optional<int> signal() const noexcept { return signal_; }

  /// Returns type and text of the exception that the function threw, `std::runtime_error: out of cheese`, cut after
  /// 4 KiB; empty if it threw none.
  const std::string& exception() const noexcept { return exception_; }

  /// Returns whether the exit code is 0 and the function threw nothing.
  bool success() const noexcept { return exit_code_ == 0 && exception_.empty(); }

  /// Returns `exit code 3`, `signal 9 (Killed)` or `exception std::runtime_error: …`.
  std::string to_string() const;

 private:
  friend class Process;
  std::optional<int> exit_code_;
  std::optional<int> signal_;
  std::string exception_;
};

/// Owns one child process, which it reaps. Movable.
class Process {
 public:
  /// The exit code of a child whose function threw.
  static constexpr int exception_exit_code = 70;  // EX_SOFTWARE of sysexits.h

  /// Owns no process.
  Process() = default;
  Process(Process&&) noexcept = default;
  Process& operator=(Process&& other) noexcept {
    if (this != &other) {
      end();
      child_ = std::move(other.child_);
      status_ = std::move(other.status_);
    }
    return *this;
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Kills and reaps a child that still runs: call wait() to let it finish.
  ~Process() { end(); }

  /// Returns the process id; 0 if there is no process.
  std::uint64_t pid() const noexcept { return child_.pid(); }

  /// Returns whether the child still runs. Throws: as wait().
  bool running() { return child_ && !poll(); }

  /// Waits until the child has ended. Returns how it ended. Can be called again.
  /// Throws: errc::invalid_argument if there is no process, errc::system_error if something else in this program has
  /// reaped it.
  const ExitStatus& wait();

  /// Returns how the child ended, or nullptr while it runs. Does not wait. Throws: as wait().
  const ExitStatus* poll();

  /// Waits until the child has ended, but no longer than `limit`. Returns how it ended, or nullptr if it still runs.
  /// Its end wakes the caller on Linux and Windows; elsewhere it is noticed within 20 ms. Throws: as wait().
  const ExitStatus* wait_for(std::chrono::nanoseconds limit);

  /// Sends SIGKILL unless the child has been reaped. wait() then returns that signal.
  void kill() noexcept {
    if (!status_) child_.kill();
  }

  /// Stops the child, calls the function, and kills the child if that returns true, or resumes it. Returns whether it
  /// was killed. Throws: what the function throws.
  template <class IsStillAtIt>
  bool kill_if(IsStillAtIt is_still_at_it) {
    if (!child_ || status_) return false;
    child_.stop();
    if (is_still_at_it()) {
      child_.kill();
      return true;
    }
    child_.go_on();
    return false;
  }

  /// Returns whether a signal (SIGSTOP, SIGTSTP) has stopped the child.
  bool is_stopped() const noexcept { return child_ && !status_ && child_.is_stopped(); }

  /// Returns a descriptor for poll(2), readable at the latest when the child has ended; -1 if there is no process.
  int poll_descriptor() const noexcept { return child_ ? child_.poll_descriptor() : -1; }
  /// Returns whether that descriptor is readable exactly when the child has ended. If not, call poll() now and then.
  bool readable_means_ended() const noexcept { return child_.readable_means_ended(); }

 private:
  friend struct detail::ProcessAccess;

  explicit Process(detail::os::Child child) : child_(std::move(child)) {}
  const ExitStatus* reap(std::optional<std::chrono::nanoseconds> limit);
  void end() noexcept {
    if (!child_ || status_ || !child_.is_ours()) return;
    child_.kill();
    try {
      reap(std::nullopt);
    } catch (const Error&) {  // something else has reaped it: it has ended all the same
    }
  }

  detail::os::Child child_;
  std::optional<ExitStatus> status_;
};

namespace detail {

struct ProcessAccess {
  /// Takes over a child that was just started.
  static Process make(os::Child child) { return Process(std::move(child)); }
};

}  // namespace detail

inline const ExitStatus* Process::reap(std::optional<std::chrono::nanoseconds> limit) {
  if (status_) return &*status_;
  if (!child_) throw Error(errc::invalid_argument, "wait: there is no process");
  const std::optional<detail::os::ChildEnd> end = child_.reap(limit);
  if (!end) return nullptr;
  status_.emplace();
  if (end->signal != 0) {
    status_->signal_ = end->signal;
  } else {
    status_->exit_code_ = end->exit_code;
  }
  status_->exception_ = child_.report();
  return &*status_;
}

inline const ExitStatus& Process::wait() { return *reap(std::nullopt); }
inline const ExitStatus* Process::poll() { return reap(std::chrono::nanoseconds(0)); }
inline const ExitStatus* Process::wait_for(std::chrono::nanoseconds limit) { return reap(limit); }

inline std::string ExitStatus::to_string() const {
  if (!exception_.empty()) return "exception " + exception_;
  if (signal_) return "signal " + std::to_string(*signal_) + " (" + detail::os::signal_text(*signal_) + ")";
  if (exit_code_) return "exit code " + std::to_string(*exit_code_);
  return "an end that something else in this program waited for";
}

}  // namespace ndshm
