// SPDX-License-Identifier: BSL-1.0
// windows/memory.hpp: mapping and measuring memory on Windows. Nothing outside platform/ includes it.
#pragma once

#include <ndshm/platform/types.hpp>
#include <ndshm/platform/windows/errors.hpp>
// After windows.h.
#include <cstddef>
#include <cstdint>
#include <ndshm/core/context.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/platform/boost_mapping.hpp>
#include <ndshm/platform/types.hpp>
#include <system_error>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

inline boost::interprocess::mapped_region map(int number, Access access, std::size_t bytes, Context context) {
  boost::interprocess::mapping_handle_t handle{};
  handle.handle = handle_of(number);
  handle.is_shm = true;
  return map(Mappable(handle, access), 0, bytes, [&](int error) {
    return refused(windows_only::error_of(static_cast<DWORD>(error)), context,
                   "mapping " + format_bytes(bytes) + " of memory");
  });
}

/// Memory was committed when the object was made.
inline std::error_code reserve(int, std::size_t, std::size_t) { return {}; }
inline void discard(int) {}

inline bool huge_pages_are_on(bool) { return false; }
inline std::error_code populate(void*, std::size_t) { return std::make_error_code(std::errc::not_supported); }
inline std::error_code populate_huge(void*, std::size_t) { return std::make_error_code(std::errc::not_supported); }

/// Bytes that can still be committed.
inline std::uint64_t available_memory() {
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  return ::GlobalMemoryStatusEx(&status) != 0 ? status.ullAvailPageFile : UINT64_MAX;
}

}  // namespace ndshm::detail::os
