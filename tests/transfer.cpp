// SPDX-License-Identifier: BSL-1.0
// transfer.cpp: arrays that go to another process over a Unix domain socket, and what comes over it that is no array.
// The processes that exchange arrays are forked before there is any: they have nothing mapped in common.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;
using ndshm::Handle;
using ndshm::receive;
using ndshm::receive_handle;
using ndshm::SharedArray;
using Fd = ndshm::detail::os::Descriptor;
using namespace std::chrono_literals;

namespace {

#if defined(NDSHM_PORTABLE_POSIX) || !defined(__linux__)
constexpr bool portable = true;
#else
constexpr bool portable = false;
#endif

struct Pair {
  Fd left, right;
};

Pair make_pair(int type) {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, type, 0, ends.data()) == 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

const std::array<int, 3> types{SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};

std::size_t count_descriptors() {
  const std::filesystem::directory_iterator open("/dev/fd");
  return static_cast<std::size_t>(std::distance(begin(open), end(open)));
}

/// Thrown in a child process, where nothing may be asserted.
void require(bool good, const char* what) {
  if (!good) throw std::runtime_error(what);
}

/// The code of the error that `call` throws.
template <class Call>
errc code_of(Call call) {
  const auto error = error_of(call);
  return error ? error->condition() : errc{};
}

/// Runs each function in a process of its own, at the same time; whether all of them returned.
bool all_succeed(const std::vector<std::function<void()>>& functions) {
  std::vector<pid_t> children;
  for (const auto& function : functions) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        function();
        ::_exit(0);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "process %zu: %s\n", children.size(), error.what());
      }
      ::_exit(1);
    }
    children.push_back(child);
  }
  bool good = true;
  for (const pid_t child : children) {
    int status = 0;
    good = ::waitpid(child, &status, 0) == child && status == 0 && good;
  }
  return good;
}

/// Waits until the other process has come as far as this.
void meet(const Fd& socket) {
  char byte = 'x';
  require(::write(socket.get(), &byte, 1) == 1, "the other process is gone");
  require(::read(socket.get(), &byte, 1) == 1, "the other process is gone");
}

/// Sends these bytes and descriptors as they are.
bool send_raw(const Fd& socket, std::string bytes, const std::vector<int>& descriptors = {}) {
  iovec piece{bytes.data(), bytes.size()};
  std::vector<char> control(CMSG_SPACE(descriptors.size() * sizeof(int)));
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = static_cast<decltype(header.msg_controllen)>(control.size());
    cmsghdr* const part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = static_cast<decltype(part->cmsg_len)>(CMSG_LEN(descriptors.size() * sizeof(int)));
    std::memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size() * sizeof(int));
  }
  return ::sendmsg(socket.get(), &header, 0) == static_cast<ssize_t>(bytes.size());
}

/// A message of this text that says that it has `length` bytes.
std::string message(const std::string& text, std::size_t length) {
  std::string bytes = "ndshm>1\n";
  for (std::size_t i = 0; i < 4; ++i, length /= 256) bytes += static_cast<char>(length % 256);
  return bytes + text;
}
std::string message(const std::string& text) { return message(text, text.size()); }

/// What send() makes of the handle of an anonymous array.
std::string message(const Handle& handle) { return message(handle.at(ndshm::MessagePlace{}).to_string()); }

std::string last_bytes(const Fd& socket) {
  std::array<char, 64> bytes{};
  const auto got = ::recv(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  return got < 0 ? "none" : std::string(bytes.data(), static_cast<std::size_t>(got));
}

#if !defined(NDSHM_PORTABLE_POSIX) && defined(__linux__)
/// A copy of the memory behind a descriptor, `bytes` of it, sealed or not.
Fd copy_of_memory(int from, std::size_t bytes, int seals) {
  Fd copy(::memfd_create("ndshm-test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  std::string content(bytes, '\0');
  REQUIRE(::pread(from, content.data(), bytes, 0) == static_cast<ssize_t>(bytes));
  REQUIRE(::pwrite(copy.get(), content.data(), bytes, 0) == static_cast<ssize_t>(bytes));
  REQUIRE(::fcntl(copy.get(), F_ADD_SEALS, seals) == 0);
  return copy;
}

Fd opened_anew(int fd, int flags) {
  return Fd(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), flags | O_CLOEXEC));
}

void* page_of(const void* data) {
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(data) & ~std::uintptr_t{4095});
}
#endif

}  // namespace

