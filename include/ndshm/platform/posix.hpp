// SPDX-License-Identifier: BSL-1.0
// posix.hpp: memory objects of any POSIX system: shm_open, and beside each named object a lock file that tells who
// lives. The same functions as in linux.hpp; platform.hpp says what each one promises. All that is assumed of a system
// stands in this file: names of at most 31 bytes, sizes that may be rounded up to pages, no memfd, no O_TMPFILE, no
// /proc, no read() on a memory object, no locks on one (macOS has none of them).
//
// A named object NAME is guarded by /tmp/ndshm-UID/NAME.lock, in a directory that only its user can enter. Whoever
// makes or removes the object holds the lock file exclusively (flock), whoever uses it holds it shared; the kernel lets
// go of both when the process ends. The lock file says whether the object is ours: its first byte is written before the
// object is made. Where NDSHM_DIR names a directory the objects are plain files in it, ndshm_NAME, and the lock files
// lie beside them, .ndshm_NAME.lock; its names belong to the users who made them. Weaker than linux.hpp: the lock
// belongs to a descriptor, so a program that closes descriptors it does not own lets go of its arrays; other users
// cannot attach; the clock of attach's time-out is looked at every 5 ms. Sources: shm_open(3p), flock(2), xnu,
// bsd/kern/posix_shm.c: PSHMNAMLEN is 31.
#pragma once

#include <dirent.h>
#include <sys/file.h>

#include <boost/interprocess/shared_memory_object.hpp>
#include <climits>
#include <cstring>
#include <memory>
#include <ndshm/core/crash_point.hpp>
#include <ndshm/platform/lacking.hpp>
#include <ndshm/platform/unix.hpp>
#include <ndshm/platform/unix_process.hpp>
#include <ndshm/platform/unix_socket.hpp>
#include <ndshm/platform/unix_wait.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

template <class>
inline constexpr bool has_fork = true;
inline constexpr bool has_persistence = true;
inline constexpr bool can_list = true;
// Not that of linux.hpp: programs built for the one and for the other way of telling who lives must not meet.
inline constexpr std::string_view prefix = "ndshm_";
inline constexpr std::size_t max_object_name = 31;  // with its slash
inline constexpr std::size_t max_name_bytes = max_object_name - 1 - prefix.size();

/// Throws where no named object can be in that directory, and says what to do about it. The system's memory objects
/// are in none.
inline void require_directory(std::string_view where, Context context) {
  if (where != default_directory) unix_only::require_directory(where, context);
}

namespace posix_only {

/// Whether the objects of that directory are files, and not the system's memory objects.
inline bool has_files(std::string_view where) { return where != default_directory; }

inline std::string object_name(std::string_view name) { return "/" + std::string(prefix) + std::string(name); }

/// The directory of this user's lock files, made if need be. Throws when another user could write to it.
inline std::string lock_directory(Context context) {
  std::string path = "/tmp/ndshm-" + std::to_string(::geteuid());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw refused(last_error(), context, "mkdir " + path);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) throw refused(last_error(), context, path);
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 077U) != 0) {
    throw Error(errc::permission_denied, context + path + " is not a directory that only this user can enter",
                "remove it");
  }
  return path;
}

inline constexpr std::string_view lock_suffix = ".lock";
/// In a directory that has the objects, too. No object's file starts like this.
inline constexpr std::string_view lock_prefix = ".ndshm_";

inline std::string lock_file(const ObjectName& object, Context context) {
  const std::string_view where = directory_of(object, context);
  std::string path =
      has_files(where) ? std::string(where) + "/" + std::string(lock_prefix) : lock_directory(context) + "/";
  return path.append(object.name).append(lock_suffix);
}

