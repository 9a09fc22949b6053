// SPDX-License-Identifier: BSL-1.0
// linux/names.hpp: the directory of named objects on Linux. Nothing outside platform/ includes it.
// Sources: inotify(7), secure_getenv(3).
#pragma once

#include <dirent.h>
#include <poll.h>
#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/platform/linux/this_process.hpp>
#include <ndshm/platform/types.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <ndshm/platform/unix/names.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

inline constexpr std::string_view prefix = "ndshm.";
inline constexpr std::size_t max_name_bytes = NAME_MAX - prefix.size();

inline std::string_view directory() {
  static const std::string_view chosen = unix_only::directory_from(::secure_getenv("NDSHM_DIR"));
  return chosen;
}

/// Throws where no named object can be in that directory, and says what to do about it.
inline void require_directory(std::string_view where, Context context) { unix_only::require_directory(where, context); }

inline std::string file_of(const ObjectName& object, Context context) {
  const std::string_view where = directory_of(object, context);
  std::string path;
  path.reserve(where.size() + 1 + prefix.size() + object.name.size());
  return path.append(where).append("/").append(prefix).append(object.name);
}

/// The names of all objects in the directory in force, dead or alive, of all users.
inline std::vector<std::string> names() {
  std::vector<std::string> result;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(std::string(directory()).c_str()), ::closedir);
  if (!entries) return result;
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string_view file = entry->d_name;
    if (file.size() > prefix.size() && file.starts_with(prefix)) result.emplace_back(file.substr(prefix.size()));
  }
  return result;
}

/// What a program without this library opens to see the bytes.
inline std::string path_of_name(const ObjectName& name, Context context) { return file_of(name, context); }
inline std::string path_of_descriptor(int fd, Context) {
  return "/proc/" + std::to_string(process_id()) + "/fd/" + std::to_string(fd);
}

/// Sleeps until something in the directory of names may have changed.
class NameWatch {
 public:
  explicit NameWatch(const ObjectName& name) : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    const std::string where(directory_of(name, Context("watch", name.name)));
    if (fd_ && ::inotify_add_watch(fd_.get(), where.c_str(), IN_CREATE | IN_MOVED_TO) < 0) fd_.close();
  }
  void wait(std::chrono::nanoseconds limit) {
    // Without inotify (its instances are limited) a look every 10 ms has to do.
    const auto turn = std::clamp<std::chrono::nanoseconds>(
        limit, std::chrono::nanoseconds(0), fd_ ? std::chrono::milliseconds(500) : std::chrono::milliseconds(10));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(turn);
    const timespec time{static_cast<time_t>(seconds.count()), static_cast<long>((turn - seconds).count())};
    pollfd entry{fd_.get(), POLLIN, 0};
    if (::ppoll(&entry, 1, &time, nullptr) <= 0) return;
    alignas(inotify_event) std::array<char, 4096> events{};
    while (::read(fd_.get(), events.data(), events.size()) > 0) {
    }
  }

 private:
  Descriptor fd_;
};

}  // namespace ndshm::detail::os
