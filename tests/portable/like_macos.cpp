// SPDX-License-Identifier: BSL-1.0
// like_macos.cpp: makes the C library of Linux behave as that of macOS where the two differ and the portable path could
// come to rely on it. It is linked into every test program of the portable build, and stands in front of the C library
// there: what macOS has not ends the program with SIGABRT and a line that says what was called.
//
// A memory object is what lies in /dev/shm, whoever opened it and however the descriptor came here: nothing has to be
// remembered, so signal handlers, threads, forked and spawned processes and descriptors from a socket need no care.
//
// Left as Linux has it, because tests look through it at what the library does: posix_fallocate (macOS has none, and
// _POSIX_ADVISORY_INFO says so; tests/memory.cpp shows that memory is reserved where there is one) and ftruncate to 0,
// with which memory is given back where that has failed; the files in /dev/shm; readlink of /proc/self/exe, in whose
// place macOS has _NSGetExecutablePath.
// Sources: xnu, bsd/kern/posix_shm.c; the manual pages of macOS.
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <tuple>

namespace {

constexpr std::size_t max_object_name = 31;  // PSHMNAMLEN, with the slash
constexpr off_t page = 16384;                // of Apple's own processors

/// The C library's function behind one that is defined here.
class Real {
 public:
  constexpr explicit Real(const char* name) : name_(name) {}
  void* get() {
    void* function = function_.load(std::memory_order_relaxed);
    if (function == nullptr) {
      function = ::dlsym(RTLD_NEXT, name_);
      function_.store(function, std::memory_order_relaxed);
    }
    return function;
  }

 private:
  const char* name_;
  std::atomic<void*> function_ = nullptr;
};

// clang-format off
#define REAL_FUNCTIONS(each) \
  each(shm_open) each(ftruncate) each(ftruncate64) each(fstat) each(fstat64) each(mmap) \
  each(mmap64) each(read) each(pread) each(pread64) each(write) each(pwrite) \
  each(pwrite64) each(flock) each(fcntl) each(fcntl64) \
  each(fchmod) each(open) each(open64) each(openat) each(openat64) each(recvmsg) \
  each(prctl) each(syscall)
// clang-format on
#define DEFINE_REAL(name) constinit Real real_##name(#name);
REAL_FUNCTIONS(DEFINE_REAL)
#define REAL(name) reinterpret_cast<decltype(&::name)>(real_##name.get())

/// Before main(): dlsym is not for signal handlers. What runs even earlier looks for itself.
[[gnu::constructor]] void find_all() {
#define FIND_REAL(name) real_##name.get();
  REAL_FUNCTIONS(FIND_REAL)
}

[[noreturn]] void end(const char* function, const char* why) {
  const std::array<const char*, 4> parts{"like_macos: ", function, why, "\n"};
  std::array<iovec, 4> pieces{};
  for (std::size_t i = 0; i < parts.size(); ++i) pieces[i] = {const_cast<char*>(parts[i]), std::strlen(parts[i])};
  [[maybe_unused]] const auto written = ::writev(STDERR_FILENO, pieces.data(), static_cast<int>(pieces.size()));
  std::abort();
}

[[noreturn]] void does_not_exist(const char* function) { end(function, " does not exist there"); }

int fail(int error) {
  errno = error;
  return -1;
}

bool is_memory_object(int fd, struct stat& status) {
  const int before = errno;
  struct stat directory {};
  const bool result = ::fstatat(fd, "", &status, AT_EMPTY_PATH) == 0 && S_ISREG(status.st_mode) &&
                      ::stat("/dev/shm", &directory) == 0 && status.st_dev == directory.st_dev;
  errno = before;
  return result;
}

bool is_memory_object(int fd) {
  struct stat status {};
  return is_memory_object(fd, status);
}

void require_no_memory_object(int fd, const char* function) {
  if (is_memory_object(fd)) end(function, " on a memory object");
}

/// Sizes are rounded up to pages, and given once. (To 0: see above.)
template <class Function>
int resize(Function real, int fd, off_t bytes) {
  struct stat status {};
  if (!is_memory_object(fd, status)) return real(fd, bytes);
  if (bytes < 0 || (bytes > 0 && status.st_size != 0)) return fail(EINVAL);
  return real(fd, (bytes + page - 1) / page * page);
}

/// All memory objects look alike.
template <class Function, class Status>
int look_at(Function real, int fd, Status* status) {
  const int result = real(fd, status);
  if (result != 0 || !is_memory_object(fd)) return result;
  Status seen{};
  seen.st_mode = status->st_mode & 07777U;
  seen.st_uid = status->st_uid;
  seen.st_gid = status->st_gid;
  seen.st_size = status->st_size;
  *status = seen;
  return result;
}

/// They are shared alone, and not mapped beyond their size.
template <class Function>
void* map(Function real, void* address, std::size_t bytes, int protection, int flags, int fd, off_t offset) {
  struct stat status {};
  if ((flags & MAP_ANONYMOUS) == 0 && is_memory_object(fd, status)) {
    const bool fits =
        offset >= 0 && offset <= status.st_size && bytes <= static_cast<std::size_t>(status.st_size - offset);
    if ((flags & MAP_SHARED) == 0 || !fits) {
      errno = EINVAL;
      return MAP_FAILED;
    }
  }
  return real(address, bytes, protection, flags, fd, offset);
}

/// Locks are for files alone.
void require_controllable(int fd, int command) {
  switch (command) {
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return require_no_memory_object(fd, "fcntl: a lock");
    case F_ADD_SEALS:
    case F_GET_SEALS:
      does_not_exist("fcntl: a seal");
    default:
      return;
  }
}

void require_openable(const char* path, int flags) {
  if ((flags & O_TMPFILE) == O_TMPFILE) does_not_exist("open: O_TMPFILE");
  if (std::strncmp(path, "/proc/", 6) == 0) does_not_exist("open: /proc");
}

}  // namespace

