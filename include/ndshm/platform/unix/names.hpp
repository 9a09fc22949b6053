// SPDX-License-Identifier: BSL-1.0
// unix/names.hpp: the directory of named objects on POSIX systems, for the files of linux/ and portable/. Nothing
// outside platform/ includes it.
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/process_wide.hpp>
#include <ndshm/platform/types.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

/// Where named objects are, unless NDSHM_DIR names another directory.
inline constexpr std::string_view default_directory = "/dev/shm";

/// The directory of named objects that is in force in this process: the one that NDSHM_DIR named when it was first
/// asked for, else default_directory.
std::string_view directory();

namespace unix_only {

/// The directory in force, in all shared objects of this process.
struct Directory {
  std::atomic<const char*> path = nullptr;  // never freed
};

inline std::string path_from(const char* value) {
  std::string path = value == nullptr || *value == '\0' ? std::string(default_directory) : value;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

/// The directory, from the value of NDSHM_DIR (nullptr: none), unless it is known.
inline std::string_view directory_from(const char* value) {
  std::atomic<const char*>& known = one_in_process<Directory>("directory").path;
  if (known.load() == nullptr) {
    const std::string path = path_from(value);
    auto* const copy = new char[path.size() + 1];
    copy[path.copy(copy, path.size())] = '\0';
    const char* expected = nullptr;
    if (!known.compare_exchange_strong(expected, copy)) delete[] copy;
  }
  return known.load();
}

}  // namespace unix_only

namespace unix_only {

/// Throws where that is no directory, and says what to do about it.
inline void require_directory(std::string_view where, Context context) {
  const std::string path(where);
  struct stat status {};
  const bool found = ::stat(path.c_str(), &status) == 0;
  if (found && S_ISDIR(status.st_mode)) return;
  const std::error_code error = error_of(found ? ENOTDIR : errno);
  const std::string facts = context + "the directory of named arrays, " + path;
  if (error == std::errc::permission_denied) throw Error(errc::permission_denied, error, facts, "check its mode");
  if (error == std::errc::filename_too_long) {
    throw Error(errc::invalid_argument, error, facts, "set NDSHM_DIR to one with a shorter path");
  }
  throw Error(errc::not_found, error, facts, "create it, or set NDSHM_DIR to one that exists, in every process");
}

}  // namespace unix_only

/// The directory that the object is in.
inline std::string_view directory_of(const ObjectName& object, Context context) {
  const std::string_view where = object.directory.empty() ? directory() : object.directory;
  if (where.starts_with('/')) return where;
  throw Error(errc::invalid_argument,
              context + "the directory of named arrays, " + std::string(where) + ", is a relative path",
              "set NDSHM_DIR to an absolute path");
}

/// For what the system said about the path of a named object.
inline Error refused_path(std::error_code error, Context context, std::string_view call, const std::string& path) {
  const std::string facts = std::string(call) + " " + path;
  if (error == std::errc::filename_too_long) {
    return {errc::invalid_argument, error, context + facts, "set NDSHM_DIR to a directory with a shorter path"};
  }
  return refused(error, context, facts);
}

inline Space space_of_names() {
  struct statvfs status {};
  if (::statvfs(std::string(directory()).c_str(), &status) != 0) return {};
  const auto unit = static_cast<std::uint64_t>(status.f_frsize);
  return {status.f_bavail * unit, status.f_blocks * unit};
}

}  // namespace ndshm::detail::os
