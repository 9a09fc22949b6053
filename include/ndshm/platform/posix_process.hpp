// SPDX-License-Identifier: BSL-1.0
// posix_process.hpp: what POSIX systems differ in about child processes, for unix_process.hpp. The same functions as in
// linux_process.hpp. Weaker: there is no descriptor that tells a child's end, and between pipe() and fcntl() another
// thread's child may get the ends.
#pragma once

#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's, for ::kill
#include <spawn.h>

#include <array>
#include <filesystem>
#include <ndshm/platform/unix.hpp>
#include <string>
#if defined(__APPLE__)
#include <crt_externs.h>
#include <mach-o/dyld.h>
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

inline char** environment() { return *::_NSGetEnviron(); }

inline std::filesystem::path program_path(Context context) {
  std::uint32_t bytes = 0;
  ::_NSGetExecutablePath(nullptr, &bytes);
  std::string path(bytes, '\0');
  if (::_NSGetExecutablePath(path.data(), &bytes) != 0) throw Error(errc::system_error, context + "its path grew");
  return path.c_str();
}
#else
inline bool close_from(posix_spawnattr_t&, posix_spawn_file_actions_t&, int) { return false; }

inline char** environment() { return ::environ; }

inline std::filesystem::path program_path(Context context) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe", error);  // also with Linux underneath
  if (!error) return path;
  throw Error(errc::unsupported, context + "this system does not tell which program a process runs",
              "use the path that the program was installed under");
}
#endif

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os