// The exception specifications are those of glibc's declarations.
extern "C" {

// ---- memory objects ------------------------------------------------------------------------------------------------

int shm_open(const char* name, int flags, mode_t mode) {
  return std::strlen(name) > max_object_name ? fail(ENAMETOOLONG) : REAL(shm_open)(name, flags, mode);
}

int ftruncate(int fd, off_t bytes) noexcept { return resize(REAL(ftruncate), fd, bytes); }
int ftruncate64(int fd, off64_t bytes) noexcept { return resize(REAL(ftruncate64), fd, bytes); }
int fstat(int fd, struct stat* status) noexcept { return look_at(REAL(fstat), fd, status); }
int fstat64(int fd, struct stat64* status) noexcept { return look_at(REAL(fstat64), fd, status); }

void* mmap(void* address, std::size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
  return map(REAL(mmap), address, bytes, protection, flags, fd, offset);
}
void* mmap64(void* address, std::size_t bytes, int protection, int flags, int fd, off64_t offset) noexcept {
  return map(REAL(mmap64), address, bytes, protection, flags, fd, offset);
}

/// For files alone. It is let be refused: Boost.Interprocess asks for it, and does not look at the answer.
int fchmod(int fd, mode_t mode) noexcept { return is_memory_object(fd) ? fail(EINVAL) : REAL(fchmod)(fd, mode); }

#define NOT_ON_MEMORY_OBJECTS(type, name, parameters, ...) \
  type name parameters {                                   \
    require_no_memory_object(fd, #name);                   \
    return REAL(name)(__VA_ARGS__);                        \
  }
NOT_ON_MEMORY_OBJECTS(ssize_t, read, (int fd, void* to, std::size_t bytes), fd, to, bytes)
NOT_ON_MEMORY_OBJECTS(ssize_t, pread, (int fd, void* to, std::size_t bytes, off_t at), fd, to, bytes, at)
NOT_ON_MEMORY_OBJECTS(ssize_t, pread64, (int fd, void* to, std::size_t bytes, off64_t at), fd, to, bytes, at)
NOT_ON_MEMORY_OBJECTS(ssize_t, write, (int fd, const void* from, std::size_t bytes), fd, from, bytes)
NOT_ON_MEMORY_OBJECTS(ssize_t, pwrite, (int fd, const void* from, std::size_t bytes, off_t at), fd, from, bytes, at)
NOT_ON_MEMORY_OBJECTS(ssize_t, pwrite64, (int fd, const void* from, std::size_t bytes, off64_t at), fd, from, bytes, at)
NOT_ON_MEMORY_OBJECTS(int, flock, (int fd, int kind) noexcept, fd, kind)

// ---- what there is with less ---------------------------------------------------------------------------------------

#define CONTROLS(name)                          \
  int name(int fd, int command, ...) {          \
    va_list rest;                               \
    va_start(rest, command);                    \
    void* const argument = va_arg(rest, void*); \
    va_end(rest);                               \
    require_controllable(fd, command);          \
    return REAL(name)(fd, command, argument);   \
  }
CONTROLS(fcntl)
CONTROLS(fcntl64)

#define OPENS(name, parameters, ...)                                       \
  int name parameters {                                                    \
    require_openable(path, flags);                                         \
    va_list rest;                                                          \
    va_start(rest, flags);                                                 \
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                          \
    return REAL(name)(__VA_ARGS__, mode);                                  \
  }
OPENS(open, (const char* path, int flags, ...), path, flags)
OPENS(open64, (const char* path, int flags, ...), path, flags)
OPENS(openat, (int at, const char* path, int flags, ...), at, path, flags)
OPENS(openat64, (int at, const char* path, int flags, ...), at, path, flags)

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  if ((flags & MSG_CMSG_CLOEXEC) != 0) does_not_exist("recvmsg: MSG_CMSG_CLOEXEC");
  return REAL(recvmsg)(fd, message, flags);
}

/// The tests themselves ask for the orphans of the processes that they kill.
int prctl(int option, ...) noexcept {
  if (option != PR_SET_CHILD_SUBREAPER) does_not_exist("prctl");
  va_list rest;
  va_start(rest, option);
  const unsigned long argument = va_arg(rest, unsigned long);
  va_end(rest);
  return REAL(prctl)(option, argument);
}

long syscall(long number, ...) noexcept {
  if (number == SYS_pidfd_open) does_not_exist("pidfd_open");
  if (number == SYS_pidfd_send_signal) does_not_exist("pidfd_send_signal");
  if (number == SYS_memfd_create) does_not_exist("memfd_create");
  va_list rest;
  va_start(rest, number);
  std::array<long, 6> arguments{};
  for (long& argument : arguments) argument = va_arg(rest, long);
  va_end(rest);
  return std::apply([&](auto... each) { return REAL(syscall)(number, each...); }, arguments);
}

// ---- what there is not ---------------------------------------------------------------------------------------------

int memfd_create(const char*, unsigned) noexcept { does_not_exist("memfd_create"); }
int eventfd(unsigned, int) noexcept { does_not_exist("eventfd"); }
int inotify_init() noexcept { does_not_exist("inotify_init"); }
int inotify_init1(int) noexcept { does_not_exist("inotify_init1"); }
int epoll_create1(int) noexcept { does_not_exist("epoll_create1"); }
int signalfd(int, const sigset_t*, int) noexcept { does_not_exist("signalfd"); }
int pipe2(int*, int) noexcept { does_not_exist("pipe2"); }
int fallocate(int, int, off_t, off_t) { does_not_exist("fallocate"); }
int fallocate64(int, int, off64_t, off64_t) { does_not_exist("fallocate64"); }
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t*, int) noexcept {
  does_not_exist("posix_spawn_file_actions_addclosefrom_np");
}

}  // extern "C"
