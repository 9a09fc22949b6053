// SPDX-License-Identifier: BSL-1.0
// unix/this_process.hpp: what a process of a POSIX system is asked about itself, for the files of linux/ and portable/.
// Nothing outside platform/ includes it.
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's, for ::signal
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ndshm/platform/unix/errors.hpp>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

inline std::uint64_t process_id() { return static_cast<std::uint64_t>(::getpid()); }

/// Runs `before` in front of every fork() of this process, `after` behind it in both processes.
inline void at_fork(void (*before)(), void (*after)()) { ::pthread_atfork(before, after, after); }

/// Whether that stream is shown to somebody.
inline bool is_terminal(std::FILE* stream) { return ::isatty(::fileno(stream)) == 1; }

/// How many columns that terminal has just now; 0 where the system does not know.
inline std::size_t terminal_width(std::FILE* stream) {
  winsize size{};
  return ::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/// An interrupt from the terminal goes to every process of the program; only the parent decides what it means.
inline void leave_interrupts_to_parent() { ::signal(SIGINT, SIG_IGN); }

namespace unix_only {

/// Reads exactly `bytes` bytes from a descriptor or file; false where it ends before.
inline bool read_all(int fd, void* destination, std::size_t bytes) {
  auto* to = static_cast<char*>(destination);
  while (bytes > 0) {
    const auto got = retry_on_signal([&] { return ::read(fd, to, bytes); });
    if (got <= 0) return false;
    to += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

/// Random bytes from the kernel's device.
inline bool random_bytes_of_device(void* destination, std::size_t bytes) {
  const Descriptor device(retry_on_signal([] { return ::open("/dev/urandom", O_RDONLY | O_CLOEXEC); }));
  return device && read_all(device.get(), destination, bytes);
}

}  // namespace unix_only

}  // namespace ndshm::detail::os
