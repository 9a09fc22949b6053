// SPDX-License-Identifier: BSL-1.0
// freeze.cpp: an array that nobody can map for writing any more.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "catch.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;
using ndshm::Handle;

TEST_CASE("a named array cannot be frozen") {
  auto array = ndshm::create<int>(unique_name(), {4});
  CHECK_FALSE(array.is_frozen());
  CHECK_ERROR(array.freeze(), errc::unsupported, "a named array cannot be frozen");
  CHECK_FALSE(array.is_frozen());
  CHECK((ndshm::attach<int, 1>(array.handle()).size()) == 4);
  CHECK_ERROR((ndshm::SharedArray<int, 1>().freeze()), errc::invalid_argument, "the array is empty");
}

#if defined(NDSHM_PORTABLE_POSIX) || !defined(__linux__)
TEST_CASE("the portable path cannot freeze") {
  auto array = ndshm::create<int>({4});
  CHECK_ERROR(array.freeze(), errc::unsupported, "the portable path");
  CHECK_FALSE(array.is_frozen());
  CHECK_FALSE(array.handle().is_read_only());
}
#else

namespace {

/// The exit code of a function in a process that is forked now.
template <class Function>
int exit_code_of(Function function) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(function());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/// A process that waits for handles' texts, having no array mapped: it answers with what becomes of attaching them.
class Stranger {
 public:
  Stranger() {
    std::array<int, 2> to{};
    std::array<int, 2> from{};
    REQUIRE(::pipe(to.data()) == 0);
    REQUIRE(::pipe(from.data()) == 0);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::close(to[1]);
      ::_exit(serve(to[0], from[1]));
    }
    ::close(to[0]);
    ::close(from[1]);
    to_ = to[1];
    from_ = from[0];
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  ~Stranger() {
    ::close(to_);
    ::close(from_);
    ::waitpid(pid_, nullptr, 0);
  }

  /// Element 0, or what the error says.
  std::string attach(const Handle& handle, bool writable) const {
    const std::string text = (writable ? "w" : "r") + handle.to_string();
    REQUIRE(::write(to_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    std::array<char, 1024> answer{};
    const auto got = ::read(from_, answer.data(), answer.size());
    REQUIRE(got > 0);
    return {answer.data(), static_cast<std::size_t>(got)};
  }

 private:
  static int serve(int in, int out) {
    std::array<char, 1024> question{};
    for (;;) {
      const auto got = ::read(in, question.data(), question.size());
      if (got <= 0) return 0;
      std::string answer;
      try {
        const auto handle = Handle::parse({question.data() + 1, static_cast<std::size_t>(got - 1)});
        answer = std::to_string(question[0] == 'w' ? ndshm::attach<int, 1>(handle)(0)
                                                   : ndshm::attach<const int, 1>(handle)(0));
      } catch (const ndshm::Error& error) {
        answer = error.what();
      }
      if (::write(out, answer.data(), answer.size()) < 0) return 1;
    }
  }

  pid_t pid_ = 0;
  int to_ = -1;
  int from_ = -1;
};

}  // namespace

TEST_CASE("after freeze() nobody can map an array for writing, and who has it mapped goes on writing") {
  const Stranger stranger;
  auto array = ndshm::create<int>({4});
  const Handle before = array.handle();
  array(0) = 1;
  CHECK_FALSE(array.is_frozen());
  CHECK_FALSE(before.is_read_only());
  CHECK(stranger.attach(before, true) == "1");

  array.freeze();
  CHECK(array.is_frozen());
  array.freeze();
  CHECK(array.is_frozen());
  array(0) = 2;
  CHECK(exit_code_of([&] {
          array(1) = 3;
          return 0;
        }) == 0);
  CHECK(array(1) == 3);

  const Handle after = array.handle();
  CHECK(after.is_read_only());
  CHECK(array.handle(xt::view(array, xt::range(0, 2))).is_read_only());
  const auto reader = ndshm::attach<const int, 1>(after);
  CHECK(reader.is_frozen());
  CHECK(reader(0) == 2);
  CHECK(stranger.attach(after, false) == "2");
  CHECK(stranger.attach(before, false) == "2");

  const std::string frozen =
      "the array is frozen: nobody can map it for writing any more [ndshm.read_only]; attach<const T, N>";
  CHECK(stranger.attach(before, true) == "attach: " + frozen);
  CHECK(stranger.attach(after, true) ==
        "attach: the handle grants read access only [ndshm.read_only]; attach<const std::int32_t, 1>");
  CHECK_ERROR((ndshm::attach<int, 1>(before)), errc::read_only, frozen);
  CHECK_ERROR((ndshm::attach<int, 1>(before.as_inherited(before.descriptor()))), errc::read_only, frozen);
  CHECK_ERROR((ndshm::attach<int, 1>(after)), errc::read_only, "the handle grants read access only");
  // Nor is it handed on for writing.
  CHECK_ERROR(ndshm::spawn("true", {}, {before}), errc::read_only, "handle 0: " + frozen);
  int sockets[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
  CHECK_ERROR(ndshm::send(sockets[0], before), errc::read_only, frozen);
  for (const int socket : sockets) ::close(socket);
  // And in a process that has let go of what it inherited.
  CHECK(exit_code_of([&] {
          const int kept = ::dup(before.descriptor());
          { const auto gone = std::move(array); }
          const auto error = error_of([&] { ndshm::attach<int, 1>(before.as_inherited(kept)); });
          return error && std::string(error->what()).find(frozen) != std::string::npos ? 0 : 1;
        }) == 0);
}

TEST_CASE("the kernel sees to it that a frozen array is not written") {
  auto array = ndshm::create<int>({100'000});
  array(0) = 1;
  const int fd = array.handle().descriptor();
  array.freeze();
  CHECK(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  CHECK(errno == EPERM);
  void* const reading = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
  REQUIRE(reading != MAP_FAILED);
  CHECK(::mprotect(reading, 4096, PROT_READ | PROT_WRITE) == -1);
  CHECK(::munmap(reading, 4096) == 0);
  CHECK(::pwrite(fd, "x", 1, 128) == -1);
  CHECK(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == -1);
  CHECK(array(0) == 1);
}

TEST_CASE("who may write to an array can freeze it for all") {
  auto array = ndshm::create<int>({4});
  const int fd = array.handle().descriptor();
  CHECK(exit_code_of([&] {
          array.freeze();
          return 0;
        }) == 0);
  CHECK(array.is_frozen());
  CHECK(array.handle().is_read_only());
  REQUIRE(::fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) == 0);
  array.freeze();  // it is already

  auto sealed = ndshm::create<int>({4});
  REQUIRE(::fcntl(sealed.handle().descriptor(), F_ADD_SEALS, F_SEAL_SEAL) == 0);
  CHECK_ERROR(sealed.freeze(), errc::permission_denied, "freeze: seal");
  CHECK_FALSE(sealed.is_frozen());
}
#endif
