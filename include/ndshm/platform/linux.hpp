// SPDX-License-Identifier: BSL-1.0
// linux.hpp: memory objects of Linux: O_TMPFILE files in /dev/shm that get their name when they are complete, and
// memfds. A process that holds a named object holds an OFD read lock on it, which its mapping pins: the kernel lets go
// of it when the process ends, however it ends. The same functions stand in posix.hpp; platform.hpp says what each one
// promises. Sources: open(2), linkat(2), fcntl_locking(2), memfd_create(2), madvise(2), inotify(7).
#pragma once

#include <dirent.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/sysmacros.h>

#include <array>
#include <climits>
#include <cstring>
#include <fstream>
#include <memory>
#include <ndshm/core/crash_point.hpp>
#include <ndshm/platform/unix.hpp>
#include <ndshm/platform/unix_process.hpp>
#include <ndshm/platform/unix_socket.hpp>
#include <ndshm/platform/unix_wait.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

template <class>
inline constexpr bool has_fork = true;
inline constexpr bool has_persistence = true;
inline constexpr bool can_list = true;
inline constexpr std::string_view prefix = "ndshm.";
inline constexpr std::size_t max_name_bytes = NAME_MAX - prefix.size();

/// Throws where no named object can be in that directory, and says what to do about it.
inline void require_directory(std::string_view where, Context context) { unix_only::require_directory(where, context); }

inline std::string file_of(const ObjectName& object, Context context) {
  const std::string_view where = directory_of(object, context);
  std::string path;
  path.reserve(where.size() + 1 + prefix.size() + object.name.size());
  return path.append(where).append("/").append(prefix).append(object.name);
}

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
    return read_at(fd_.get(), offset, destination, bytes);
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

/// Whether any process holds the object, without touching its locks. Whoever sweeps it does not.
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
          context + "what is behind descriptor " + std::to_string(number) + " is not a segment of ndshm (" + why + ")"};
}

/// What somebody else made has to be a memfd that nobody can cut off any more: reading beyond its end is a SIGBUS. To
/// be asked before the size, which can change until then. Seals are never taken away.
inline void require_sealed(int fd, int number, Context context) {
  constexpr int wanted = F_SEAL_SHRINK | F_SEAL_GROW;
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals == -1) throw no_segment(number, "it is no memory object", context);
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
                  "mount a tmpfs there, let NDSHM_DIR name a directory of one, or build with NDSHM_PORTABLE_POSIX");
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

/// Opens the object of that name and holds it, so that nobody removes it. Nothing where there is none, and where no
/// process holds it and `kind_of(object)` does not say that it lives on its own: such an object is dead.
template <class KindOf>
std::optional<Object> open_named(const ObjectName& name, Access access, const AttachOptions& options, KindOf kind_of,
                                 Context context) {
  const std::string path = file_of(name, context);
  const auto open = [&](Descriptor fd) {
    Object object(std::move(fd), access, context);
    if (!object.is_file()) throw Error(errc::not_a_segment, context + path + " is not a regular file");
    if (options.owner == Owner::me && object.user() != ::geteuid()) {
      throw Error(errc::permission_denied,
                  context + "it belongs to user " + std::to_string(object.user()) + ", this is user " +
                      std::to_string(::geteuid()),
                  "attach with {.owner = ndshm::Owner::anyone} where you trust that user");
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
    if (!linux_only::is_held(fd.get())) {
      Object idle = open(std::move(fd));
      if (!idle.has_name()) continue;  // removed since it was opened: the name may be another one's by now
      if (kind_of(idle) != Kind::persistent) return std::nullopt;
      fd = std::move(idle).take();
    }
    const bool locked = linux_only::try_lock(fd.get(), linux_only::Lock::read);
    if (!locked && errno != EAGAIN && errno != EACCES) throw refused(last_error(), context, "lock " + path);
    NDSHM_CRASH_POINT("attach: locked");
    Object object = open(std::move(fd));
    if (locked && object.has_name()) return object;
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
    throw linux_only::no_segment(number, "it is no memory object", context);
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

/// The names of all objects in the directory in force, dead or alive, of all users.
inline std::vector<std::string> names() {
  std::vector<std::string> result;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(std::string(directory()).c_str()), ::closedir);
  if (!entries) return result;
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string_view file = entry->d_name;
    if (file.size() > prefix.size() && file.starts_with(prefix)) result.emplace_back(file.substr(prefix.size()));
  }
  return result;
}

/// What a program without this library opens to see the bytes.
inline std::string path_of_name(const ObjectName& name, Context context) { return file_of(name, context); }
inline std::string path_of_descriptor(int fd, Context) {
  return "/proc/" + std::to_string(process_id()) + "/fd/" + std::to_string(fd);
}

/// Sleeps until something in the directory of names may have changed.
class NameWatch {
 public:
  explicit NameWatch(const ObjectName& name) : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    const std::string where(directory_of(name, Context("watch", name.name)));
    if (fd_ && ::inotify_add_watch(fd_.get(), where.c_str(), IN_CREATE | IN_MOVED_TO) < 0) fd_.close();
  }
  void wait(std::chrono::nanoseconds limit) {
    // Without inotify (its instances are limited) a look every 10 ms has to do.
    const auto turn = std::clamp<std::chrono::nanoseconds>(
        limit, std::chrono::nanoseconds(0), fd_ ? std::chrono::milliseconds(500) : std::chrono::milliseconds(10));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(turn);
    const timespec time{static_cast<time_t>(seconds.count()), static_cast<long>((turn - seconds).count())};
    pollfd entry{fd_.get(), POLLIN, 0};
    if (::ppoll(&entry, 1, &time, nullptr) <= 0) return;
    alignas(inotify_event) std::array<char, 4096> events{};
    while (::read(fd_.get(), events.data(), events.size()) > 0) {
    }
  }

 private:
  Descriptor fd_;
};

