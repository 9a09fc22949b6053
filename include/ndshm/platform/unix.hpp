// SPDX-License-Identifier: BSL-1.0
// unix.hpp: what linux.hpp and posix.hpp have in common: descriptors, what they are open on, and how refusals of the
// system become errors. Nothing outside platform/ includes it.
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/mapping.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

/// Where named objects are, unless NDSHM_DIR names another directory.
inline constexpr std::string_view default_directory = "/dev/shm";

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

namespace unix_only {

/// A variable of the environment, unless this process has more rights than whoever set it.
inline const char* trusted_variable(const char* name) {
#if defined(__GLIBC__)
  return ::secure_getenv(name);
#else
  return ::getuid() == ::geteuid() && ::getgid() == ::getegid() ? std::getenv(name) : nullptr;
#endif
}

inline std::string find_directory() {
  const char* const value = trusted_variable("NDSHM_DIR");
  std::string path = value == nullptr || *value == '\0' ? std::string(default_directory) : value;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace unix_only

/// The directory of named objects that is in force in this process: the one that NDSHM_DIR named when it was first
/// asked for, else default_directory.
inline std::string_view directory() {
  static const std::string& chosen = *new std::string(unix_only::find_directory());  // static destructors may ask
  return chosen;
}

namespace unix_only {

/// Throws where that is no directory, and says what to do about it.
inline void require_directory(std::string_view where, Context context) {
  const std::string path(where);
  struct stat status {};
  const bool found = ::stat(path.c_str(), &status) == 0;
  if (found && S_ISDIR(status.st_mode)) return;
  const std::error_code error = error_of(found ? ENOTDIR : errno);
  const std::string facts = context + "the directory of named arrays, " + path;
  if (error == std::errc::permission_denied) throw Error(errc::permission_denied, error, facts, "check its mode");
  if (error == std::errc::filename_too_long) {
    throw Error(errc::invalid_argument, error, facts, "let NDSHM_DIR name one with a shorter path");
  }
  throw Error(errc::not_found, error, facts, "make it, or let NDSHM_DIR name one that is there, in every process");
}

}  // namespace unix_only

/// The directory that the object is in.
inline std::string_view directory_of(const ObjectName& object, Context context) {
  const std::string_view where = object.directory.empty() ? directory() : object.directory;
  if (where.starts_with('/')) return where;
  throw Error(errc::invalid_argument,
              context + "the directory of named arrays, " + std::string(where) + ", is a relative path",
              "let NDSHM_DIR name an absolute one");
}

/// For what the system said about the path of a named object.
inline Error refused_path(std::error_code error, Context context, std::string_view call, const std::string& path) {
  const std::string facts = std::string(call) + " " + path;
  if (error == std::errc::filename_too_long) {
    return {errc::invalid_argument, error, context + facts, "let NDSHM_DIR name a directory with a shorter path"};
  }
  return refused(error, context, facts);
}

inline void close_descriptor(int fd) noexcept { ::close(fd); }
/// A file descriptor.
using Descriptor = Owned<close_descriptor>;

inline boost::interprocess::mapped_region map(int fd, Access access, std::size_t bytes, Context context,
                                              std::size_t offset = 0) {
  boost::interprocess::mapping_handle_t handle{};
  handle.handle = fd;
  handle.is_xsi = false;
  return map(Mappable(handle, access), offset, bytes, [&](int error) {
    return refused(error_of(error), context, "mapping " + format_bytes(bytes) + " of memory");
  });
}

inline struct stat status_of(int fd, Context context) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw refused(last_error(), context, "fstat");
  return status;
}

/// Reads exactly `bytes` bytes; false where the object ends before.
inline bool read_at(int fd, std::size_t offset, void* destination, std::size_t bytes) {
  auto* to = static_cast<char*>(destination);
  while (bytes > 0) {
    const auto got = retry_on_signal([&] { return ::pread(fd, to, bytes, static_cast<off_t>(offset)); });
    if (got <= 0) return false;
    to += got;
    offset += static_cast<std::size_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
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

/// Commits the memory of [offset, offset + bytes): posix_fallocate in pieces, each of them repeated after a signal (one
/// large call can be interrupted for ever by a periodic signal on kernels before 6.11). A file system that cannot do it
/// is left as it is.
inline std::error_code reserve(int fd, std::size_t offset, std::size_t bytes) {
#if defined(_POSIX_ADVISORY_INFO) && _POSIX_ADVISORY_INFO > 0
  constexpr std::size_t piece = std::size_t{4} << 20;
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t length = std::min(piece, bytes - done);
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

inline Space space_of_names() {
  struct statvfs status {};
  if (::statvfs(std::string(directory()).c_str(), &status) != 0) return {};
  const auto unit = static_cast<std::uint64_t>(status.f_frsize);
  return {status.f_bavail * unit, status.f_blocks * unit};
}

inline std::uint64_t process_id() { return static_cast<std::uint64_t>(::getpid()); }

/// Runs `before` in front of every fork() of this process, `after` behind it in both processes.
inline void at_fork(void (*before)(), void (*after)()) { ::pthread_atfork(before, after, after); }

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os
