// SPDX-License-Identifier: BSL-1.0
// portable/memory.hpp: memory of any POSIX system, whatever is not there to populate or measure it. Nothing outside
// platform/ includes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ndshm/platform/unix/memory.hpp>
#include <system_error>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

inline bool huge_pages_are_on(bool) { return false; }
inline std::error_code populate(void*, std::size_t) { return std::make_error_code(std::errc::not_supported); }
inline std::error_code populate_huge(void*, std::size_t) { return std::make_error_code(std::errc::not_supported); }

inline std::uint64_t available_memory() { return UINT64_MAX; }

}  // namespace ndshm::detail::os