namespace linux_only {

/// Whether a thread, an entry of /proc/self/task, has ended. The kernel lists it for a moment longer, even after it let
/// whoever waits for it go on. Source: proc_pid_stat(5), PF_EXITING of the kernel's include/linux/sched.h.
inline bool has_ended(const char* thread) {
  const std::string path = std::string("/proc/self/task/") + thread + "/stat";
  std::string line;  // "id (name) state parent group session terminal its_group flags ...", any name
  if (!std::getline(std::ifstream(path), line)) return ::access(path.c_str(), F_OK) != 0;
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string ignored;
  for (int i = 0; i != 6; ++i) fields >> ignored;
  unsigned long flags = 0;
  fields >> flags;
  constexpr unsigned long exiting = 0x4;
  return (flags & exiting) != 0;
}

}  // namespace linux_only

/// Threads of this process; 0 where that cannot be told.
inline std::size_t count_threads() {
  struct stat status {};
  if (::stat("/proc/self/task", &status) != 0) return 0;
  if (status.st_nlink == 3) return 1;  // the usual case, without a look at each
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir("/proc/self/task"), ::closedir);
  if (!entries) return 0;
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (entry->d_name[0] != '.' && !linux_only::has_ended(entry->d_name)) ++count;
  }
  return count;
}

/// Bytes that can be had before the kernel has to kill somebody: free and reclaimable memory and swap.
inline std::uint64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::uint64_t kib = 0;
  bool known = false;
  for (std::string key, line; file >> key && std::getline(file, line);) {
    if (key == "MemAvailable:" || key == "SwapFree:") {
      kib += std::strtoull(line.c_str(), nullptr, 10);
      known = true;
    }
  }
  return known ? kib * 1024 : UINT64_MAX;
}

namespace linux_only {

/// Whether the file system of that directory was mounted with huge pages. Source: proc_pid_mountinfo(5).
inline bool mounted_with_huge_pages(std::string_view where) {
  struct stat status {};
  if (::stat(std::string(where).c_str(), &status) != 0) return false;
  // "id parent major:minor root point options fields... - type source options_of_the_file_system"
  const std::string device =
      " " + std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev)) + " ";
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const std::size_t fields = line.find(" - ");
    if (fields == std::string::npos || line.find(device) > fields) continue;
    for (const char* const option : {"huge=advise", "huge=always", "huge=within_size"}) {
      if (line.find(option, fields) != std::string::npos) return true;
    }
  }
  return false;
}

}  // namespace linux_only

/// Whether the kernel gives huge pages to such an object when asked to.
inline bool huge_pages_are_on(bool named) {
  if (named && linux_only::mounted_with_huge_pages(directory())) return true;
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
  std::string text;
  std::getline(file, text);
  if (named) return text.find("[force]") != std::string::npos;
  return !text.empty() && text.find("[never]") == std::string::npos && text.find("[deny]") == std::string::npos;
}

/// Maps every page for writing, at once and not by a fault for each. Takes what is not there yet. `not_supported` where
/// the kernel cannot (before 5.14).
inline std::error_code populate(void* address, std::size_t bytes) {
  constexpr int populate_write = 23;  // MADV_POPULATE_WRITE, which older headers do not know
  constexpr std::size_t piece = std::size_t{64} << 20;
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t length = std::min(piece, bytes - done);
    if (::madvise(static_cast<char*>(address) + done, length, populate_write) != 0) {
      if (errno == EINTR) continue;
      if (errno == EINVAL) return std::make_error_code(std::errc::not_supported);
      if (errno == EFAULT) errno = ENOSPC;  // how a full tmpfs answers this call
      return last_error();
    }
    done += length;
  }
  return {};
}

/// The same with huge pages.
inline std::error_code populate_huge(void* address, std::size_t bytes) {
  if (::madvise(address, bytes, MADV_HUGEPAGE) != 0) return std::make_error_code(std::errc::not_supported);
  return populate(address, bytes);
}

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os
