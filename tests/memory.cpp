// SPDX-License-Identifier: BSL-1.0
// memory.cpp: large and sparse arrays, and what happens when memory is short. A full /dev/shm is tried in a mount
// namespace of its own, where the test may make one.
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "catch.hpp"
#include "system.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;

TEST_CASE("a sparse array may be larger than the memory") {
  constexpr std::size_t bytes = 60'000'000'000;
  constexpr std::size_t columns = 1000;
  const std::string name = unique_name();
  for (const bool named : {true, false}) {
    auto array =
        named ? ndshm::create<double>(name, {bytes / sizeof(double) / columns, columns},
                                      {.reserve = ndshm::Reserve::lazy})
              : ndshm::create<double>({bytes / sizeof(double) / columns, columns}, {.reserve = ndshm::Reserve::lazy});
    CHECK(array.nbytes() == bytes);
    array(0, 0) = 1;
    array(3'750'000, 500) = 2;
    array(array.shape(0) - 1, columns - 1) = 3;
    const auto reader = ndshm::attach<const double, 2>(array.handle());
    CHECK(reader(3'750'000, 500) == 2);
    CHECK(reader.flat(bytes / sizeof(double) - 1) == 3);
    CHECK(reader(1'000'000, 0) == 0);
  }
}

TEST_CASE("more than 2^31 elements are counted and addressed") {
  constexpr std::int64_t count = (std::int64_t{1} << 32) + 5;
  auto array = ndshm::create<std::uint8_t>({count}, {.reserve = ndshm::Reserve::lazy});
  CHECK(array.size() == static_cast<std::size_t>(count));
  array(count - 1) = 9;
  CHECK(array.data()[count - 1] == 9);
  const auto tail = ndshm::attach<std::uint8_t, 1>(array.handle(xt::view(array, xt::range(count - 3, count))));
  CHECK(tail(2) == 9);
}

#if !defined(NDSHM_PORTABLE_POSIX)
TEST_CASE("an array larger than the memory is refused before memory is taken") {
  CHECK_ERROR((ndshm::create<double>({std::int64_t{1} << 47})), errc::out_of_memory, "needs 1.0 PiB");
  CHECK_ERROR((ndshm::create<double>(unique_name(), {std::int64_t{1} << 47})), errc::out_of_memory,
              "needs 1.0 PiB, " + segment_directory() + " has");
}
#endif

#if !defined(NDSHM_PORTABLE_POSIX)
namespace {

/// Bytes of the mapping around an address that are in the page tables of this process.
std::size_t mapped_bytes(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  bool found = false;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::uintptr_t first = 0;
    std::uintptr_t last = 0;
    char dash = 0;
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    if (words >> std::hex >> first >> dash >> last && dash == '-') found = first <= wanted && wanted < last;
    if (found && line.starts_with("Rss:")) return 1024 * std::strtoull(line.c_str() + 4, nullptr, 10);
  }
  return 0;
}

}  // namespace

TEST_CASE("what create reserves is mapped too, so that filling it meets no page fault") {
  constexpr std::size_t largest_page = 65536;
  alignas(largest_page) static std::array<std::byte, largest_page> probe{};
  constexpr int populate_write = 23;  // MADV_POPULATE_WRITE; asked here, so that a library which never does it fails
  if (::madvise(probe.data(), probe.size(), populate_write) != 0) {
    SKIP_TEST("Linux before 5.14 cannot map at once");
  }
  constexpr std::size_t bytes = std::size_t{1} << 22;
  for (const auto reserve : {ndshm::Reserve::eager, ndshm::Reserve::lazy}) {
    const auto named = ndshm::create<char>(unique_name(), {bytes}, {.reserve = reserve});
    const auto anonymous = ndshm::create<char>({bytes}, {.reserve = reserve});
    CHECK((mapped_bytes(named.data()) >= bytes) == (reserve == ndshm::Reserve::eager));
    CHECK((mapped_bytes(anonymous.data()) >= bytes) == (reserve == ndshm::Reserve::eager));
  }
}