/// What the object is called: the name of a memory object, or the path of a file.
inline std::string object_path(const ObjectName& object, Context context) {
  const std::string_view where = directory_of(object, context);
  return has_files(where) ? std::string(where) + object_name(object.name) : object_name(object.name);
}

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

}  // namespace posix_only

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
    throw Error(errc::unsupported, context + "the portable path has no way to take writing away",
                "hand on a named array, for others to attach<const T, N>");
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
      copy(os::map(fd_.get(), access, bytes, {}, offset).get_address());
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
    posix_only::unlink_object(directory_, path_);
    NDSHM_CRASH_POINT("create: nameless");
    ::unlink(lock_path_.c_str());
    lock_.close();
  }

  bool publish(const ObjectName&, Context context) {
    posix_only::set_mark(lock_.get(), posix_only::Mark::complete, context);
    NDSHM_CRASH_POINT("create: complete");
    // From exclusive to shared. A system may let go in between, and a sweeper come in: that would show.
    const bool shared = retry_on_signal([&] { return ::flock(lock_.get(), LOCK_SH); }) == 0;
    if (!shared) throw refused(last_error(), context, "flock");
    published_ = true;
    if (posix_only::stands(lock_.get())) return true;
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

namespace posix_only {

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

}  // namespace posix_only

inline std::optional<UnpublishedObject> prepare_named(const ObjectName& name, std::size_t bytes,
                                                      const CreateOptions& options, Context context) {
  const std::string_view where = directory_of(name, context);
  require_directory(where, context);
  const std::string path = posix_only::lock_file(name, context);
  for (;;) {
    Descriptor lock = posix_only::open_lock(path, O_CREAT);
    if (!lock) throw refused_path(last_error(), context, "open", path);
    posix_only::require_own_file(lock.get(), path, context);
    NDSHM_CRASH_POINT("create: opened");
    if (!posix_only::lock_alone(lock.get())) return std::nullopt;
    NDSHM_CRASH_POINT("create: locked");
    if (!posix_only::stands(lock.get())) continue;  // a sweeper removed it before we had it
    if (posix_only::open_object(name, Access::read_only, context)) {
      if (posix_only::mark_of(lock.get()) == posix_only::Mark::none)
        ::unlink(path.c_str());  // a stranger's object needs no lock file
      return std::nullopt;
    }
    // From here on what has the name is ours, also if we die before it is complete.
    posix_only::set_mark(lock.get(), posix_only::Mark::making, context);
    NDSHM_CRASH_POINT("create: marked");
    const std::string object = posix_only::object_path(name, context);
    Descriptor fd;
    try {
      fd = posix_only::has_files(where) ? posix_only::make_file(object, options.mode, context)
                                        : posix_only::make_memory_object(object, options.mode, context);
      if (fd) fd = posix_only::sized(std::move(fd), where, object, bytes, context);
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
  std::random_device random;
  for (;;) {
    const std::string name = "anonymous." + std::to_string(random());
    std::optional<UnpublishedObject> unpublished = prepare_named({name}, bytes, {.mode = mode}, context);
    if (!unpublished) continue;
    unpublished->lose_name();
    return std::move(*unpublished);
  }
}

inline std::optional<Object> peek_named(const ObjectName& name) {
  const Context context("peek", name.name);
  const Descriptor lock = posix_only::open_lock(posix_only::lock_file(name, context), 0);
  // Its maker is not done, or has ended in the middle.
  if (lock && posix_only::mark_of(lock.get()) == posix_only::Mark::making) return std::nullopt;
  Descriptor fd = posix_only::open_object(name, Access::read_only, context);
  if (!fd) return std::nullopt;
  return Object(std::move(fd), {}, Access::read_only, context);
}

inline bool is_held(const Object&, const ObjectName& name) {
  const Descriptor lock = posix_only::open_lock(posix_only::lock_file(name, Context("peek", name.name)), 0);
  return lock && !posix_only::try_flock(lock.get(), LOCK_EX);
}

template <class KindOf>
std::optional<Object> open_named(const ObjectName& name, Access access, const AttachOptions& options, KindOf kind_of,
                                 Context context) {
  if (options.owner == Owner::anyone) {
    throw Error(errc::unsupported, context + "the portable path attaches this user's segments alone");
  }
  const std::string path = posix_only::lock_file(name, context);
  Backoff backoff(std::chrono::milliseconds(50));
  for (;;) {
    Descriptor lock = posix_only::open_lock(path, 0);
    if (!lock) {
      if (errno == ENOENT) {
        require_directory(directory_of(name, context), context);
        return std::nullopt;
      }
      throw refused_path(last_error(), context, "open", path);
    }
    posix_only::require_own_file(lock.get(), path, context);
    NDSHM_CRASH_POINT("attach: opened");
    const bool idle = posix_only::try_flock(lock.get(), LOCK_EX);  // nobody holds it: dead, or persistent
    if (!idle && !posix_only::try_flock(lock.get(), LOCK_SH)) {
      // It is being made or swept. What is not complete within a moment is not there yet.
      if (!backoff.wait()) return std::nullopt;
      continue;
    }
    NDSHM_CRASH_POINT("attach: locked");
    if (!posix_only::stands(lock.get())) continue;
    if (posix_only::mark_of(lock.get()) != posix_only::Mark::complete) return std::nullopt;  // its maker was killed
    Descriptor fd = posix_only::open_object(name, access, context);
    const std::string object_path = posix_only::object_path(name, context);
    if (!fd) {
      if (errno == ENOENT) return std::nullopt;
      throw refused_path(last_error(), context, "opening", object_path);
    }
    if (posix_only::has_files(directory_of(name, context))) {
      posix_only::require_own_file(fd.get(), object_path, context);
    }
    Object object(std::move(fd), std::move(lock), access, context);
    if (!idle) return object;
    if (kind_of(object) != Kind::persistent) return std::nullopt;
    if (!posix_only::try_flock(object.lock(), LOCK_SH) || !posix_only::stands(object.lock())) continue;
    return object;
  }
}

/// There are no seals here: whoever handed the descriptor on is trusted not to cut the object off.
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
  const std::string path = posix_only::lock_file(name, context);
  Descriptor lock = posix_only::open_lock(path, 0);
  if (!lock) return posix_only::open_object(name, Access::read_only, context) ? Swept::in_use : Swept::absent;
  posix_only::require_own_file(lock.get(), path, context);
  NDSHM_CRASH_POINT("sweep: opened");
  if (!posix_only::lock_alone(lock.get())) return Swept::in_use;
  NDSHM_CRASH_POINT("sweep: locked");
  if (!posix_only::stands(lock.get())) return Swept::absent;
  const posix_only::Mark mark = posix_only::mark_of(lock.get());
  Descriptor fd =
      mark != posix_only::Mark::none ? posix_only::open_object(name, Access::read_write, context) : Descriptor();
  const bool there = static_cast<bool>(fd);
  if (there) {
    const Object object(std::move(fd), {}, Access::read_write, context);
    if (mark == posix_only::Mark::complete && kind_of(object) != Kind::shared) return Swept::in_use;
    NDSHM_CRASH_POINT("sweep: before unlink");
    posix_only::unlink_object(directory_of(name, context), posix_only::object_path(name, context));
    NDSHM_CRASH_POINT("sweep: object unlinked");
  }
  ::unlink(path.c_str());
  NDSHM_CRASH_POINT("sweep: unlinked");
  return there ? Swept::removed : Swept::absent;
}

inline std::vector<std::string> names() {
  std::vector<std::string> result;
  const bool has_files = posix_only::has_files(directory());
  const std::string where = has_files ? std::string(directory()) : posix_only::lock_directory(Context("list"));
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(where.c_str()), ::closedir);
  if (!entries) return result;
  const std::string_view start = has_files ? posix_only::lock_prefix : std::string_view();
  while (const dirent* entry = ::readdir(entries.get())) {
    std::string_view file = entry->d_name;
    if (file.size() <= start.size() + posix_only::lock_suffix.size()) continue;
    if (!file.starts_with(start) || !file.ends_with(posix_only::lock_suffix)) continue;
    file.remove_prefix(start.size());
    file.remove_suffix(posix_only::lock_suffix.size());
    result.emplace_back(file);
  }
  return result;
}

inline std::string path_of_name(const ObjectName& name, Context context) {
  std::string path = std::string(directory_of(name, context)) + posix_only::object_name(name.name);
  if (::access(path.c_str(), F_OK) == 0) return path;
  throw Error(errc::unsupported, context + "this system does not show memory objects as files");
}
inline std::string path_of_descriptor(int, Context context) {
  throw Error(errc::unsupported, context + "the portable path shows no file of an anonymous array", "give it a name");
}

inline std::uint64_t available_memory() { return UINT64_MAX; }

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os
