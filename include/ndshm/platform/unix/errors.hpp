// SPDX-License-Identifier: BSL-1.0
// unix/errors.hpp: descriptors, what they are open on, and how refusals of a POSIX system become errors, for the files
// of linux/ and portable/. Nothing outside platform/ includes it.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/types.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

inline std::error_code error_of(int number) { return {number, std::generic_category()}; }
inline std::error_code last_error() { return error_of(errno); }

/// Calls until it is not a signal that interrupted it.
template <class Call>
auto retry_on_signal(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

/// A refusal by the system as an Error: `attach "x": open: Permission denied [ndshm.permission_denied]`.
inline Error refused(std::error_code os_error, Context context, std::string_view call) {
  const std::string facts = context + std::string(call);
  switch (os_error.value()) {
    case EACCES:
    case EPERM:
      return {errc::permission_denied, os_error, facts, "check the owner and the mode"};
    case ENOENT:
    case ESRCH:
      return {errc::not_found, os_error, facts};
    case ENOSPC:
    case ENOMEM:
    case EDQUOT:
      return {errc::out_of_memory, os_error, facts};
    case EMFILE:
      return {errc::system_error, os_error, facts, "raise the limit of open files (ulimit -n)"};
    default:
      return {errc::system_error, os_error, facts};
  }
}

inline void close_descriptor(int fd) noexcept { ::close(fd); }
/// A file descriptor.
using Descriptor = Owned<close_descriptor>;

inline struct stat status_of(int fd, Context context) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw refused(last_error(), context, "fstat");
  return status;
}

inline bool is_open_for_writing(int fd) { return (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR; }

/// Whether two descriptors were open on one object.
inline bool is_same_object(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// A descriptor that somebody else opened has to grant what is asked for. `number` is what the caller knows it by.
inline void require_access(int fd, int number, Access access, Context context) {
  const std::string facts = context + "descriptor " + std::to_string(number) + " is open for ";
  if ((::fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
    throw Error(errc::permission_denied, facts + "writing only", "open it for reading and writing");
  }
  if (access == Access::read_write && !is_open_for_writing(fd)) {
    throw Error(errc::read_only, facts + "reading only", "attach<const T, N>");
  }
}

/// A descriptor of this process that somebody else keeps: duplicated, so that it can be closed on its own.
inline Descriptor duplicate(int fd, Context context) {
  Descriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy && errno != EBADF) throw refused(last_error(), context, "dup");
  if (!copy) {
    throw Error(errc::not_found, last_error(), context + "descriptor " + std::to_string(fd), array_is_gone);
  }
  return copy;
}

}  // namespace ndshm::detail::os
