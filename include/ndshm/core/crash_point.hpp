// SPDX-License-Identifier: BSL-1.0
// crash_point.hpp: marks the places between two system calls at which the torture test kills a process. In a normal
// build a mark is nothing at all; a test defines NDSHM_CRASH_POINTS before it includes the library and sets the hook.
#pragma once

#if defined(NDSHM_CRASH_POINTS)
#include <ndshm/core/config.hpp>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {
inline void (*crash_point_hook)(const char* where) = nullptr;
}
#define NDSHM_CRASH_POINT(where) \
  (::ndshm::detail::crash_point_hook != nullptr ? ::ndshm::detail::crash_point_hook(where) : static_cast<void>(0))
#else
#define NDSHM_CRASH_POINT(where) static_cast<void>(0)
#endif
