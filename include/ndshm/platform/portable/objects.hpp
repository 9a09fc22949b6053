// SPDX-License-Identifier: BSL-1.0
// portable/objects.hpp: memory objects of any POSIX system: shm_open, and beside each named object a lock file that
// tells who lives. What is assumed of a system: names of at most 31 bytes, sizes that may be rounded up to pages, no
// memfd, no O_TMPFILE, no /proc, no read() on a memory object, no locks on one (macOS has none of them).
//
// A named object NAME is guarded by /tmp/ndshm-UID/NAME.lock, in a directory that only its user can enter. Whoever
// makes or removes the object holds the lock file exclusively (flock), whoever uses it holds it shared; the kernel lets
// go of both when the process ends. The lock file says whether the object is ours: its first byte is written before the
// object is made. Where NDSHM_DIR names a directory the objects are plain files in it, ndshm_NAME, and the lock files
// lie beside them, .ndshm_NAME.lock; its names belong to the users who made them. Weaker than linux/: the lock
// belongs to a descriptor, so a program that closes descriptors it does not own gives up its arrays; other users
// cannot attach; the clock of attach's time-out is looked at every 5 ms. Sources: shm_open(3p), flock(2), xnu,
// bsd/kern/posix_shm.c: PSHMNAMLEN is 31.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/interprocess/shared_memory_object.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ndshm/core/context.hpp>
#include <ndshm/core/crash_point.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/platform/portable/names.hpp>
#include <ndshm/platform/portable/this_process.hpp>
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

namespace portable_only {

inline bool try_flock(int fd, int kind) {
  return retry_on_signal([&] { return ::flock(fd, kind | LOCK_NB); }) == 0;
}

inline Descriptor open_lock(const std::string& path, int flags) {
  return Descriptor(
      retry_on_signal([&] { return ::open(path.c_str(), flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600); }));
}

/// Whether a lock file still stands at its path: a sweeper may have removed it before it was locked.
inline bool stands(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && status.st_nlink > 0;
}

/// What the first byte of a lock file says of the object.
enum class Mark : char {
  none = 0,       // there is none, or a stranger's
  making = '1',   // ours, not complete
  complete = '2'  // ours
};

inline Mark mark_of(int lock) {
  char mark = 0;
  if (::pread(lock, &mark, 1, 0) != 1) return Mark::none;
  return mark == '1' ? Mark::making : mark == '2' ? Mark::complete : Mark::none;
}

inline void set_mark(int lock, Mark mark, Context context) {
  const char byte = static_cast<char>(mark);
  if (::pwrite(lock, &byte, 1, 0) != 1) throw refused(last_error(), context, "write to the lock file");
}

/// Locks a lock file for this process alone. False where others use the segment, or one is making it: they share it, or
/// have it alone and say so. Who only looks or removes has it alone for a moment, and is waited for.
inline bool lock_alone(int lock) {
  Backoff backoff(std::chrono::seconds(1));
  for (int shared = 0;;) {
    if (try_flock(lock, LOCK_EX)) return true;
    if (mark_of(lock) == Mark::making) return false;
    if (try_flock(lock, LOCK_SH)) {
      ::flock(lock, LOCK_UN);
      if (++shared == 3) return false;  // others ask in the same way, so once does not say much
    }
    NDSHM_CRASH_POINT("lock: waiting");
    if (!backoff.wait()) return false;
  }
}

inline Descriptor open_object(const ObjectName& object, Access access, Context context) {
  const std::string path = object_path(object, context);
  const int flags = access == Access::read_write ? O_RDWR : O_RDONLY;
  if (!has_files(directory_of(object, context))) return Descriptor(::shm_open(path.c_str(), flags, 0));
  return Descriptor(retry_on_signal([&] { return ::open(path.c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); }));
}

/// `path` is that of object_path().
inline void unlink_object(std::string_view where, const std::string& path) noexcept {
  if (has_files(where)) {
    ::unlink(path.c_str());
  } else {
    ::shm_unlink(path.c_str());
  }
}

/// In a directory that users share each name, and so both of its files, belongs to one of them.
inline void require_own_file(int fd, const std::string& path, Context context) {
  const struct stat status = status_of(fd, context);
  if (!S_ISREG(status.st_mode)) throw Error(errc::not_a_segment, context + path + " is not a regular file");
  if (status.st_uid == ::geteuid()) return;
  throw Error(errc::permission_denied, context + path + " belongs to user " + std::to_string(status.st_uid) +
                                           ", this is user " + std::to_string(::geteuid()));
}

}  // namespace portable_only

