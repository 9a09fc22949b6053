// SPDX-License-Identifier: BSL-1.0
// linux/objects.hpp: memory objects of Linux: O_TMPFILE files that get their name when they are complete, and memfds. A
// process that holds a named object holds an OFD read lock on it, which its mapping pins: the kernel lets go of it when
// the process ends, however it ends. Sources: open(2), linkat(2), fcntl_locking(2), memfd_create(2).
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ndshm/core/context.hpp>
#include <ndshm/core/crash_point.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/platform/linux/names.hpp>
#include <ndshm/platform/linux/this_process.hpp>
#include <ndshm/platform/types.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <ndshm/platform/unix/memory.hpp>
#include <ndshm/platform/unix/names.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

namespace linux_only {

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

}  // namespace linux_only

/// An object that is open: the descriptor, what it is, and whether it may be written.
class Object {
 public:
  Object(Descriptor fd, Access access, Context context)
      : fd_(std::move(fd)), access_(access), status_(status_of(fd_.get(), context)) {}

  std::size_t size() const { return static_cast<std::size_t>(status_.st_size); }
  Access access() const { return access_; }
  int descriptor() const { return fd_.get(); }
  bool is_writable() const { return is_open_for_writing(fd_.get()); }
  bool has_name() const { return status_.st_nlink > 0; }
  bool is_file() const { return S_ISREG(status_.st_mode); }
  bool is_same_as(const Object& other) const { return is_same_object(status_, other.status_); }
  std::uint64_t user() const { return status_.st_uid; }
  /// Whether nobody can map it for writing any more. Of an object that has no name.
  bool is_frozen() const {
    const int seals = ::fcntl(fd_.get(), F_GET_SEALS);
    return seals != -1 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0;
  }
  /// Sees to it. What is mapped for writing stays so.
  void freeze(Context context) const {
    if (is_frozen() || ::fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0) return;
    if (errno == EINVAL) throw Error(errc::unsupported, context + "the kernel is older than 5.1 and cannot do it");
    throw refused(last_error(), context, "seal");
  }
  bool read(std::size_t offset, void* destination, std::size_t bytes) const {
    return linux_only::read_at(fd_.get(), offset, destination, bytes);
  }
  bool write(std::size_t offset, const void* source, std::size_t bytes) const {
    return ::pwrite(fd_.get(), source, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
  }
  boost::interprocess::mapped_region map(std::size_t bytes, Context context) const {
    return os::map(fd_.get(), access_, bytes, context);
  }
  Descriptor take() && { return std::move(fd_); }
  /// The mapping pins the lock, so a named object needs no descriptor once it is mapped.
  void mapped(bool named) {
    if (named) fd_.close();
  }

 private:
  Descriptor fd_;
  Access access_;
  struct stat status_;
};

namespace linux_only {

enum class Lock : short { read = F_RDLCK, write = F_WRLCK };

/// Takes the lock without waiting. Never converted, never released by hand: closing does that.
inline bool try_lock(int fd, Lock kind) {
  struct flock range {};
  range.l_type = static_cast<short>(kind);
  range.l_whence = SEEK_SET;
  range.l_len = 1;
  return retry_on_signal([&] { return ::fcntl(fd, F_OFD_SETLK, &range); }) == 0;
}

/// Whether any process holds the object, without touching its locks. A process that sweeps it does not hold it.
inline bool is_held(int fd) {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_len = 1;
  return ::fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type == F_RDLCK;
}

inline Descriptor open_file(const std::string& path, Access access) {
  const int flags = (access == Access::read_write ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  return Descriptor(retry_on_signal([&] { return ::open(path.c_str(), flags); }));
}

/// Opens once more what a file of /proc/PID/fd stands for, with an access of its own.
inline Descriptor reopen(const std::string& path, Access access, Context context) {
  const int flags = (access == Access::read_write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
  Descriptor fd(retry_on_signal([&] { return ::open(path.c_str(), flags); }));
  if (!fd) throw refused(last_error(), context, path);
  return fd;
}

inline std::string path_of_own(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

inline Error no_segment(int number, const std::string& why, Context context) {
  return {errc::not_a_segment,
          context + "descriptor " + std::to_string(number) + " is not a segment of ndshm (" + why + ")"};
}

/// What somebody else made has to be a memfd that nobody can cut off any more: reading beyond its end is a SIGBUS. To
/// be asked before the size, which can change until then. Seals are never taken away.
inline void require_sealed(int fd, int number, Context context) {
  constexpr int wanted = F_SEAL_SHRINK | F_SEAL_GROW;
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals == -1) throw no_segment(number, "it is not a memory object", context);
  if ((seals & wanted) != wanted) throw no_segment(number, "its size is not sealed", context);
}

/// The object behind a descriptor of this process, checked.
inline Object open_checked(Descriptor fd, int number, Access access, Context context) {
  require_sealed(fd.get(), number, context);
  require_access(fd.get(), number, access, context);
  // A read-only mapping of a writable descriptor could be made writable by mprotect.
  const bool reopens = access == Access::read_only && is_open_for_writing(fd.get());
  return {reopens ? reopen(path_of_own(fd.get()), access, context) : std::move(fd), access, context};
}

}  // namespace linux_only

/// An object that nobody else can see yet.
class UnpublishedObject {
 public:
  explicit UnpublishedObject(Descriptor fd) : fd_(std::move(fd)) {}
  int descriptor() const { return fd_.get(); }

  /// Gives it the name, complete as it is; false when the name is taken.
  bool publish(const ObjectName& object, Context context) {
    if (!locked_) {
      if (!linux_only::try_lock(fd_.get(), linux_only::Lock::read)) throw refused(last_error(), context, "lock");
      locked_ = true;
    }
    NDSHM_CRASH_POINT("create: locked");
    // Through /proc, because AT_EMPTY_PATH takes a capability; without /proc it is the only way.
    const std::string self = linux_only::path_of_own(fd_.get());
    const std::string path = file_of(object, context);
    if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0) return true;
    if (errno == ENOENT && ::linkat(fd_.get(), "", AT_FDCWD, path.c_str(), AT_EMPTY_PATH) == 0) return true;
    if (errno == EEXIST) return false;
    throw refused_path(last_error(), context, "linkat", path);
  }

  Object finish(Context context) && { return {std::move(fd_), Access::read_write, context}; }

 private:
  Descriptor fd_;
  bool locked_ = false;
};

inline std::error_code set_size(int fd, std::size_t bytes) {
  return retry_on_signal([&] { return ::ftruncate(fd, static_cast<off_t>(bytes)); }) == 0 ? std::error_code{}
                                                                                          : last_error();
}

inline std::optional<UnpublishedObject> prepare_named(const ObjectName& name, std::size_t bytes,
                                                      const CreateOptions& options, Context context) {
  const std::string where(directory_of(name, context));
  Descriptor fd(retry_on_signal([&] { return ::open(where.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }));
  if (!fd) {
    const std::error_code error = last_error();
    require_directory(where, context);
    if (error == std::errc::operation_not_supported || error == std::errc::is_a_directory) {
      throw Error(errc::unsupported, error, context + "O_TMPFILE in " + where,
                  "mount a tmpfs there, set NDSHM_DIR to a directory on one, or build with NDSHM_PORTABLE_POSIX");
    }
    throw refused(error, context, "O_TMPFILE in " + where);
  }
  NDSHM_CRASH_POINT("create: opened");
  if (::fchmod(fd.get(), static_cast<mode_t>(options.mode)) != 0) throw refused(last_error(), context, "fchmod");
  if (const auto error = set_size(fd.get(), bytes)) throw refused(error, context, "ftruncate");
  NDSHM_CRASH_POINT("create: sized");
  return UnpublishedObject(std::move(fd));
}

inline UnpublishedObject prepare_anonymous(std::size_t bytes, unsigned mode, Context context) {
  constexpr unsigned noexec_seal = 8;  // MFD_NOEXEC_SEAL, which glibc 2.36 does not know
  Descriptor fd(::memfd_create("ndshm", MFD_CLOEXEC | MFD_ALLOW_SEALING | noexec_seal));
  if (!fd && errno == EINVAL) fd = Descriptor(::memfd_create("ndshm", MFD_CLOEXEC | MFD_ALLOW_SEALING));  // before 6.3
  if (!fd) throw refused(last_error(), context, "memfd_create");
  if (::fchmod(fd.get(), static_cast<mode_t>(mode)) != 0) throw refused(last_error(), context, "fchmod");
  if (const auto error = set_size(fd.get(), bytes)) throw refused(error, context, "ftruncate");
  // Nobody who gets the descriptor can cut the array off under a reader.
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) throw refused(last_error(), context, "seal");
  return UnpublishedObject(std::move(fd));
}

/// Opens the object of that name to look at it, without holding it: who holds an object has to sweep it afterwards.
/// Nothing where there is none, or none that may be read.
inline std::optional<Object> peek_named(const ObjectName& name) {
  Descriptor fd = linux_only::open_file(file_of(name, Context("peek", name.name)), Access::read_only);
  if (!fd) return std::nullopt;
  Object object(std::move(fd), Access::read_only, Context("peek"));
  if (!object.is_file() || !object.has_name()) return std::nullopt;
  return object;
}

inline bool is_held(const Object& object, const ObjectName&) { return linux_only::is_held(object.descriptor()); }

/// What open_named() found.
struct HeldObject {
  Object object;
  bool was_idle;  // nobody else held it, so that kind_of(object) was asked
};

/// Opens the object of that name and holds it, so that nobody removes it. Nothing where there is none, and where no
/// process holds it and `kind_of(object)` does not say that it lives on its own: such an object is dead.
template <class KindOf>
std::optional<HeldObject> open_named(const ObjectName& name, Access access, const AttachOptions& options,
                                     KindOf kind_of, Context context) {
  const std::string path = file_of(name, context);
  const auto open = [&](Descriptor fd) {
    Object object(std::move(fd), access, context);
    if (!object.is_file()) throw Error(errc::not_a_segment, context + path + " is not a regular file");
    if (options.owner == Owner::me && object.user() != ::geteuid()) {
      throw Error(errc::permission_denied,
                  context + "it belongs to user " + std::to_string(object.user()) + ", this is user " +
                      std::to_string(::geteuid()),
                  "attach with {.owner = ndshm::Owner::anyone} if you trust that user");
    }
    return object;
  };
  Backoff backoff(std::chrono::seconds(1));
  for (;;) {
    Descriptor fd = linux_only::open_file(path, access);
    if (!fd) {
      if (errno == ENOENT) {
        require_directory(directory_of(name, context), context);
        return std::nullopt;
      }
      if (errno == ELOOP) throw Error(errc::not_a_segment, context + path + " is a symbolic link");
      if (errno == EISDIR || errno == ENXIO) {
        throw Error(errc::not_a_segment, context + path + " is not a regular file");
      }
      throw refused_path(last_error(), context, "open", path);
    }
    NDSHM_CRASH_POINT("attach: opened");
    const bool idle_now = !linux_only::is_held(fd.get());
    if (idle_now) {
      Object idle = open(std::move(fd));
      if (!idle.has_name()) continue;  // removed since it was opened: the name may be another one's by now
      if (kind_of(idle) != Kind::persistent) return std::nullopt;
      fd = std::move(idle).take();
    }
    const bool locked = linux_only::try_lock(fd.get(), linux_only::Lock::read);
    if (!locked && errno != EAGAIN && errno != EACCES) throw refused(last_error(), context, "lock " + path);
    NDSHM_CRASH_POINT("attach: locked");
    Object object = open(std::move(fd));
    if (locked && object.has_name()) return HeldObject{std::move(object), idle_now};
    // Refused: a sweeper looks at it. No name: a sweeper removed it before we held it. Either ends at once.
    if (!locked && !backoff.wait()) {
      throw Error(errc::timed_out, context + "another process has had it locked for removal for 1 s",
                  "is that process stopped?");
    }
  }
}

/// A descriptor that this process inherited, received or made, for the object behind it.
inline Object open_descriptor(int number, Access access, Context context) {
  return linux_only::open_checked(duplicate(number, context), number, access, context);
}

/// A descriptor of another process of this user. Only what the file's mode allows counts, not how that process opened
/// it.
inline Object open_process_descriptor(std::uint64_t pid, int number, Access access, Context context) {
  if (pid == process_id()) return open_descriptor(number, access, context);
  const std::string path = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(number);
  // First without opening what it stands for: that can have consequences, for a device or a FIFO.
  const Descriptor place(retry_on_signal([&] { return ::open(path.c_str(), O_PATH | O_CLOEXEC); }));
  if (!place) throw refused(last_error(), context, path);
  if (!S_ISREG(status_of(place.get(), context).st_mode)) {
    throw linux_only::no_segment(number, "it is not a memory object", context);
  }
  const std::string self = linux_only::path_of_own(place.get());
  Descriptor fd = linux_only::reopen(self, Access::read_only, context);
  linux_only::require_sealed(fd.get(), number, context);
  if (access == Access::read_write) fd = linux_only::reopen(self, access, context);
  return {std::move(fd), access, context};
}

/// Removes the object of that name if no process holds it and it is one of ours. `kind_of(object)` says what it is; it
/// is asked while nobody can attach. Always through a fresh descriptor: asking for the write lock on one that is shared
/// with a child would take the child's read lock away.
template <class KindOf>
Swept sweep_named(const ObjectName& name, KindOf kind_of) {
  const std::string path = file_of(name, Context("sweep", name.name));
  Descriptor fd = linux_only::open_file(path, Access::read_write);
  if (!fd) return errno == ENOENT ? Swept::absent : Swept::in_use;
  NDSHM_CRASH_POINT("sweep: opened");
  if (!linux_only::try_lock(fd.get(), linux_only::Lock::write)) return Swept::in_use;
  NDSHM_CRASH_POINT("sweep: locked");
  const Object object(std::move(fd), Access::read_write, Context("sweep"));
  if (!object.has_name()) return Swept::absent;  // another sweeper was faster; the name may be a new one's
  if (!object.is_file() || object.user() != ::geteuid() || kind_of(object) != Kind::shared) return Swept::in_use;
  NDSHM_CRASH_POINT("sweep: before unlink");
  const bool removed = ::unlink(path.c_str()) == 0;
  NDSHM_CRASH_POINT("sweep: unlinked");
  return removed ? Swept::removed : Swept::in_use;
}

}  // namespace ndshm::detail::os
