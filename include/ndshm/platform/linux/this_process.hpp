// SPDX-License-Identifier: BSL-1.0
// linux/this_process.hpp: what a process of Linux is asked about itself. Nothing outside platform/ includes it.
// Sources: proc_pid_task(5), proc_pid_stat(5), getrandom(2).
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <ndshm/platform/unix/this_process.hpp>
#include <string>
#include <string_view>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

namespace linux_only {

/// Whether a thread, an entry of /proc/self/task, has ended. The kernel lists it for a moment longer, even after it let
/// whoever waits for it go on. Source: PF_EXITING of the kernel's include/linux/sched.h.
inline bool has_ended(const char* thread) {
  const std::string path = std::string("/proc/self/task/") + thread + "/stat";
  const Descriptor file(retry_on_signal([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!file) return errno == ENOENT;
  std::array<char, 512> text{};  // "id (name) state parent group session terminal its_group flags ...", any name
  const auto got = retry_on_signal([&] { return ::read(file.get(), text.data(), text.size() - 1); });
  if (got <= 0) return ::access(path.c_str(), F_OK) != 0;
  const std::string_view line(text.data(), static_cast<std::size_t>(got));
  std::size_t at = line.rfind(')');
  for (int i = 0; i != 7 && at != std::string_view::npos; ++i) at = line.find(' ', at + 1);
  if (at == std::string_view::npos) return false;
  constexpr unsigned long exiting = 0x4;
  return (std::strtoul(line.data() + at, nullptr, 10) & exiting) != 0;
}

}  // namespace linux_only

/// Threads of this process; 0 where that cannot be told.
inline std::size_t count_threads() {
  struct stat status {};
  if (::stat("/proc/self/task", &status) != 0) return 0;
  if (status.st_nlink == 3) return 1;  // the usual case, without a look at each
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir("/proc/self/task"), ::closedir);
  if (!entries) return 0;
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (entry->d_name[0] != '.' && !linux_only::has_ended(entry->d_name)) ++count;
  }
  return count;
}

/// Fills memory with random bytes; false where the system has none, and last_error() says why.
inline bool random_bytes(void* destination, std::size_t bytes) {
  auto* to = static_cast<char*>(destination);
  while (bytes > 0) {
    const auto got = retry_on_signal([&] { return ::getrandom(to, bytes, 0); });
    if (got <= 0) return unix_only::random_bytes_of_device(to, bytes);  // refused, by a filter of system calls
    to += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

/// The program that this process runs, in UTF-8 or whatever bytes its path has.
inline std::string program_path(Context context) {
  std::array<char, PATH_MAX> path{};
  const auto length = ::readlink("/proc/self/exe", path.data(), path.size());
  if (length < 0) throw refused(last_error(), context, "/proc/self/exe");
  return {path.data(), static_cast<std::size_t>(length)};
}

}  // namespace ndshm::detail::os
