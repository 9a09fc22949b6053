// SPDX-License-Identifier: BSL-1.0
// unix_process.hpp: child processes of POSIX systems, for process.hpp. Nothing outside platform/ includes it.
#pragma once

#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's, for ::kill
#include <sys/wait.h>

#include <array>
#include <climits>
#include <cstring>
#include <ndshm/platform/unix.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace ndshm::detail::os {

/// How a child ended: `signal` is 0 when it returned.
struct ChildEnd {
  int exit_code = 0;
  int signal = 0;
};

/// A child process and the pipe through which it reports an exception.
class Child {
 public:
  Child() = default;
  Child(pid_t pid, Descriptor reports) : pid_(pid), reports_(std::move(reports)) {}
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)), parent_(other.parent_), reports_(std::move(other.reports_)) {}
  Child& operator=(Child&& other) noexcept {
    pid_ = std::exchange(other.pid_, 0);
    parent_ = other.parent_;
    reports_ = std::move(other.reports_);
    return *this;
  }

  explicit operator bool() const noexcept { return pid_ > 0; }
  std::uint64_t pid() const noexcept { return static_cast<std::uint64_t>(pid_); }
  /// False in a forked process that inherited this object: the child is its sibling.
  bool is_ours() const noexcept { return parent_ == ::getpid(); }
  /// Before it is reaped its id cannot mean another process.
  void kill() const noexcept {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
  }

  /// Nothing while it runs. Throws errc::system_error when it is not there to be reaped.
  std::optional<ChildEnd> reap(bool wait) const {
    int status = 0;
    const pid_t ended = retry_on_signal([&] { return ::waitpid(pid_, &status, wait ? 0 : WNOHANG); });
    if (ended == 0) return std::nullopt;
    if (ended < 0) {
      throw Error(errc::system_error, last_error(), "wait: process " + std::to_string(pid_),
                  "somebody else waits for children of this process, or SIGCHLD is ignored");
    }
    if (WIFSIGNALED(status)) return ChildEnd{0, WTERMSIG(status)};
    return ChildEnd{WEXITSTATUS(status), 0};
  }

  /// What it reported before it ended; never waits, not even when a grandchild keeps the pipe open.
  std::string report() const {
    std::array<char, PIPE_BUF> text{};
    const auto got = retry_on_signal([&] { return ::read(reports_.get(), text.data(), text.size()); });
    return got > 0 ? std::string(text.data(), static_cast<std::size_t>(got)) : std::string();
  }

 private:
  pid_t pid_ = 0;
  pid_t parent_ = ::getpid();
  Descriptor reports_;
};

namespace unix_only {
inline int report_descriptor = -1;  // of this process, when it is a child made by fork_child
}

/// Nothing in the child.
inline std::optional<Child> fork_child(const std::string& subject) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw refused(last_error(), subject, "pipe");
  Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  for (const int end : ends) {
    ::fcntl(end, F_SETFD, FD_CLOEXEC);
    ::fcntl(end, F_SETFL, O_NONBLOCK);
  }
  const pid_t pid = ::fork();
  if (pid < 0) throw refused(last_error(), subject, "fork");
  if (pid > 0) return Child(pid, std::move(reading));
  // The descriptor lives as long as the child: it is reported through at the very end, or closed by the kernel.
  unix_only::report_descriptor = ::fcntl(writing.get(), F_DUPFD_CLOEXEC, 0);
  return std::nullopt;
}

/// One write of at most PIPE_BUF bytes into an empty pipe: it fits and does not wait.
inline void report_to_parent(std::string_view text) {
  text = text.substr(0, PIPE_BUF);
  [[maybe_unused]] const auto written = ::write(unix_only::report_descriptor, text.data(), text.size());
}

[[noreturn]] inline void exit_child(int code) { ::_exit(code); }

inline std::string signal_text(int signal) { return ::strsignal(signal); }

}  // namespace ndshm::detail::os