TEST_CASE("an anonymous array goes to an unrelated process, over sockets of every type") {
  for (const int type : types) {
    INFO(type);
    const Pair data = make_pair(type);
    const Pair steps = make_pair(SOCK_STREAM);
    CHECK(all_succeed({[&] {
                         auto array = ndshm::create<double>({3, 4});
                         array(1, 2) = 5;
                         ndshm::send(data.left.get(), array.handle());
                         meet(steps.left);
                         require(array(2, 3) == 6, "what the receiver wrote is not there");
                       },
                       [&] {
                         auto array = receive<double, 2>(data.right.get());
                         require(array(1, 2) == 5, "what the sender wrote is not there");
                         require(!array.is_creator() && array.name().empty(), "it is another array");
                         require(array.handle().pid() == ndshm::detail::os::process_id(), "a handle of others");
                         array(2, 3) = 6;
                         meet(steps.right);
                       }}));
  }
}

TEST_CASE("an array outlives the process that sent it, and is handed on") {
  const Pair first = make_pair(SOCK_STREAM);
  const Pair second = make_pair(SOCK_SEQPACKET);
  CHECK(all_succeed({[&] { ndshm::send(first.left.get(), ndshm::copy_of(xt::arange<int>(1000)).handle()); },
                     [&] {
                       auto array = receive<int, 1>(first.right.get());
                       array(0) = 7;
                       const auto part = xt::view(array, xt::range(0, 1000, 10));
                       ndshm::send(second.left.get(), array.handle());
                       ndshm::send(second.left.get(), array.handle(part));
                     },
                     [&] {
                       const auto whole = receive<int, 1>(second.right.get());
                       const auto part = receive<int, 1, ndshm::layout::dynamic>(second.right.get());
                       require(whole(0) == 7 && whole(999) == 999, "the elements are others");
                       require(part.size() == 100 && part(99) == 990, "the elements of the view are others");
                       require(part.data() == whole.data(), "it is mapped twice");
                     }}));
}

TEST_CASE("a named array goes by its name") {
  const std::string name = unique_name();
  for (const int type : types) {
    INFO(type);
    const Pair data = make_pair(type);
    const Pair steps = make_pair(SOCK_STREAM);
    CHECK(all_succeed({[&] {
                         auto array = ndshm::create<int>(name, {4});
                         ndshm::send(data.left.get(), array.handle());
                         ndshm::send(data.left.get(), array.handle().as_read_only());
                         meet(steps.left);
                         require(array(2) == 6, "what the receiver wrote is not there");
                       },
                       [&] {
                         auto array = receive<int, 1>(data.right.get());
                         require(array.name() == name, "it is another array");
                         array(2) = 6;
                         require(code_of([&] { receive<int, 1>(data.right.get()); }) == errc::read_only, "not refused");
                         meet(steps.right);
                       }}));
  }
  const Pair data = make_pair(SOCK_STREAM);
  { ndshm::send(data.left.get(), ndshm::create<int>(name, {4}).handle()); }
  CHECK_ERROR((receive<int, 1>(data.right.get())), errc::not_found, "there is no such segment");
}

