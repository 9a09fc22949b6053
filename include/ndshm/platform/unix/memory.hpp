// SPDX-License-Identifier: BSL-1.0
// unix/memory.hpp: mapping, committing and discarding memory on POSIX systems, for the files of linux/ and portable/.
// Nothing outside platform/ includes it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <ndshm/core/context.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/platform/boost_mapping.hpp>
#include <ndshm/platform/types.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <system_error>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

namespace unix_only {

inline boost::interprocess::mapped_region map_at(int fd, Access access, std::size_t offset, std::size_t bytes,
                                                 Context context) {
  boost::interprocess::mapping_handle_t handle{};
  handle.handle = fd;
  handle.is_xsi = false;
  return map(Mappable(handle, access), offset, bytes, [&](int error) {
    return refused(error_of(error), context, "mapping " + format_bytes(bytes) + " of memory");
  });
}

}  // namespace unix_only

inline boost::interprocess::mapped_region map(int fd, Access access, std::size_t bytes, Context context) {
  return unix_only::map_at(fd, access, 0, bytes, context);
}

/// Commits the memory of [offset, offset + bytes): posix_fallocate in pieces, each of them repeated after a signal (one
/// large call can be interrupted for ever by a periodic signal on kernels before 6.11). A file system that cannot do it
/// is left as it is.
inline std::error_code reserve(int fd, std::size_t offset, std::size_t bytes) {
#if defined(_POSIX_ADVISORY_INFO) && _POSIX_ADVISORY_INFO > 0
  constexpr std::size_t piece = std::size_t{4} << 20;
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t length = (std::min)(piece, bytes - done);
    const int error = ::posix_fallocate(fd, static_cast<off_t>(offset + done), static_cast<off_t>(length));
    if (error == EINTR) continue;
    if (error == EOPNOTSUPP) break;
    if (error != 0) return error_of(error);
    done += length;
  }
#else
  (void)fd, (void)offset, (void)bytes;
#endif
  return {};
}

/// Gives the memory of an object back that nobody will use. One that is sealed keeps it until it is closed.
inline void discard(int fd) { [[maybe_unused]] const int refused = ::ftruncate(fd, 0); }

}  // namespace ndshm::detail::os
