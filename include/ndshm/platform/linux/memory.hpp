// SPDX-License-Identifier: BSL-1.0
// linux/memory.hpp: committing, populating and measuring memory on Linux. Nothing outside platform/ includes it.
// Sources: madvise(2), proc_meminfo(5), proc_pid_mountinfo(5).
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ndshm/platform/linux/names.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <ndshm/platform/unix/memory.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

namespace linux_only {

/// All of a file of /proc or /sys; empty where it cannot be read.
inline std::string contents_of(const char* path) {
  const Descriptor file(retry_on_signal([&] { return ::open(path, O_RDONLY | O_CLOEXEC); }));
  std::string text;
  std::array<char, 4096> piece{};
  while (file) {
    const auto got = retry_on_signal([&] { return ::read(file.get(), piece.data(), piece.size()); });
    if (got <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

/// Cuts the first line off, and returns it.
inline std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix((std::min)(line.size() + 1, text.size()));
  return line;
}

/// Whether the file system of that directory was mounted with huge pages.
inline bool mounted_with_huge_pages(std::string_view where) {
  struct stat status {};
  if (::stat(std::string(where).c_str(), &status) != 0) return false;
  // "id parent major:minor root point options fields... - type source options_of_the_file_system"
  const std::string device =
      " " + std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev)) + " ";
  const std::string mounts = contents_of("/proc/self/mountinfo");
  for (std::string_view rest = mounts; !rest.empty();) {
    const std::string_view line = next_line(rest);
    const std::size_t fields = line.find(" - ");
    if (fields == std::string_view::npos || line.find(device) > fields) continue;
    for (const char* const option : {"huge=advise", "huge=always", "huge=within_size"}) {
      if (line.find(option, fields) != std::string_view::npos) return true;
    }
  }
  return false;
}

}  // namespace linux_only

/// Bytes that can be had before the kernel has to kill somebody: free and reclaimable memory and swap.
inline std::uint64_t available_memory() {
  const std::string text = linux_only::contents_of("/proc/meminfo");
  std::uint64_t kib = 0;
  bool known = false;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = linux_only::next_line(rest);
    for (const std::string_view key : {"MemAvailable:", "SwapFree:"}) {
      if (!line.starts_with(key)) continue;
      kib += std::strtoull(line.data() + key.size(), nullptr, 10);
      known = true;
    }
  }
  return known ? kib * 1024 : UINT64_MAX;
}

/// Whether the kernel gives huge pages to such an object when asked to.
inline bool huge_pages_are_on(bool named) {
  if (named && linux_only::mounted_with_huge_pages(directory())) return true;
  const std::string text = linux_only::contents_of("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
  if (named) return text.find("[force]") != std::string::npos;
  return !text.empty() && text.find("[never]") == std::string::npos && text.find("[deny]") == std::string::npos;
}

/// Maps every page for writing, at once and not by a fault for each. Takes what is not there yet. `not_supported` where
/// the kernel cannot (before 5.14).
inline std::error_code populate(void* address, std::size_t bytes) {
  constexpr int populate_write = 23;  // MADV_POPULATE_WRITE, which older headers do not know
  constexpr std::size_t piece = std::size_t{64} << 20;
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t length = (std::min)(piece, bytes - done);
    if (::madvise(static_cast<char*>(address) + done, length, populate_write) != 0) {
      if (errno == EINTR) continue;
      if (errno == EINVAL) return std::make_error_code(std::errc::not_supported);
      if (errno == EFAULT) errno = ENOSPC;  // how a full tmpfs answers this call
      return last_error();
    }
    done += length;
  }
  return {};
}

/// The same with huge pages.
inline std::error_code populate_huge(void* address, std::size_t bytes) {
  if (::madvise(address, bytes, MADV_HUGEPAGE) != 0) return std::make_error_code(std::errc::not_supported);
  return populate(address, bytes);
}

}  // namespace ndshm::detail::os