/// An object that is open, and the lock file of a named one, through which it is held.
class Object {
 public:
  Object(Descriptor fd, Descriptor lock, Access access, Context context)
      : fd_(std::move(fd)), lock_(std::move(lock)), access_(access), status_(status_of(fd_.get(), context)) {}

  std::size_t size() const { return static_cast<std::size_t>(status_.st_size); }
  Access access() const { return access_; }
  int descriptor() const { return fd_.get(); }
  bool is_writable() const { return is_open_for_writing(fd_.get()); }
  int lock() const { return lock_.get(); }
  bool is_same_as(const Object& other) const { return is_same_object(status_, other.status_); }
  static constexpr bool is_frozen() { return false; }
  static void freeze(Context context) {
    throw Error(errc::unsupported, context + "the portable path cannot revoke write access",
                "give the array a name, and let others attach<const T, N>");
  }
  bool read(std::size_t offset, void* destination, std::size_t bytes) const {
    return copy(offset, bytes, Access::read_only, [&](void* mapped) { std::memcpy(destination, mapped, bytes); });
  }
  bool write(std::size_t offset, const void* source, std::size_t bytes) const {
    return copy(offset, bytes, Access::read_write, [&](void* mapped) { std::memcpy(mapped, source, bytes); });
  }
  boost::interprocess::mapped_region map(std::size_t bytes, Context context) const {
    return os::map(fd_.get(), access_, bytes, context);
  }
  /// The lock file has to stay open, the object of a named one need not.
  void mapped(bool named) {
    if (named) fd_.close();
  }