TEST_CASE("nobody who gets an anonymous array can cut it off under its readers") {
  const auto array = ndshm::create<char>({100'000});
  const int descriptor = array.handle().descriptor();
  for (const off_t size : {0, 4096, 1 << 20}) {
    CHECK(::ftruncate(descriptor, size) == -1);
    CHECK(errno == EPERM);
  }
}
#endif

#if defined(__linux__)
namespace {

/// Runs a function in a child with a file system of its own for named segments; its exit code, or -1 where this system
/// does not allow that.
int with_private_directory(const char* options, const std::function<int()>& function) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", segment_directory().c_str(), "tmpfs", 0, options) != 0) {
      ::_exit(77);
    }
    int code = 99;
    try {
      code = function();
    } catch (const ndshm::Error& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return 1000 + WTERMSIG(status);  // SIGBUS above all
  return WEXITSTATUS(status) == 77 ? -1 : WEXITSTATUS(status);
}

std::uint64_t free_blocks() {
  struct statvfs status {};
  ::statvfs(segment_directory().c_str(), &status);
  return status.f_bfree;
}

}  // namespace

#define IN_PRIVATE_DIRECTORY(options, ...)                                    \
  do {                                                                        \
    const int code = with_private_directory(options, __VA_ARGS__);            \
    if (code < 0) SKIP_TEST("needs the right to mount, which root may have"); \
    CHECK(code == 0);                                                         \
  } while (false)

TEST_CASE("creating more than /dev/shm holds is an error with the sizes, no SIGBUS, and leaves nothing", "[mount]") {
  IN_PRIVATE_DIRECTORY("size=16m", [] {
    const std::uint64_t before = free_blocks();
    for (const std::int64_t mib : {15, 17, 64, 1024}) {  // below and above the size from which on create asks first
      const auto error = error_of([&] {
        auto first = ndshm::create<char>("first", {std::int64_t{4} << 20});
        first.fill(1);
        auto array = ndshm::create<char>("much", {mib << 20});
        array.fill(1);
      });
      if (!error || error->code() != errc::out_of_memory) return 1;
      const std::string text = error->what();
      std::fprintf(stderr, "%s\n", text.c_str());
      if (text.find(segment_directory() + " has 12.0 MiB of 16.0 MiB free") == std::string::npos) return 2;
      if (text.find("docker run --shm-size=1g") == std::string::npos && mib < 1000) return 3;
      if (free_blocks() != before) return 4;
      if (!ndshm::detail::os::names().empty()) return 5;
    }
    // What fits, fits.
    auto array = ndshm::create<char>("fits", {std::int64_t{15} << 20});
    array.fill(1);
    return 0;
  });
}

TEST_CASE("even the first pages of a lazy array are an error and no SIGBUS when /dev/shm is full", "[mount]") {
  // Each array takes two pages, so that with an odd number of them one array gets its first page and not its second.
  for (const char* size : {"size=60k", "size=64k"}) {
    IN_PRIVATE_DIRECTORY(size, [] {
      std::vector<ndshm::SharedArray<int, 1>> arrays;
      for (int i = 0; i < 100; ++i) {
        const auto error = error_of([&] {
          arrays.push_back(ndshm::create<int>("a" + std::to_string(i), {1 << 20}, {.reserve = ndshm::Reserve::lazy}));
        });
        if (error) return error->code() == errc::out_of_memory ? 0 : 1;
      }
      return 2;
    });
  }
}

TEST_CASE("memory that the dead hold is taken back when it runs out", "[mount]") {
  IN_PRIVATE_DIRECTORY("size=16m", [] {
    // Two living segments make create look for the dead less often than every time.
    std::vector<ndshm::SharedArray<int, 1>> living;
    for (int i = 0; i < 20; ++i) living.push_back(ndshm::create<int>("l" + std::to_string(i), {1}));
    ndshm::sweep();
    if (::fork() == 0) {
      static auto array = ndshm::create<char>("dead", {std::int64_t{12} << 20});
      ::_exit(0);
    }
    ::wait(nullptr);
    auto array = ndshm::create<char>("next", {std::int64_t{12} << 20});
    array.fill(1);
    return 0;
  });
}

#if !defined(NDSHM_PORTABLE_POSIX)
TEST_CASE("huge pages back the array where /dev/shm has them on", "[mount]") {
  IN_PRIVATE_DIRECTORY("size=512m,huge=advise", [] {
    auto array = ndshm::create<char>("huge", {std::int64_t{64} << 20});
    std::ifstream maps("/proc/self/smaps");
    bool ours = false;
    for (std::string line; std::getline(maps, line);) {
      for (const char* const file : {"/ndshm.huge", "/#"}) {
        if (line.find(segment_directory() + file) != std::string::npos) ours = true;
      }
      if (ours && line.starts_with("ShmemPmdMapped:")) {
        return std::strtoull(line.c_str() + 15, nullptr, 10) >= 32 * 1024 ? 0 : 1;
      }
    }
    return 2;
  });
  IN_PRIVATE_DIRECTORY("size=16m,huge=advise", [] {
    const auto error = error_of([] { ndshm::create<char>("huge", {std::int64_t{32} << 20}); });
    return error && error->code() == errc::out_of_memory && ndshm::detail::os::names().empty() ? 0 : 1;
  });
}
#endif
#endif
