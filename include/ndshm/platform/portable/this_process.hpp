// SPDX-License-Identifier: BSL-1.0
// portable/this_process.hpp: what a process of any POSIX system is asked about itself. Nothing outside platform/
// includes it.
#pragma once

#include <unistd.h>

#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <ndshm/platform/unix/this_process.hpp>
#include <string>
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

/// Of this process; 0 where they cannot be counted, or nobody needs to know.
inline std::size_t count_threads() { return 0; }

inline bool random_bytes(void* destination, std::size_t bytes) {
  return unix_only::random_bytes_of_device(destination, bytes);
}

inline std::string program_path(Context context) {
#if defined(__APPLE__)
  std::uint32_t bytes = 0;
  ::_NSGetExecutablePath(nullptr, &bytes);
  std::string path(bytes, '\0');
  if (::_NSGetExecutablePath(path.data(), &bytes) != 0) throw Error(errc::system_error, context + "its path grew");
  return path.c_str();  // up to its end
#else
  std::array<char, PATH_MAX> path{};
  const auto length = ::readlink("/proc/self/exe", path.data(), path.size());  // also with Linux underneath
  if (length > 0) return {path.data(), static_cast<std::size_t>(length)};
  throw Error(errc::unsupported, context + "this system does not tell which program a process runs",
              "use the path under which the program was installed");
#endif
}

}  // namespace ndshm::detail::os
