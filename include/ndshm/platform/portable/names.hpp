// SPDX-License-Identifier: BSL-1.0
// portable/names.hpp: the names of objects and the paths of their lock files on any POSIX system. Nothing outside
// platform/ includes it. Source: xnu, bsd/kern/posix_shm.c: PSHMNAMLEN is 31.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/types.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <ndshm/platform/unix/names.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

// Not that of linux/: programs built for the one and for the other way of telling who lives must not meet.
inline constexpr std::string_view prefix = "ndshm_";
inline constexpr std::size_t max_object_name = 31;  // with its slash
inline constexpr std::size_t max_name_bytes = max_object_name - 1 - prefix.size();

inline std::string_view directory() {
  // Not the variable of somebody with fewer rights than this process.
  const bool trusted = ::getuid() == ::geteuid() && ::getgid() == ::getegid();
  static const std::string_view chosen = unix_only::directory_from(trusted ? std::getenv("NDSHM_DIR") : nullptr);
  return chosen;
}

/// Throws where no named object can be in that directory, and says what to do about it. The system's memory objects
/// are in none.
inline void require_directory(std::string_view where, Context context) {
  if (where != default_directory) unix_only::require_directory(where, context);
}

namespace portable_only {

/// Whether the objects of that directory are files, and not the system's memory objects.
inline bool has_files(std::string_view where) { return where != default_directory; }

inline std::string object_name(std::string_view name) { return "/" + std::string(prefix) + std::string(name); }

/// The directory of this user's lock files, made if need be. Throws when another user could write to it.
inline std::string lock_directory(Context context) {
  std::string path = "/tmp/ndshm-" + std::to_string(::geteuid());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw refused(last_error(), context, "mkdir " + path);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) throw refused(last_error(), context, path);
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 077U) != 0) {
    throw Error(errc::permission_denied, context + path + " is not a directory that only this user can enter",
                "remove it");
  }
  return path;
}

inline constexpr std::string_view lock_suffix = ".lock";
/// In a directory that has the objects, too. No object's file starts like this.
inline constexpr std::string_view lock_prefix = ".ndshm_";

inline std::string lock_file(const ObjectName& object, Context context) {
  const std::string_view where = directory_of(object, context);
  std::string path =
      has_files(where) ? std::string(where) + "/" + std::string(lock_prefix) : lock_directory(context) + "/";
  return path.append(object.name).append(lock_suffix);
}

/// What the object is called: the name of a memory object, or the path of a file.
inline std::string object_path(const ObjectName& object, Context context) {
  const std::string_view where = directory_of(object, context);
  return has_files(where) ? std::string(where) + object_name(object.name) : object_name(object.name);
}

}  // namespace portable_only

inline std::vector<std::string> names() {
  std::vector<std::string> result;
  const bool has_files = portable_only::has_files(directory());
  const std::string where = has_files ? std::string(directory()) : portable_only::lock_directory(Context("list"));
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(where.c_str()), ::closedir);
  if (!entries) return result;
  const std::string_view start = has_files ? portable_only::lock_prefix : std::string_view();
  while (const dirent* entry = ::readdir(entries.get())) {
    std::string_view file = entry->d_name;
    if (file.size() <= start.size() + portable_only::lock_suffix.size()) continue;
    if (!file.starts_with(start) || !file.ends_with(portable_only::lock_suffix)) continue;
    file.remove_prefix(start.size());
    file.remove_suffix(portable_only::lock_suffix.size());
    result.emplace_back(file);
  }
  return result;
}

inline std::string path_of_name(const ObjectName& name, Context context) {
  std::string path = std::string(directory_of(name, context)) + portable_only::object_name(name.name);
  if (::access(path.c_str(), F_OK) == 0) return path;
  throw Error(errc::unsupported, context + "this system does not show memory objects as files");
}

/// Lets time pass: nothing tells that a name has come.
class NameWatch {
 public:
  explicit NameWatch(const ObjectName&) {}
  void wait(std::chrono::nanoseconds limit) {
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(limit, std::chrono::milliseconds(5)));
  }
};

}  // namespace ndshm::detail::os
