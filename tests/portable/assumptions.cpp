// SPDX-License-Identifier: BSL-1.0
// assumptions.cpp: that the C library behind the portable path's tests really is like that of macOS (like_macos.cpp),
// and what the library makes of it.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <string>

#include "../catch.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;

namespace {

/// What a child that ends with SIGABRT writes to its standard error; "it went on" when it does not end so.
std::string last_words(const std::function<void()>& function) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGABRT, SIG_DFL);  // Catch has a handler that tells of it
    ::dup2(ends[1], STDERR_FILENO);
    function();
    ::_exit(0);
  }
  ::close(ends[1]);
  std::array<char, 200> text{};
  const auto got = ::read(ends[0], text.data(), text.size());
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || got < 0) return "it went on";
  return {text.data(), static_cast<std::size_t>(got)};
}

/// A memory object that has no name any more.
int make_object(off_t bytes) {
  const std::string name = "/" + unique_name("like-macos");
  const int fd = ::shm_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
  REQUIRE(fd >= 0);
  REQUIRE(::shm_unlink(name.c_str()) == 0);
  if (bytes > 0) REQUIRE(::ftruncate(fd, bytes) == 0);
  return fd;
}

struct stat status_of(int fd) {
  struct stat status {};
  REQUIRE(::fstat(fd, &status) == 0);
  return status;
}

bool is_refused(long result, int error) { return result == -1 && errno == error; }

}  // namespace

TEST_CASE("what there is not on macOS ends the program, so none of the other tests has come across it") {
  CHECK(last_words([] { ::memfd_create("x", 0); }) == "like_macos: memfd_create does not exist there\n");
  CHECK(last_words([] { ::eventfd(0, 0); }) == "like_macos: eventfd does not exist there\n");
  CHECK(last_words([] { ::syscall(SYS_pidfd_open, ::getpid(), 0); }) ==
        "like_macos: pidfd_open does not exist there\n");
  CHECK(last_words([] { ::open("/proc/self/exe", O_RDONLY); }) == "like_macos: open: /proc does not exist there\n");
  CHECK(last_words([] { ::open("/dev/shm", O_TMPFILE | O_RDWR, 0600); }) ==
        "like_macos: open: O_TMPFILE does not exist there\n");
  CHECK(last_words([] {}) == "it went on");
}

TEST_CASE("a memory object is for mapping alone, under whatever number it is open") {
  const int object = make_object(1);
  char byte = 0;
  CHECK(last_words([&] { static_cast<void>(::pread(object, &byte, 1, 0)); }) ==
        "like_macos: pread on a memory object\n");
  CHECK(last_words([&] { static_cast<void>(::write(::dup(object), "x", 1)); }) ==
        "like_macos: write on a memory object\n");
  CHECK(last_words([&] { ::flock(object, LOCK_SH); }) == "like_macos: flock on a memory object\n");
  CHECK(last_words([&] {
          struct flock lock {};
          lock.l_type = F_RDLCK;
          ::fcntl(object, F_SETLK, &lock);
        }) == "like_macos: fcntl: a lock on a memory object\n");
  // The array's own descriptor is one.
  const auto array = ndshm::create<int>({4});
  const int descriptor = array.handle().descriptor();
  CHECK(last_words([&] { static_cast<void>(::pread(descriptor, &byte, 1, 0)); }) ==
        "like_macos: pread on a memory object\n");
  ::close(object);
}

TEST_CASE("a memory object gets its size once, in pages, tells little of itself, and is mapped as far as it goes") {
  const int object = make_object(0);
  CHECK(::ftruncate(object, 16385) == 0);
  CHECK(status_of(object).st_size == 32768);
  CHECK(is_refused(::ftruncate(object, 65536), EINVAL));
  const int other = make_object(1);
  CHECK(status_of(object).st_ino == status_of(other).st_ino);
  CHECK_FALSE(S_ISREG(status_of(object).st_mode));
  CHECK(::mmap(nullptr, 32769, PROT_READ, MAP_SHARED, object, 0) == MAP_FAILED);
  CHECK(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, object, 0) == MAP_FAILED);
  void* const whole = ::mmap(nullptr, 32768, PROT_READ, MAP_SHARED, object, 0);
  CHECK(whole != MAP_FAILED);
  ::munmap(whole, 32768);
  ::close(object);
  ::close(other);
}

TEST_CASE("the longest name that is promised is the longest that there can be") {
  std::string name = unique_name("longest");
  name.resize(24, 'x');
  const std::string object = ndshm::detail::os::portable_only::object_name(name);
  CHECK(object.size() == 31);
  CHECK(is_refused(::shm_open((object + "x").c_str(), O_RDWR, 0), ENAMETOOLONG));
  const auto array = ndshm::create<int>(name, {4});
  CHECK(ndshm::attach<int, 1>(name).size() == 4);
  CHECK_ERROR((ndshm::create<int>(name + "x", {4})), errc::invalid_name, "");
  CHECK_ERROR((ndshm::attach<int, 1>(name + "x")), errc::invalid_name, "");
}

TEST_CASE("an object that is larger than what was asked for is attached all the same") {
  const std::string name = unique_name("larger");
  {
    auto array = ndshm::create<std::uint16_t>(name, {3, 5});
    array.fill(7);
    array(2, 4) = 9;
    const int object = ::shm_open(ndshm::detail::os::portable_only::object_name(name).c_str(), O_RDONLY, 0);
    REQUIRE(object >= 0);
    CHECK(status_of(object).st_size == 80 * 1024);  // of 68 KiB: the control page lies behind the first 64
    ::close(object);
    const auto check = [](const auto& seen) {
      return seen.shape(0) == 3 && seen.shape(1) == 5 && seen(0, 0) == 7 && seen(2, 4) == 9;
    };
    // Another process has a mapping of its own.
    const auto attach = [&] {
      array = {};
      if (!check(ndshm::attach<const std::uint16_t, 2>(name))) ::_exit(1);
      if (!check(ndshm::attach<std::uint16_t, 2>(name))) ::_exit(2);
    };
    CHECK(ndshm::fork(attach).wait().to_string() == "exit code 0");
    CHECK(check(array));
  }
  CHECK_FALSE(ndshm::exists(name));
}

TEST_CASE("two arrays are told apart although their objects look alike") {
  const auto first = ndshm::copy_of(xt::ones<int>({3}) * 1);
  const auto second = ndshm::copy_of(xt::ones<int>({3}) * 2);
  CHECK(ndshm::attach<const int, 1>(first.handle())(0) == 1);
  CHECK(ndshm::attach<const int, 1>(second.handle())(0) == 2);
  CHECK_ERROR((ndshm::attach<const int, 1>(first.handle().as_inherited(second.handle().descriptor()))),
              errc::stale_handle, "another segment");
}
