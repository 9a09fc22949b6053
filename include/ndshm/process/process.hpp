// SPDX-License-Identifier: BSL-1.0
// process.hpp: running a function in a child process: fork() and Process. Includes error.hpp and platform/, no xtensor.
//
// A forked child has every array of its parent mapped already, at the same address, and shares the memory for reading
// and writing. What it does not have is the parent's other threads, so that fork() refuses while there are any: a lock
// that one of them holds would stay locked in the child for ever.
#pragma once

#include <boost/core/demangle.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/platform.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// How a child process ended.
class ExitStatus {
 public:
  /// It returned: what the function returned (0 for void), or what the program gave to exit(). Only its lowest 8 bits
  /// survive. None when a signal ended it.
  std::optional<int> exit_code() const noexcept { return exit_code_; }

  /// The signal that ended it; none when it returned.
  std::optional<int> signal() const noexcept { return signal_; }

  /// `std::runtime_error: out of cheese`: type and text of the exception that left the function; empty without one. Cut
  /// after 4 KiB.
  const std::string& exception() const noexcept { return exception_; }

  /// It returned 0.
  bool success() const noexcept { return exit_code_ == 0 && exception_.empty(); }

  /// `exit code 3`, `signal 9 (Killed)`, `exception std::runtime_error: …`.
  std::string to_string() const;

 private:
  friend class Process;
  std::optional<int> exit_code_;
  std::optional<int> signal_;
  std::string exception_;
};

/// For fork().
struct ForkOptions {
  /// Fork even though other threads run. The child must then do nothing that takes a lock which one of them may hold:
  /// no allocation, no printing.
  bool allow_threads = false;
};

class Process;

/// Runs a function in a child process. The function returns void or an int, the child's exit code; the exception that
/// leaves it reaches the parent as text. The child ends with _exit: it runs no destructors of the parent's objects and
/// no atexit functions; what it printed is flushed. Throws errc::multithreaded when other threads run (where the system
/// can tell: Linux), errc::system_error when there can be no further process.
template <class Function>
[[nodiscard]] Process fork(Function&& function, ForkOptions options = {});

/// Owns one child process, which it reaps. Movable.
class Process {
 public:
  /// The exit code of a child whose function threw.
  static constexpr int exception_exit_code = 70;  // EX_SOFTWARE of sysexits.h

  /// No process.
  Process() = default;
  /// Takes over a child that was just started: what fork() and spawn() do.
  explicit Process(detail::os::Child child) : child_(std::move(child)) {}
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

  /// A child that still runs is killed and reaped: call wait() to let it finish. Never waits for anything else.
  ~Process() { end(); }

  /// The process id; 0 for no process.
  std::uint64_t pid() const noexcept { return child_.pid(); }

  /// Whether it has not been seen to end.
  bool running() { return child_ && !poll(); }

  /// Waits until the child has ended and says how. Can be called again.
  /// Throws errc::invalid_argument for no process, errc::system_error when something else in this program has reaped
  /// it.
  const ExitStatus& wait();

  /// The same without waiting: nullptr while the child runs.
  const ExitStatus* poll();

  /// Waits at most `limit`: nullptr when the child still runs then. Woken by its end where the system can do that
  /// (Linux, Windows); elsewhere it is noticed within 20 ms.
  const ExitStatus* wait_for(std::chrono::nanoseconds limit);

  /// Sends SIGKILL, unless the child has been reaped. wait() then tells the signal.
  void kill() noexcept {
    if (!status_) child_.kill();
  }

  /// Kills the child if it is still at something: stops it, asks, and kills it or lets it go on.
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

  /// Whether a signal has stopped it (SIGSTOP, SIGTSTP), so that it does nothing at all.
  bool is_stopped() const noexcept { return child_ && !status_ && child_.is_stopped(); }

  /// For poll(): readable at the latest when the child has ended. -1 for no process.
  int poll_descriptor() const noexcept { return child_ ? child_.poll_descriptor() : -1; }
  /// Whether it is readable then alone, and always then. Where it is not, poll() has to be called now and then.
  bool readable_means_ended() const noexcept { return child_.readable_means_ended(); }

 private:
  const ExitStatus* reap(std::optional<std::chrono::nanoseconds> limit);
  void end() noexcept {
    if (!child_ || status_ || !child_.is_ours()) return;
    child_.kill();
    try {
      reap(std::nullopt);
    } catch (const Error&) {  // somebody else reaped it: it is gone all the same
    }
  }

  detail::os::Child child_;
  std::optional<ExitStatus> status_;
};

namespace detail {

/// `std::runtime_error: out of cheese`, in a catch block.
inline std::string text_of_current_exception() {
  try {
    throw;
  } catch (const std::exception& error) {
    return boost::core::demangle(typeid(error).name()) + ": " + error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

/// Runs a child's function: the exit code. The exception that leaves it is reported to the parent, or printed when no
/// parent listens.
template <class Function>
int run_and_report(Function& function) {
  static_assert(std::is_invocable_v<Function&>, "ndshm: a child runs a function without parameters");
  const auto report = [](const std::string& text) {
    if (!os::report_to_parent(text)) std::cerr << text << '\n';
  };
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Function&>>) {
      std::invoke(function);
      return 0;
    } else {
      return static_cast<int>(std::invoke(function));
    }
  } catch (...) {
    report(text_of_current_exception());
  }
  return Process::exception_exit_code;
}

}  // namespace detail

template <class Function>
Process fork(Function&& function, ForkOptions options) {
  static_assert(detail::os::has_fork<Function>, "ndshm: there is no fork on Windows; use ndshm::spawn");
  const std::size_t watchers = detail::os::count_watchers();
  if (const auto threads = detail::os::count_threads(); threads > 1 + watchers && !options.allow_threads) {
    throw Error(errc::multithreaded,
                "fork: " + std::to_string(threads - watchers) +
                    " threads run, and a lock that one of them holds would stay locked in the child",
                "fork before starting threads, or use {.allow_threads = true} for a child that takes no locks");
  }
  // What is buffered now would be printed by both.
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  auto child = detail::os::fork_child(detail::Context("fork"));
  if (child) return Process(std::move(*child));
  const int code = detail::run_and_report(function);
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  detail::os::exit_child(code);
}

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

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE
