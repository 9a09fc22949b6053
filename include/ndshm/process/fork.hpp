// SPDX-License-Identifier: BSL-1.0
// fork.hpp: running a function in a child process. Includes platform/, no xtensor.
//
// A forked child has every array of its parent mapped already, at the same address, and shares the memory for reading
// and writing. What it does not have is the parent's other threads, so that fork() refuses while there are any: a lock
// that one of them holds would stay locked in the child for ever.
#pragma once

#include <cstdio>
#include <iostream>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/process/process.hpp>
#include <ndshm/process/run.hpp>
#include <string>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// How fork() treats other threads.
struct ForkOptions {
  /// Fork even though other threads run. The child must then do nothing that takes a lock which one of them may hold:
  /// no allocation, no printing.
  bool allow_threads = false;
};

/// Runs a function in a child process. Returns the child. The function returns void or an int, the child's exit code;
/// an exception that it throws reaches the parent as text. The child ends with _exit: it runs no destructors of the
/// parent's objects and no atexit functions; what it printed is flushed. Throws: errc::multithreaded if other threads
/// run (Linux alone can tell), errc::system_error if the system can start no further process.
template <class Function>
[[nodiscard]] Process fork(Function&& function, ForkOptions options = {}) {
  static_assert(detail::os::has_fork<Function>, "ndshm: there is no fork on Windows; use ndshm::spawn");
  const std::size_t watchers = detail::os::count_watchers();
  if (const auto threads = detail::os::count_threads(); threads > 1 + watchers && !options.allow_threads) {
    throw Error(errc::multithreaded,
                "fork: " + std::to_string(threads - watchers) +
                    " threads run, and a lock that one of them holds would stay locked in the child",
                "fork before you start threads, or use {.allow_threads = true} if the child takes no locks");
  }
  // What is buffered now would be printed by both.
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  auto child = detail::os::fork_child(detail::Context("fork"));
  if (child) return detail::ProcessAccess::make(std::move(*child));
  const int code = detail::run_and_report(function);
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  detail::os::exit_child(code);
}

}  // namespace ndshm
