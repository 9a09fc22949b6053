// SPDX-License-Identifier: BSL-1.0
// linux/process.hpp: what Linux has for child processes that other systems have not. Sources: pidfd_open(2), pipe(2),
// posix_spawn(3). Nothing outside platform/ includes it.
#pragma once

#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's, for ::kill
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <ndshm/core/context.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <ndshm/platform/unix/process.hpp>
#include <string>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

/// A pipe that does not wait: the end to read, the end to write. Both close on exec from their first moment on, so that
/// no other thread's child gets them.
inline std::array<Descriptor, 2> make_pipe(Context context) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) throw refused(last_error(), context, "pipe2");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

/// A descriptor that is readable once that child of this process has ended; none from a kernel before 5.3, or where
/// none is to be had. Until the child is reaped its id cannot mean another process.
inline Descriptor watch_child([[maybe_unused]] pid_t pid) {
#ifdef SYS_pidfd_open
  return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));  // closes on exec by itself
#else
  return {};
#endif
}

/// Sends a signal to the child behind the descriptor of watch_child(), or by its id where there is none.
inline bool send_signal(const Descriptor& child, pid_t pid, int signal) {
#ifdef SYS_pidfd_send_signal
  if (child) return ::syscall(SYS_pidfd_send_signal, child.get(), signal, nullptr, 0U) == 0;
#endif
  return ::kill(pid, signal) == 0;
}

/// Lets the child close every descriptor from `first` on, also those that other threads open meanwhile. False where
/// that has to be done one by one.
inline bool close_from([[maybe_unused]] posix_spawnattr_t& attributes,
                       [[maybe_unused]] posix_spawn_file_actions_t& actions, [[maybe_unused]] int first) {
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
  return ::posix_spawn_file_actions_addclosefrom_np(&actions, first) == 0;
#endif
#endif
  return false;
}

inline bool change_directory(posix_spawn_file_actions_t& actions, const std::string& path) {
  return ::posix_spawn_file_actions_addchdir_np(&actions, path.c_str()) == 0;
}

inline char** environment() { return ::environ; }

}  // namespace ndshm::detail::os
