// SPDX-License-Identifier: BSL-1.0
// lacking.hpp: the answers of platforms that do not have what Linux has; for posix.hpp and windows.hpp. Nothing outside
// platform/ includes it. Includes the standard library alone.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <ndshm/platform/common.hpp>
#include <system_error>
#include <thread>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

/// Lets time pass: nothing tells that a name has come.
class NameWatch {
 public:
  explicit NameWatch(const ObjectName&) {}
  void wait(std::chrono::nanoseconds limit) {
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(limit, std::chrono::milliseconds(5)));
  }
};

/// Of this process; 0 where they cannot be counted, or nobody needs to know.
inline std::size_t count_threads() { return 0; }

inline bool huge_pages_are_on(bool) { return false; }
inline std::error_code populate(void*, std::size_t) { return std::make_error_code(std::errc::not_supported); }
inline std::error_code populate_huge(void*, std::size_t) { return std::make_error_code(std::errc::not_supported); }

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os
