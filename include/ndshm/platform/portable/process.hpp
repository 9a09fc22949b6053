// SPDX-License-Identifier: BSL-1.0
// portable/process.hpp: what POSIX systems differ in about child processes. Weaker than linux/: there is no descriptor
// that tells a child's end, and between pipe() and fcntl() another thread's child may get the ends. Nothing outside
// platform/ includes it.
#pragma once

#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's, for ::kill
#include <spawn.h>
#include <unistd.h>

#include <array>
#include <ndshm/core/context.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <ndshm/platform/unix/process.hpp>
#include <string>
#if defined(__APPLE__)
#include <crt_externs.h>
#else
extern "C" char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it to the program
#endif

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

inline std::array<Descriptor, 2> make_pipe(Context context) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw refused(last_error(), context, "pipe");
  for (const int end : ends) {
    ::fcntl(end, F_SETFD, FD_CLOEXEC);
    ::fcntl(end, F_SETFL, O_NONBLOCK);
  }
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

inline Descriptor watch_child(pid_t) { return {}; }
inline bool send_signal(const Descriptor&, pid_t pid, int signal) { return ::kill(pid, signal) == 0; }

#if defined(__APPLE__)
/// The child gets what the file actions name and nothing else: 0, 1 and 2 have to be named too.
inline bool close_from(posix_spawnattr_t& attributes, posix_spawn_file_actions_t& actions, int) {
  for (const int standard : {0, 1, 2}) {
    if (::fcntl(standard, F_GETFD) != -1) ::posix_spawn_file_actions_addinherit_np(&actions, standard);
  }
  return ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_CLOEXEC_DEFAULT) == 0;
}
#else
inline bool close_from(posix_spawnattr_t&, posix_spawn_file_actions_t&, int) { return false; }
#endif

inline bool change_directory([[maybe_unused]] posix_spawn_file_actions_t& actions,
                             [[maybe_unused]] const std::string& path) {
#if defined(__APPLE__) || defined(__linux__)
  return ::posix_spawn_file_actions_addchdir_np(&actions, path.c_str()) == 0;
#else
  return false;
#endif
}

inline char** environment() {
#if defined(__APPLE__)
  return *::_NSGetEnviron();
#else
  return ::environ;
#endif
}

}  // namespace ndshm::detail::os