TEST_CASE("processes that meet at a socket in the file system exchange arrays") {
  std::string folder = std::filesystem::temp_directory_path() / "ndshm-test-XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  for (const int type : types) {
    INFO(type);
    const std::string path = folder + "/socket" + std::to_string(type);
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const Fd meeting(::socket(AF_UNIX, type, 0));
    REQUIRE(::bind(meeting.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    if (type != SOCK_DGRAM) REQUIRE(::listen(meeting.get(), 1) == 0);
    CHECK(all_succeed({[&] {
                         const Fd socket(::socket(AF_UNIX, type, 0));
                         require(
                             ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
                             "connect");
                         ndshm::send(socket.get(), ndshm::copy_of(xt::ones<float>({5, 6})).handle());
                       },
                       [&] {
                         const Fd accepted(type == SOCK_DGRAM ? -1 : ::accept(meeting.get(), nullptr, nullptr));
                         const int socket = type == SOCK_DGRAM ? meeting.get() : accepted.get();
                         require(xt::sum(receive<float, 2>(socket))() == 30, "the elements are others");
                       }}));
  }
  CHECK(std::filesystem::remove_all(folder) == 4);
}

TEST_CASE("1,000 arrays in a row come one by one, each with its own descriptor") {
  for (const int type : types) {
    INFO(type);
    const Pair data = make_pair(type);
    CHECK(all_succeed({[&] {
                         for (int i = 0; i < 1000; ++i) {
                           auto array = ndshm::create<int>({4});
                           array(3) = i;
                           ndshm::send(data.left.get(), array.handle(), {.timeout = 60s});
                         }
                       },
                       [&] {
                         const std::size_t before = count_descriptors();
                         for (int i = 0; i < 1000; ++i) {
                           const auto array = receive<int, 1>(data.right.get(), {.timeout = 60s});
                           require(array(3) == i, "another array");
                         }
                         require(count_descriptors() == before, "descriptors were left open");
                       }}));
  }
}

TEST_CASE("several messages wait on one socket, and nothing beyond one is read") {
  for (const int type : types) {
    INFO(type);
    const Pair data = make_pair(type);
    const auto named = ndshm::create<int>(unique_name(), {3});
    std::vector<SharedArray<int, 1>> arrays;
    for (int i = 0; i < 5; ++i) {
      arrays.push_back(ndshm::create<int>({4}));
      arrays.back()(0) = i;
      ndshm::send(data.left.get(), arrays.back().handle());
      ndshm::send(data.left.get(), named.handle());
    }
    REQUIRE(send_raw(data.left, "and so on"));
    for (int i = 0; i < 5; ++i) {
      const auto array = receive<int, 1>(data.right.get());
      CHECK(array(0) == i);
      CHECK(array.data() == arrays[static_cast<std::size_t>(i)].data());  // of one process: mapped once
      CHECK(receive<int, 1>(data.right.get()).data() == named.data());
    }
    CHECK(last_bytes(data.right) == "and so on");
  }
}

TEST_CASE("a receiver that does not know what comes looks before it maps") {
  const Pair data = make_pair(SOCK_SEQPACKET);
  const std::size_t before = count_descriptors();
  {
    const auto array = ndshm::copy_of<2>(xt::arange<double>(6).reshape({2, 3}));
    ndshm::send(data.left.get(), array.handle());
    ndshm::ReceivedHandle received = receive_handle(data.right.get());
    CHECK(received.handle().dtype() == "<f8");
    CHECK(received.handle().shape() == ndshm::Shape{2, 3});
    CHECK(received.handle().uuid() == array.uuid());
    CHECK(received.handle().pid() == ndshm::detail::os::process_id());
    CHECK(::fcntl(received.handle().descriptor(), F_GETFD) == FD_CLOEXEC);
    CHECK_ERROR((received.attach<float, 2>()), errc::type_mismatch, "attach<double, 2>");
    CHECK_ERROR((received.attach<double, 1>()), errc::rank_mismatch, "attach<double, 2>");
    const auto same = received.attach<double, 2>();
    CHECK(same.data() == array.data());
    CHECK(received.attach<double, 2>().data() == array.data());
    CHECK(ndshm::attach<double, 2>(received.handle()).data() == array.data());
    ndshm::ReceivedHandle moved = std::move(received);
    CHECK(moved.attach<const double, 2>()(1, 2) == 5);
    const auto named = ndshm::create<int>(unique_name(), {3});
    ndshm::send(data.left.get(), named.handle());
    moved = receive_handle(data.right.get());
    CHECK(moved.handle() == named.handle());
    CHECK(moved.attach<int, 1>().data() == named.data());
  }
  CHECK(count_descriptors() == before);
}

TEST_CASE("the longest handle goes through, in pieces where it has to") {
  constexpr std::size_t rank = 3333;  // as many dimensions as a header has room for
  const ndshm::Strides strides(rank, std::numeric_limits<std::ptrdiff_t>::min());
  std::string members = "[('" + std::string(9900, '%') + "', '<f8')]";
  const Handle longest(ndshm::NamedPlace{std::string(ndshm::detail::max_name_bytes_anywhere, '%')},
                       ndshm::create<int>({1}).uuid(), members, ndshm::Shape(rank, 1), strides, 0, true);
  CHECK(longest.to_string().size() > 100'000);
  const int little = 4096;
  for (const int type : types) {
    INFO(type);
    const Pair data = make_pair(type);
    if (type == SOCK_STREAM) {
      REQUIRE(::setsockopt(data.left.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little) == 0);
    }
    CHECK(all_succeed({[&] { ndshm::send(data.left.get(), longest); },
                       [&] { require(receive_handle(data.right.get()).handle() == longest, "another handle"); }}));
  }
  const Pair data = make_pair(SOCK_STREAM);
  REQUIRE(::setsockopt(data.left.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little) == 0);
  CHECK_ERROR(ndshm::send(data.left.get(), longest, {.timeout = 0s}), errc::timed_out, "the message stopped after");
  const Handle too_long(ndshm::NamedPlace{"a"}, longest.uuid(), "<f8", ndshm::Shape(200'000, 1),
                        ndshm::Strides(200'000, 8), 0, false);
  CHECK_ERROR(ndshm::send(data.left.get(), too_long), errc::invalid_argument, "characters, a message takes");
  const Pair packets = make_pair(SOCK_SEQPACKET);
  REQUIRE(::setsockopt(packets.left.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little) == 0);
  CHECK_ERROR(ndshm::send(packets.left.get(), longest), errc::invalid_argument, "raise the socket's SO_SNDBUF");
}

namespace {
void ignore(int) {}
}  // namespace

TEST_CASE("a message may come byte by byte, and signals do not disturb it") {
  const Pair data = make_pair(SOCK_STREAM);
  CHECK(all_succeed({[&] {
                       const auto array = ndshm::copy_of(xt::arange<int>(4));
                       const Fd fd(::dup(array.handle().descriptor()));
                       const std::string bytes = message(array.handle());
                       for (std::size_t i = 0; i < bytes.size(); ++i) {
                         require(send_raw(data.left, bytes.substr(i, 1),
                                          i == 0 ? std::vector<int>{fd.get()} : std::vector<int>{}),
                                 "send");
                         ::usleep(200);
                       }
                     },
                     [&] {
                       struct sigaction action {};
                       action.sa_handler = ignore;
                       ::sigaction(SIGALRM, &action, nullptr);
                       const itimerval often{{0, 1000}, {0, 1000}};
                       ::setitimer(ITIMER_REAL, &often, nullptr);
                       const auto array = receive<int, 1>(data.right.get(), {.timeout = 60s});
                       require(array(3) == 3, "another array");
                     }}));
}

TEST_CASE("a time-out ends the waiting") {
  for (const int type : types) {
    INFO(type);
    const Pair data = make_pair(type);
    for (const std::chrono::nanoseconds timeout : {std::chrono::nanoseconds::min(), -1ns, 0ns, 20'000'000ns}) {
      CHECK_ERROR(receive_handle(data.right.get(), {.timeout = timeout}), errc::timed_out, "not ready to receive");
    }
    if (type == SOCK_STREAM) {
      REQUIRE(send_raw(data.left, message("text", 100)));
      CHECK_ERROR(receive_handle(data.right.get(), {.timeout = 0s}), errc::timed_out, "stopped after 4 of 100 bytes");
    }
    const auto named = ndshm::create<int>(unique_name(), {1});
    const auto until_full = [&] {
      for (int i = 0; i < 1'000'000; ++i) ndshm::send(data.left.get(), named.handle(), {.timeout = 0s});
    };
    CHECK(code_of(until_full) == errc::timed_out);
  }
  const Pair data = make_pair(SOCK_STREAM);
  const auto array = ndshm::create<int>({1});
  CHECK(all_succeed({[&] {
                       ::usleep(20'000);
                       ndshm::send(data.left.get(), ndshm::create<int>({1}).handle());
                     },
                     [&] { receive<int, 1>(data.right.get(), {.timeout = std::chrono::nanoseconds::max()}); }}));
}

TEST_CASE("a closed socket is an error on either side, not a signal") {
  const auto array = ndshm::create<int>({1});
  const auto named = ndshm::create<int>(unique_name(), {1});
  const std::size_t before = count_descriptors();
  for (const int type : types) {
    INFO(type);
    Pair data = make_pair(type);
    ndshm::send(data.left.get(), array.handle());
    if (type != SOCK_DGRAM) {
      data.left.close();
      CHECK(receive<int, 1>(data.right.get()).data() == array.data());
      CHECK_ERROR(receive_handle(data.right.get()), errc::not_found, "the other side has closed the socket");
    }
    data = make_pair(type);
    ndshm::send(data.right.get(), array.handle());  // is never read, so the system says reset
    data.right.close();
    for (const Handle& handle : {array.handle(), named.handle()}) {
      const int left = data.left.get();
      CHECK_ERROR(ndshm::send(left, handle), errc::not_found, "the other side has closed the socket");
      if (type == SOCK_DGRAM) break;  // from then on it is not connected
    }
    data = make_pair(type);
    ndshm::send(data.left.get(), array.handle());
    data.right.close();
    if (type == SOCK_DGRAM) continue;
    CHECK_ERROR(receive_handle(data.left.get()), errc::not_found, "the other side has closed the socket");
  }
  CHECK(count_descriptors() == before);
}

TEST_CASE("what is no connected Unix domain socket is refused") {
  const auto array = ndshm::create<int>({1});
  const auto check = [&](int fd, const char* message) {
    CHECK_ERROR(ndshm::send(fd, array.handle(), {.timeout = 1s}), errc::invalid_argument, message);
    CHECK_ERROR(receive_handle(fd, {.timeout = 1s}), errc::invalid_argument, message);
  };
  check(-1, "descriptor -1 is not a Unix domain socket");
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const Fd reading(ends[0]);
  const Fd writing(ends[1]);
  check(reading.get(), "is not a Unix domain socket");
  const Fd internet(::socket(AF_INET, SOCK_STREAM, 0));
  if (internet) check(internet.get(), "is not a Unix domain socket");
  const Fd unconnected(::socket(AF_UNIX, SOCK_STREAM, 0));
  check(unconnected.get(), "is not connected");
  const Fd packets(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
  check(packets.get(), "is not connected");
  const Fd datagrams(::socket(AF_UNIX, SOCK_DGRAM, 0));
  CHECK_ERROR(ndshm::send(datagrams.get(), array.handle()), errc::invalid_argument, "is not connected");
}

TEST_CASE("only what the handle means is sent") {
  const Pair data = make_pair(SOCK_STREAM);
  const std::size_t before = count_descriptors();
  const auto refuse = [&](const Handle& handle, errc code, const char* message) {
    CHECK_ERROR(ndshm::send(data.left.get(), handle), code, message);
    CHECK(last_bytes(data.right) == "none");
  };
  const auto handle_at = [](const Handle& handle, std::optional<std::uint64_t> pid, int fd) {
    return pid ? handle.at(ndshm::ProcessPlace{*pid, fd}) : handle.at(ndshm::DescriptorPlace{fd});
  };
  const auto mine = ndshm::detail::os::process_id();
  {
    const auto array = ndshm::create<int>({1});
    const auto other = ndshm::create<int>({1});
    const int fd = array.handle().descriptor();
    refuse(handle_at(array.handle(), 4294967295, fd), portable ? errc::unsupported : errc::not_found, "4294967295");
    refuse(handle_at(array.handle(), mine, 9999), errc::not_found, "descriptor 9999");
    refuse(handle_at(array.handle(), mine, other.handle().descriptor()), errc::stale_handle, "another segment");
    refuse(handle_at(array.handle(), {}, other.handle().descriptor()), errc::stale_handle, "another segment");
    const Fd secret(::open("/dev/null", O_RDWR | O_CLOEXEC));
    refuse(handle_at(array.handle(), mine, secret.get()), errc::not_a_segment, "is not a segment of ndshm");
    if (!portable) {
      std::FILE* const file = std::tmpfile();
      REQUIRE(file != nullptr);
      refuse(handle_at(array.handle(), mine, ::fileno(file)), errc::not_a_segment, "is not a segment of ndshm");
      std::fclose(file);
    }
    ndshm::send(data.left.get(), array.handle().as_inherited(fd));
    CHECK(receive<int, 1>(data.right.get()).data() == array.data());
  }
  CHECK(count_descriptors() == before);
}

TEST_CASE("each malformed message is refused for what it is, and leaves no descriptor open") {
  struct Bad {
    const char* what;
    std::string bytes;
    std::size_t descriptors;
    errc code;
    const char* message;
    const char* of_packet = nullptr;  // where a packet is told in another way
  };
  const auto array = ndshm::create<int>({4});
  const auto named = ndshm::create<int>(unique_name(), {4});
  const int fd = array.handle().descriptor();
  const std::string anonymous = array.handle().at(ndshm::MessagePlace{}).to_string();
  const std::string good = message(anonymous);
  const std::size_t limit = ndshm::detail::max_message_text;
  const auto invalid = errc::invalid_handle;
  std::string other_magic = good;
  other_magic[6] = '2';
  const std::vector<Bad> table{
      {"another version", other_magic, 1, invalid, "not a message of ndshm::send: it starts with \"ndshm>2"},
      {"a text alone", anonymous, 1, invalid, "not a message of ndshm::send"},
      {"zeros", std::string(100, '\0'), 1, invalid, "not a message of ndshm::send"},
      {"one byte that is not the first", "x", 1, invalid, "not a message of ndshm::send"},
      {"one byte", "n", 1, invalid, "the message ends after 1 bytes"},
      {"the magic alone", good.substr(0, 8), 1, invalid, "the message ends after 8 bytes"},
      {"half a length", good.substr(0, 11), 1, invalid, "the message ends after 11 bytes"},
      {"no text", good.substr(0, 12), 1, invalid, "bytes and has 0"},
      {"a text without its last byte", good.substr(0, good.size() - 1), 1, invalid, "bytes and has"},
      {"a text of no bytes", message(""), 1, invalid, "does not start with \"ndshm1:\""},
      {"a text over the limit", message(std::string(100, 'x'), limit + 1), 1, invalid, "a handle has at most"},
      {"a text of 4 GiB", message("x", 0xffffffff), 1, invalid, "announces a text of 4294967295 bytes"},
      {"a text at the limit that is cut off", message("x", limit), 1, invalid, "bytes and has 1"},
      {"no handle", message("hello"), 1, invalid, "does not start with \"ndshm1:\""},
      {"a handle and a newline", message(anonymous + "\n"), 1, invalid, "neither rw nor ro"},
      {"a text that ends too early", message(anonymous, anonymous.size() - 1), 1, invalid,
       "its access is neither rw nor ro", "and has more"},
      {"an array without its descriptor", good, 0, invalid, "came with 0 descriptors, its handle takes 1"},
      {"an array with two", good, 2, invalid, "came with 2 descriptors, its handle takes 1"},
      {"an array with 100", good, 100, invalid, "came with 100 descriptors, its handle takes 1"},
      {"a name with a descriptor", message(named.handle().to_string()), 1, invalid,
       "1 descriptors, its handle takes 0"},
      {"a name with three", message(named.handle().to_string()), 3, invalid, "3 descriptors, its handle takes 0"},
      {"another descriptor's number", message(array.handle().at(ndshm::MessagePlace{1}).to_string()), 1, invalid,
       "does not refer to the descriptor"},
      {"a descriptor of a process", message(array.handle().to_string()), 1, invalid,
       "does not refer to the descriptor"},
      {"a process and no descriptor", message(array.handle().to_string()), 0, invalid, "came with 0 descriptors"},
  };
  const std::size_t before = count_descriptors();
  for (const Bad& bad : table) {
    for (const int type : types) {
      INFO(bad.what << ", type " << type);
      {
        Pair data = make_pair(type);
        REQUIRE(send_raw(data.left, bad.bytes, std::vector<int>(bad.descriptors, fd)));
        data.left.close();
        const char* const message = type != SOCK_STREAM && bad.of_packet != nullptr ? bad.of_packet : bad.message;
        CHECK_ERROR((receive<int, 1>(data.right.get())), bad.code, message);
      }
      CHECK(count_descriptors() == before);
    }
  }
  // A stream may have descriptors with any byte.
  {
    Pair data = make_pair(SOCK_STREAM);
    for (const char byte : good) REQUIRE(send_raw(data.left, std::string(1, byte), {fd, fd}));
    CHECK_ERROR((receive<int, 1>(data.right.get())), errc::invalid_handle,
                "came with " + std::to_string(2 * good.size()) + " descriptors");
  }
  {
    Pair data = make_pair(SOCK_DGRAM);
    REQUIRE(send_raw(data.left, "", {}));
    CHECK_ERROR((receive<int, 1>(data.right.get())), errc::invalid_handle, "the message ends after 0 bytes");
    REQUIRE(send_raw(data.left, message(std::string(limit, 'x')) + "y", {fd}));
    CHECK_ERROR((receive<int, 1>(data.right.get())), errc::invalid_handle, "bytes and has more");
  }
  CHECK(count_descriptors() == before);
}

TEST_CASE("descriptors that this process may not have are told, and none stays") {
  const auto array = ndshm::create<int>({4});
  const int fd = array.handle().descriptor();
  for (const int type : types) {
    for (const std::size_t room : {0U, 1U}) {
      INFO(type << ", room for " << room);
      const Pair data = make_pair(type);
      const std::size_t before = count_descriptors();
      REQUIRE(send_raw(data.left, message(array.handle()), std::vector<int>(room + 1, fd)));
      const Fd next(::dup(fd));  // the lowest number that is free: it, and all above, are taken away
      rlimit limit{};
      REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
      const rlimit little{static_cast<rlim_t>(next.get()) + room + 1, limit.rlim_max};
      REQUIRE(::setrlimit(RLIMIT_NOFILE, &little) == 0);
      const auto error = error_of([&] { receive_handle(data.right.get()); });
      REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
      REQUIRE(error);
      CHECK(error->condition() == errc::system_error);
      CHECK(std::string(error->what()).find("could not be given all descriptors") != std::string::npos);
      CHECK(count_descriptors() == before + 1);
    }
  }
}

#if defined(NDSHM_PORTABLE_POSIX) || !defined(__linux__)

TEST_CASE("the portable path does not send a descriptor that grants more than the handle") {
  const auto array = ndshm::create<int>({4});
  const Pair data = make_pair(SOCK_STREAM);
  CHECK_ERROR(ndshm::send(data.left.get(), array.handle().as_read_only()), errc::unsupported, "the portable path");
  CHECK(last_bytes(data.right) == "none");
}

#else

TEST_CASE("who is sent a read-only handle cannot write, not even around this library") {
  for (const int type : types) {
    INFO(type);
    const Pair data = make_pair(type);
    CHECK(all_succeed(
        {[&] {
           const auto array = ndshm::copy_of(xt::arange<int>(4));
           ndshm::send(data.left.get(), array.handle().as_read_only());
           ndshm::send(data.left.get(), ndshm::attach<const int, 1>(array.handle()).handle());
         },
         [&] {
           for (int i = 0; i < 2; ++i) {
             const auto received = receive_handle(data.right.get());
             require(received.handle().is_read_only(), "the handle grants writing");
             require(code_of([&] { received.attach<int, 1>(); }) == errc::read_only, "attached for writing");
             const auto array = received.attach<const int, 1>();
             require(array(3) == 3, "the elements are others");
             require(::mprotect(page_of(array.data()), 4096, PROT_READ | PROT_WRITE) == -1 && errno == EACCES,
                     "mprotect made it writable");
             for (const int fd : {received.handle().descriptor(), array.handle().descriptor()}) {
               require((::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY, "the descriptor is writable");
               require(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED, "mapped");
             }
             require(array.handle().is_read_only(), "it could be handed on for writing");
           }
         }}));
  }
}

TEST_CASE("a sender cannot grant more than it has") {
  const auto array = ndshm::create<int>({4});  // mapped here for writing, which must not help the sender
  const int fd = array.handle().descriptor();
  const Fd reading = opened_anew(fd, O_RDONLY);
  const Fd writing = opened_anew(fd, O_WRONLY);
  const Pair data = make_pair(SOCK_SEQPACKET);
  REQUIRE(send_raw(data.left, message(array.handle()), {reading.get()}));
  const auto received = receive_handle(data.right.get());
  CHECK_FALSE(received.handle().is_read_only());
  CHECK_ERROR((received.attach<int, 1>()), errc::read_only, "is open for reading only");
  CHECK(received.attach<const int, 1>().size() == 4);
  REQUIRE(send_raw(data.left, message(array.handle()), {writing.get()}));
  CHECK_ERROR((receive<int, 1>(data.right.get())), errc::permission_denied, "is open for writing only");
}

TEST_CASE("memory that is not what the message says is refused, and leaves no descriptor open") {
  constexpr int sealed = F_SEAL_SHRINK | F_SEAL_GROW;
  auto array = ndshm::create<int>({4});
  const auto other = ndshm::create<int>({4});
  const Handle handle = array.handle();
  const int fd = handle.descriptor();
  struct stat status {};
  REQUIRE(::fstat(fd, &status) == 0);
  const auto bytes = static_cast<std::size_t>(status.st_size);
  const auto with = [&](const ndshm::Uuid& uuid, std::string_view dtype, std::size_t size, std::size_t offset) {
    return Handle(ndshm::DescriptorPlace{0}, uuid, dtype, {size}, {4}, offset, false);
  };
  const Pair data = make_pair(SOCK_STREAM);
  const std::size_t before = count_descriptors();
  const auto refuse = [&](const Handle& what, int descriptor, errc code, const char* part) {
    REQUIRE(send_raw(data.left, message(what), {descriptor}));
    const auto received = receive_handle(data.right.get());
    CHECK_ERROR((received.attach<int, 1>()), code, part);
    CHECK_ERROR((received.attach<const int, 1>()), code, part);
  };
  refuse(with(other.uuid(), "<i4", 4, 0), fd, errc::stale_handle, "another segment");
  refuse(handle, other.handle().descriptor(), errc::stale_handle, "another segment");
  refuse(with(array.uuid(), "<i4", 5, 0), fd, errc::invalid_handle, "reaches beyond the segment");
  refuse(with(array.uuid(), "<i4", 4, 4), fd, errc::invalid_handle, "reaches beyond the segment");
  refuse(with(array.uuid(), "<i4", std::size_t{1} << 40, 0), fd, errc::invalid_handle, "reaches beyond the segment");
  refuse(with(array.uuid(), "<f4", 4, 0), fd, errc::type_mismatch, "");
  refuse(handle, copy_of_memory(fd, bytes, F_SEAL_GROW).get(), errc::not_a_segment, "its size is not sealed");
  refuse(handle, copy_of_memory(fd, bytes, F_SEAL_SHRINK).get(), errc::not_a_segment, "its size is not sealed");
  refuse(handle, copy_of_memory(fd, bytes, 0).get(), errc::not_a_segment, "its size is not sealed");
  refuse(handle, copy_of_memory(fd, bytes - 1, sealed).get(), errc::damaged, "its header asks for");
  refuse(handle, copy_of_memory(fd, 4096, sealed).get(), errc::damaged, "its header asks for");
  refuse(handle, copy_of_memory(fd, 100, sealed).get(), errc::not_a_segment, "is not a segment of ndshm");
  refuse(handle, copy_of_memory(fd, 0, sealed).get(), errc::not_a_segment, "is not a segment of ndshm");
  refuse(handle, Fd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)).get(), errc::not_a_segment, "not a memory object");
  refuse(handle, Fd(::open("/", O_RDONLY | O_CLOEXEC)).get(), errc::not_a_segment, "not a memory object");
  refuse(handle, Fd(::open("/dev/zero", O_RDWR | O_CLOEXEC)).get(), errc::not_a_segment, "not a memory object");
  refuse(handle, data.left.get(), errc::not_a_segment, "not a memory object");
  {
    const auto reading = ndshm::attach<const int, 1>(handle);
    refuse(handle, copy_of_memory(fd, bytes, sealed).get(), errc::damaged, "this one is a copy");
  }
  CHECK(count_descriptors() == before);
}

TEST_CASE("a frozen array is sent for reading only") {
  for (const int type : types) {
    INFO(type);
    const Pair data = make_pair(type);
    const Pair steps = make_pair(SOCK_STREAM);
    CHECK(all_succeed({[&] {
                         auto array = ndshm::copy_of(xt::arange<int>(4));
                         const Handle before = array.handle();
                         const int fd = before.descriptor();
                         ndshm::send(data.left.get(), before);
                         meet(steps.left);
                         array.freeze();
                         const auto error = error_of([&] { ndshm::send(data.left.get(), before); });
                         require(error && error->condition() == errc::read_only, "an old handle was sent for writing");
                         ndshm::send(data.left.get(), array.handle());
                         require(send_raw(data.left, message(before), {fd}), "send");
                         meet(steps.left);
                         array(0) = 9;
                         meet(steps.left);
                       },
                       [&] {
                         auto writable = receive<int, 1>(data.right.get());  // mapped before it was frozen
                         meet(steps.right);
                         const auto received = receive_handle(data.right.get());
                         require(received.handle().is_read_only(), "the handle grants writing");
                         require(code_of([&] { received.attach<int, 1>(); }) == errc::read_only,
                                 "attached for writing");
                         const auto array = received.attach<const int, 1>();
                         require(array.is_frozen() && writable.is_frozen(), "it is not frozen");
                         const auto forged = receive_handle(data.right.get());
                         const auto error = error_of([&] { forged.attach<int, 1>(); });
                         require(error && error->condition() == errc::read_only &&
                                     std::string(error->what()).find("the array is frozen") != std::string::npos,
                                 "a forged handle was attached for writing");
                         require(forged.attach<const int, 1>().data() == array.data(), "it is mapped twice");
                         writable(1) = 8;
                         meet(steps.right);
                         meet(steps.right);
                         require(array(0) == 9 && array(1) == 8, "what was mapped for writing does not write any more");
                       }}));
  }
}

TEST_CASE("a process of another user gets what was sent, and no more", "[root]") {
  if (::geteuid() != 0) SKIP_TEST("needs root, to become another user");
  const Pair data = make_pair(SOCK_STREAM);
  CHECK(all_succeed({[&] {
                       const auto array = ndshm::copy_of(xt::arange<int>(4));
                       ndshm::send(data.left.get(), array.handle().as_read_only());
                       ndshm::send(data.left.get(), ndshm::copy_of(xt::arange<int>(5)).handle());
                     },
                     [&] {
                       require(::setgid(65534) == 0 && ::setuid(65534) == 0, "setuid");
                       const auto reading = receive<const int, 1>(data.right.get());
                       require(reading(3) == 3, "the elements are others");
                       const std::string path = "/proc/self/fd/" + std::to_string(reading.handle().descriptor());
                       require(!Fd(::open(path.c_str(), O_RDWR)), "opened for writing");
                       require(receive<int, 1>(data.right.get())(4) == 4, "the elements are others");
                     }}));
}

#endif
