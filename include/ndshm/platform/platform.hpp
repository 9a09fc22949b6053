// SPDX-License-Identifier: BSL-1.0
// platform.hpp: picks the files of one platform, the only place that asks which system this is. Only platform/ includes
// headers of an operating system. What each platform provides in ndshm::detail::os, and promises with it, stands in
// contract.hpp; README.md says how to add one.
#pragma once

#include <ndshm/core/error.hpp>
#include <ndshm/platform/types.hpp>
// clang-format off: windows.h comes first
#if defined(__linux__) && !defined(NDSHM_PORTABLE_POSIX)
#include <ndshm/platform/linux/errors.hpp>
#include <ndshm/platform/linux/features.hpp>
#include <ndshm/platform/linux/memory.hpp>
#include <ndshm/platform/linux/names.hpp>
#include <ndshm/platform/linux/objects.hpp>
#include <ndshm/platform/linux/process.hpp>
#include <ndshm/platform/linux/process_wide.hpp>
#include <ndshm/platform/linux/socket.hpp>
#include <ndshm/platform/linux/this_process.hpp>
#include <ndshm/platform/linux/wake.hpp>
#elif !defined(_WIN32)
#include <ndshm/platform/portable/errors.hpp>
#include <ndshm/platform/portable/features.hpp>
#include <ndshm/platform/portable/memory.hpp>
#include <ndshm/platform/portable/names.hpp>
#include <ndshm/platform/portable/objects.hpp>
#include <ndshm/platform/portable/process.hpp>
#include <ndshm/platform/portable/process_wide.hpp>
#include <ndshm/platform/portable/socket.hpp>
#include <ndshm/platform/portable/this_process.hpp>
#include <ndshm/platform/portable/wake.hpp>
#else
#include <ndshm/platform/windows/errors.hpp>
#include <ndshm/platform/windows/features.hpp>
#include <ndshm/platform/windows/memory.hpp>
#include <ndshm/platform/windows/names.hpp>
#include <ndshm/platform/windows/objects.hpp>
#include <ndshm/platform/windows/process.hpp>
#include <ndshm/platform/windows/process_wide.hpp>
#include <ndshm/platform/windows/socket.hpp>
#include <ndshm/platform/windows/this_process.hpp>
#include <ndshm/platform/windows/wake.hpp>
#endif
// clang-format on

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

template <class>
inline constexpr bool has_fork = NDSHM_HAS_FORK != 0;  // asked by static_assert in templates
inline constexpr bool has_persistence = NDSHM_HAS_PERSISTENCE != 0;
inline constexpr bool can_list = NDSHM_HAS_LIST != 0;

/// Errors of all shared objects of this process have one category.
inline const bool categories_are_shared = share_category(share_in_process);

}  // namespace ndshm::detail::os

// Last: it looks at all of the above.
#include <ndshm/platform/contract.hpp>
