// SPDX-License-Identifier: BSL-1.0
// windows/names.hpp: names of Windows lie in no directory, and nobody can tell which there are. Nothing outside
// platform/ includes it.
#pragma once

#include <ndshm/platform/windows/errors.hpp>
// After windows.h.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/types.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

inline constexpr std::string_view default_directory = "the page file";
/// Kernel names lie in no directory, so that NDSHM_DIR does not count here.
inline std::string_view directory() { return default_directory; }
inline void require_directory(std::string_view, Context) {}
inline constexpr std::size_t max_name_bytes = 200;

inline std::vector<std::string> names() { return {}; }

/// What a program without this library opens to see the bytes: there are no paths.
inline std::string path_of_name(const ObjectName&, Context context) {
  throw Error(errc::unsupported, context + "Windows does not show memory objects as files");
}
inline std::string path_of_descriptor(int, Context context) { return path_of_name({}, context); }

inline Space space_of_names() { return {}; }

/// Lets time pass: nothing tells that a name has come.
class NameWatch {
 public:
  explicit NameWatch(const ObjectName&) {}
  void wait(std::chrono::nanoseconds limit) {
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(limit, std::chrono::milliseconds(5)));
  }
};

}  // namespace ndshm::detail::os