 private:
  template <class Copy>
  bool copy(std::size_t offset, std::size_t bytes, Access access, Copy copy) const {
    if (offset > size() || bytes > size() - offset) return false;
    try {
      copy(unix_only::map_at(fd_.get(), access, offset, bytes, {}).get_address());
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  Descriptor fd_;
  Descriptor lock_;
  Access access_;
  struct stat status_;
};

/// An object that nobody can attach yet, because its lock file is held exclusively. Removed again unless it is
/// published.
class UnpublishedObject {
 public:
  UnpublishedObject(Descriptor fd, Descriptor lock, std::string directory, std::string path, std::string lock_path)
      : fd_(std::move(fd)),
        lock_(std::move(lock)),
        directory_(std::move(directory)),
        path_(std::move(path)),
        lock_path_(std::move(lock_path)) {}
  UnpublishedObject(UnpublishedObject&&) = default;
  UnpublishedObject& operator=(UnpublishedObject&&) = delete;
  ~UnpublishedObject() { lose_name(); }

  int descriptor() const { return fd_.get(); }

  /// Removes the name, unless it is published: the rest of an anonymous one.
  void lose_name() noexcept {
    if (!lock_ || published_) return;
    portable_only::unlink_object(directory_, path_);
    NDSHM_CRASH_POINT("create: nameless");
    ::unlink(lock_path_.c_str());
    lock_.close();
  }

  bool publish(const ObjectName&, Context context) {
    portable_only::set_mark(lock_.get(), portable_only::Mark::complete, context);
    NDSHM_CRASH_POINT("create: complete");
    // From exclusive to shared. A system may release the lock in between, and a sweeper remove the object: that would
    // show.
    const bool shared = retry_on_signal([&] { return ::flock(lock_.get(), LOCK_SH); }) == 0;
    if (!shared) throw refused(last_error(), context, "flock");
    published_ = true;
    if (portable_only::stands(lock_.get())) return true;
    throw Error(errc::system_error, context + "it was swept while it was being published", "try again");
  }

  Object finish(Context context) && { return {std::move(fd_), std::move(lock_), Access::read_write, context}; }

 private:
  Descriptor fd_;
  Descriptor lock_;  // none for an anonymous one
  std::string directory_;
  std::string path_;
  std::string lock_path_;
  bool published_ = false;
};

namespace portable_only {

/// Sets the size of what was just made; removes it where that is refused.
inline Descriptor sized(Descriptor fd, std::string_view where, const std::string& path, std::size_t bytes,
                        Context context) {
  if (retry_on_signal([&] { return ::ftruncate(fd.get(), static_cast<off_t>(bytes)); }) == 0) return fd;
  const std::error_code error = last_error();
  unlink_object(where, path);
  throw refused(error, context, "ftruncate");
}

/// Nothing where the path is taken.
inline Descriptor make_file(const std::string& path, unsigned mode, Context context) {
  constexpr int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Descriptor fd(retry_on_signal([&] { return ::open(path.c_str(), flags, 0600); }));
  if (!fd && errno == EEXIST) return {};
  if (!fd) throw refused_path(last_error(), context, "open", path);
  if (::fchmod(fd.get(), static_cast<mode_t>(mode)) == 0) return fd;
  const std::error_code error = last_error();
  ::unlink(path.c_str());
  throw refused(error, context, "fchmod");
}

/// Nothing where the name is taken.
inline Descriptor make_memory_object(const std::string& name, unsigned mode, Context context) {
  namespace ipc = boost::interprocess;
  try {
    const ipc::shared_memory_object object(ipc::create_only, name.c_str(), ipc::read_write,
                                           ipc::permissions(static_cast<int>(mode)));
    Descriptor fd(::fcntl(object.get_mapping_handle().handle, F_DUPFD_CLOEXEC, 0));
    if (!fd) throw refused(last_error(), context, "dup");
    return fd;
  } catch (const ipc::interprocess_exception& error) {
    if (error.get_error_code() == ipc::already_exists_error) return {};
    throw refused(error_of(error.get_native_error()), context, "shm_open " + name);
  } catch (const Error&) {
    ::shm_unlink(name.c_str());
    throw;
  }
}

}  // namespace portable_only

inline std::optional<UnpublishedObject> prepare_named(const ObjectName& name, std::size_t bytes,
                                                      const CreateOptions& options, Context context) {
  const std::string_view where = directory_of(name, context);
  require_directory(where, context);
  const std::string path = portable_only::lock_file(name, context);
  for (;;) {
    Descriptor lock = portable_only::open_lock(path, O_CREAT);
    if (!lock) throw refused_path(last_error(), context, "open", path);
    portable_only::require_own_file(lock.get(), path, context);
    NDSHM_CRASH_POINT("create: opened");
    if (!portable_only::lock_alone(lock.get())) return std::nullopt;
    NDSHM_CRASH_POINT("create: locked");
    if (!portable_only::stands(lock.get())) continue;  // a sweeper removed it before we had it
    if (portable_only::open_object(name, Access::read_only, context)) {
      if (portable_only::mark_of(lock.get()) == portable_only::Mark::none)
        ::unlink(path.c_str());  // a stranger's object needs no lock file
      return std::nullopt;
    }
    // From here on what has the name is ours, also if we die before it is complete.
    portable_only::set_mark(lock.get(), portable_only::Mark::making, context);
    NDSHM_CRASH_POINT("create: marked");
    const std::string object = portable_only::object_path(name, context);
    Descriptor fd;
    try {
      fd = portable_only::has_files(where) ? portable_only::make_file(object, options.mode, context)
                                           : portable_only::make_memory_object(object, options.mode, context);
      if (fd) fd = portable_only::sized(std::move(fd), where, object, bytes, context);
    } catch (const Error&) {
      ::unlink(path.c_str());
      throw;
    }
    if (!fd) {
      ::unlink(path.c_str());
      return std::nullopt;
    }
    NDSHM_CRASH_POINT("create: sized");
    return UnpublishedObject(std::move(fd), std::move(lock), std::string(where), object, path);
  }
}

/// It has a name for a moment, guarded like others: what a process leaves that is killed in it is swept.
inline UnpublishedObject prepare_anonymous(std::size_t bytes, unsigned mode, Context context) {
  for (;;) {
    std::uint32_t number = 0;
    if (!random_bytes(&number, sizeof number)) throw refused(last_error(), context, "random bytes");
    const std::string name = "anonymous." + std::to_string(number);
    std::optional<UnpublishedObject> unpublished = prepare_named({name}, bytes, {.mode = mode}, context);
    if (!unpublished) continue;
    unpublished->lose_name();
    return std::move(*unpublished);
  }
}

inline std::optional<Object> peek_named(const ObjectName& name) {
  const Context context("peek", name.name);
  const Descriptor lock = portable_only::open_lock(portable_only::lock_file(name, context), 0);
  // Its maker is not done, or has ended in the middle.
  if (lock && portable_only::mark_of(lock.get()) == portable_only::Mark::making) return std::nullopt;
  Descriptor fd = portable_only::open_object(name, Access::read_only, context);
  if (!fd) return std::nullopt;
  return Object(std::move(fd), {}, Access::read_only, context);
}

inline bool is_held(const Object&, const ObjectName& name) {
  const Descriptor lock = portable_only::open_lock(portable_only::lock_file(name, Context("peek", name.name)), 0);
  return lock && !portable_only::try_flock(lock.get(), LOCK_EX);
}

/// What open_named() found.
struct HeldObject {
  Object object;
  bool was_idle;  // nobody else held it, so that kind_of(object) was asked
};

template <class KindOf>
std::optional<HeldObject> open_named(const ObjectName& name, Access access, const AttachOptions& options,
                                     KindOf kind_of, Context context) {
  if (options.owner == Owner::anyone) {
    throw Error(errc::unsupported, context + "the portable path attaches only segments of this user");
  }
  const std::string path = portable_only::lock_file(name, context);
  Backoff backoff(std::chrono::milliseconds(50));
  for (;;) {
    Descriptor lock = portable_only::open_lock(path, 0);
    if (!lock) {
      if (errno == ENOENT) {
        require_directory(directory_of(name, context), context);
        return std::nullopt;
      }
      throw refused_path(last_error(), context, "open", path);
    }
    portable_only::require_own_file(lock.get(), path, context);
    NDSHM_CRASH_POINT("attach: opened");
    const bool idle = portable_only::try_flock(lock.get(), LOCK_EX);  // nobody holds it: dead, or persistent
    if (!idle && !portable_only::try_flock(lock.get(), LOCK_SH)) {
      // It is being made or swept. What is not complete within a moment is not there yet.
      if (!backoff.wait()) return std::nullopt;
      continue;
    }
    NDSHM_CRASH_POINT("attach: locked");
    if (!portable_only::stands(lock.get())) continue;
    // Its maker was killed.
    if (portable_only::mark_of(lock.get()) != portable_only::Mark::complete) return std::nullopt;
    Descriptor fd = portable_only::open_object(name, access, context);
    const std::string object_path = portable_only::object_path(name, context);
    if (!fd) {
      if (errno == ENOENT) return std::nullopt;
      throw refused_path(last_error(), context, "opening", object_path);
    }
    if (portable_only::has_files(directory_of(name, context))) {
      portable_only::require_own_file(fd.get(), object_path, context);
    }
    Object object(std::move(fd), std::move(lock), access, context);
    if (!idle) return HeldObject{std::move(object), false};
    if (kind_of(object) != Kind::persistent) return std::nullopt;
    if (!portable_only::try_flock(object.lock(), LOCK_SH) || !portable_only::stands(object.lock())) continue;
    return HeldObject{std::move(object), true};
  }
}

/// There are no seals here: the process that passed the descriptor on is trusted not to cut the object off.
inline Object open_descriptor(int number, Access access, Context context) {
  Descriptor fd = duplicate(number, context);
  require_access(fd.get(), number, access, context);
  return {std::move(fd), {}, access, context};
}

inline Object open_process_descriptor(std::uint64_t pid, int number, Access access, Context context) {
  if (pid == process_id()) return open_descriptor(number, access, context);
  throw Error(errc::unsupported,
              context + "the portable path cannot open a descriptor of process " + std::to_string(pid),
              "let the process inherit it (Handle::as_inherited), or give the array a name");
}

template <class KindOf>
Swept sweep_named(const ObjectName& name, KindOf kind_of) {
  const Context context("sweep", name.name);
  const std::string path = portable_only::lock_file(name, context);
  Descriptor lock = portable_only::open_lock(path, 0);
  if (!lock) return portable_only::open_object(name, Access::read_only, context) ? Swept::in_use : Swept::absent;
  portable_only::require_own_file(lock.get(), path, context);
  NDSHM_CRASH_POINT("sweep: opened");
  if (!portable_only::lock_alone(lock.get())) return Swept::in_use;
  NDSHM_CRASH_POINT("sweep: locked");
  if (!portable_only::stands(lock.get())) return Swept::absent;
  const portable_only::Mark mark = portable_only::mark_of(lock.get());
  Descriptor fd =
      mark != portable_only::Mark::none ? portable_only::open_object(name, Access::read_write, context) : Descriptor();
  const bool there = static_cast<bool>(fd);
  if (there) {
    const Object object(std::move(fd), {}, Access::read_write, context);
    if (mark == portable_only::Mark::complete && kind_of(object) != Kind::shared) return Swept::in_use;
    NDSHM_CRASH_POINT("sweep: before unlink");
    portable_only::unlink_object(directory_of(name, context), portable_only::object_path(name, context));
    NDSHM_CRASH_POINT("sweep: object unlinked");
  }
  ::unlink(path.c_str());
  NDSHM_CRASH_POINT("sweep: unlinked");
  return there ? Swept::removed : Swept::absent;
}

inline std::string path_of_descriptor(int, Context context) {
  throw Error(errc::unsupported, context + "on the portable path an anonymous array has no file", "give it a name");
}

}  // namespace ndshm::detail::os
