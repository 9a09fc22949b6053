// SPDX-License-Identifier: BSL-1.0
// life.cpp: the life of a named segment, step by step: who keeps it, who removes it, what is left of the dead. What
// happens when many do it at once and are killed is in torture/.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>

#include "catch.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;
using ndshm::Lifetime;
using ndshm::Removal;
using namespace std::chrono_literals;

namespace {

/// Runs a function in a child that ends without any clean-up, as if it had been killed at that point.
void in_a_killed_child(const std::function<void()>& function) {
  const pid_t child = ::fork();
  if (child == 0) {
    function();
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
}

bool is_listed(const std::string& name) {
  for (const ndshm::SegmentInfo& info : ndshm::list()) {
    if (info.name == name) return true;
  }
  return false;
}

/// A child process that does one thing, waits to be told, does another, and leaves.
class Partner {
 public:
  Partner(const std::function<void(const std::function<void()>& wait)>& function) {
    REQUIRE(::pipe(to_child_) == 0);
    REQUIRE(::pipe(to_parent_) == 0);
    child_ = ndshm::fork([&] {
      function([&] {
        char byte = 'r';
        if (::write(to_parent_[1], &byte, 1) != 1 || ::read(to_child_[0], &byte, 1) != 1) ::_exit(9);
      });
    });
    wait_until_it_waits();
  }
  ~Partner() {
    for (const int end : {to_child_[0], to_child_[1], to_parent_[0], to_parent_[1]}) ::close(end);
  }
  Partner(const Partner&) = delete;
  Partner& operator=(const Partner&) = delete;

  void wait_until_it_waits() {
    char byte = 0;
    REQUIRE(::read(to_parent_[0], &byte, 1) == 1);
  }
  void go_on() { REQUIRE(::write(to_child_[1], "g", 1) == 1); }
  ndshm::Process& process() { return child_; }

 private:
  int to_child_[2] = {};
  int to_parent_[2] = {};
  ndshm::Process child_;
};

}  // namespace

TEST_CASE("the last process to leave removes the name") {
  const std::string name = unique_name();
  auto a = ndshm::create<int>(name, {4});
  CHECK(is_listed(name));
  {
    const auto b = ndshm::attach<int, 1>(name);
    a = {};
    CHECK(ndshm::exists(name));
  }
  CHECK_FALSE(is_listed(name));
  CHECK_FALSE(ndshm::exists(name));
}

TEST_CASE("another process keeps it, whoever made it") {
  const std::string name = unique_name();
  auto a = ndshm::create<int>(name, {4});
  Partner partner([&](const auto& wait) {
    // A mapping of its own: the inherited one goes first.
    a = {};
    const auto b = ndshm::attach<int, 1>(name);
    wait();
  });
  a = {};
  CHECK(ndshm::exists(name));
  CHECK(ndshm::attach<int, 1>(name).size() == 4);
  partner.go_on();
  CHECK(partner.process().wait().success());
  CHECK_FALSE(is_listed(name));
}

TEST_CASE("a forked child that leaves takes nothing from its parent, nor the other way round") {
  const std::string name = unique_name();
  auto a = ndshm::create<int>(name, {4});
  CHECK(ndshm::fork([&] { a = {}; }).wait().success());
  CHECK(ndshm::exists(name));
  Partner partner([&](const auto& wait) { wait(); });
  a = {};
  CHECK(ndshm::exists(name));  // the child has it mapped, though it closed and opened nothing
  partner.go_on();
  CHECK(partner.process().wait().success());  // _exit: nobody removes the name
  CHECK_FALSE(ndshm::exists(name));
  ndshm::sweep();
  CHECK_FALSE(is_listed(name));
}

TEST_CASE("what a killed process left is dead: it is not attached, it is swept, its name is free") {
  const std::string name = unique_name();
  const auto leave = [&] {
    in_a_killed_child([&] {
      static auto array = ndshm::create<int>(name, {4});
      array.fill(7);
    });
  };
  leave();
  CHECK_FALSE(ndshm::exists(name));
  CHECK_ERROR((ndshm::attach<int, 1>(name)), errc::not_found, "no such segment");
  CHECK_FALSE(is_listed(name));  // attach swept it
  leave();
  const auto again = ndshm::create<int>(name, {8});
  CHECK(again.size() == 8);
  CHECK(again(0) == 0);
  ndshm::sweep();
  CHECK(ndshm::exists(name));
}

TEST_CASE("create_or_attach takes the place of a dead one") {
  const std::string name = unique_name();
  in_a_killed_child([&] { static auto array = ndshm::create<double>(name, {4}); });
  const auto array = ndshm::create_or_attach<int>(name, {8});
  CHECK(array.is_creator());
}

TEST_CASE("of many processes that race in create_or_attach exactly one creates") {
  for (int round = 0; round < 20; ++round) {
    const std::string name = unique_name();
    auto count = ndshm::create<int>({2});
    std::vector<ndshm::Process> racers;
    const auto keep = [&] {
      auto array = ndshm::create_or_attach<int>(name, {100});
      if (array.is_creator()) std::atomic_ref(count(0)).fetch_add(1);
      std::atomic_ref(array(0)).fetch_add(1);
      // Nobody leaves before all have it: otherwise the next one would rightly create it again.
      std::atomic_ref(count(1)).fetch_add(1);
      while (std::atomic_ref(count(1)).load() < 4) std::this_thread::yield();
      if (std::atomic_ref(array(0)).load() != 4) throw std::runtime_error("two segments");
    };
    for (int i = 0; i < 4; ++i) racers.push_back(ndshm::fork(keep));
    for (ndshm::Process& racer : racers) {
      INFO(racer.wait().to_string());
      CHECK(racer.wait().success());
    }
    CHECK(count(0) == 1);
  }
  ndshm::sweep();
}

TEST_CASE("attach waits for a name that is still to come") {
  const std::string name = unique_name();
  auto go = ndshm::create<int>({1});
  ndshm::Process waiting = ndshm::fork([&] {
    std::atomic_ref(go(0)).store(1);
    const auto array = ndshm::attach<int, 1>(name, {.timeout = 60s});
    return array(3) == 9 ? 0 : 1;  // complete as soon as it is seen
  });
  while (std::atomic_ref(go(0)).load() == 0) std::this_thread::yield();
  const auto array = ndshm::copy_of(name, xt::xtensor<int, 1>{1, 2, 3, 9});
  CHECK(waiting.wait().to_string() == "exit code 0");
  const std::string never = unique_name();
  CHECK_ERROR((ndshm::attach<int, 1>(never, {.timeout = 20ms})), errc::timed_out, "within 0.02 s [ndshm.timed_out]");
  CHECK_ERROR((ndshm::attach<int, 1>(never, {.timeout = -1s})), errc::not_found, "");
}

TEST_CASE("a persistent segment stays until it is removed, also without any process") {
  const std::string name = unique_name();
  in_a_killed_child([&] {
    static auto array = ndshm::create<int>(name, {4}, {.lifetime = Lifetime::persistent});
    array.fill(7);
  });
  ndshm::sweep();
  CHECK(ndshm::exists(name));
  CHECK_ERROR((ndshm::create<int>(name, {4})), errc::already_exists, "ends a persistent one");
  {
    const auto array = ndshm::attach<int, 1>(name);
    CHECK(array(3) == 7);
  }
  CHECK(ndshm::exists(name));
  {
    const auto array = ndshm::attach<int, 1>(name);
    CHECK(ndshm::remove(name) == Removal::deferred);
    CHECK(ndshm::exists(name));  // in use: it is not taken away
    CHECK(ndshm::attach<int, 1>(name).data() == array.data());
  }
  CHECK_FALSE(is_listed(name));
  CHECK(ndshm::remove(name) == Removal::not_found);
  { ndshm::create<int>(name, {4}, {.lifetime = Lifetime::persistent}); }
  CHECK(ndshm::remove(name) == Removal::removed);
  CHECK_FALSE(is_listed(name));
  CHECK_ERROR((ndshm::create<int>({4}, {.lifetime = Lifetime::persistent})), errc::invalid_argument, "give it a name");
}

TEST_CASE("remove leaves a segment to those who use it") {
  const std::string name = unique_name();
  auto array = ndshm::create<int>(name, {4});
  CHECK(ndshm::remove(name) == Removal::deferred);
  CHECK(ndshm::exists(name));
  array = {};
  CHECK_FALSE(is_listed(name));
}

TEST_CASE("list tells what there is") {
  const std::string name = unique_name();
  const auto array = ndshm::create<double, 2, ndshm::layout::column_major>(name, {3, 4});
  for (const ndshm::SegmentInfo& info : ndshm::list()) {
    if (info.name != name) continue;
    CHECK(info.uuid == array.uuid());
    CHECK(info.dtype == "<f8");
    CHECK(info.shape == std::vector<std::size_t>{3, 4});
    CHECK(info.fortran_order);
    CHECK(info.nbytes == 96);
    CHECK(info.lifetime == Lifetime::shared);
    CHECK(info.in_use);
    CHECK(info.creator_pid == static_cast<std::uint64_t>(::getpid()));
    CHECK(info.created <= std::chrono::system_clock::now());
    return;
  }
  FAIL("it is not in the list");
}

TEST_CASE("create sweeps what the dead left, in passing") {
  const std::string dead = unique_name();
  in_a_killed_child([&] { static auto array = ndshm::create<int>(dead, {4}); });
  // At the latest after as many creates as there are segments.
  const std::size_t segments = ndshm::list().size();
  for (std::size_t i = 0; i <= segments; ++i) ndshm::create<int>(unique_name(), {1});
  CHECK_FALSE(is_listed(dead));
}

TEST_CASE("the mode keeps others out whatever the umask, and can be opened") {
  const mode_t before = ::umask(0);
  const auto array = ndshm::create<int>(unique_name(), {4});
  const auto open = ndshm::create<int>(unique_name(), {4}, {.mode = 0644});
  ::umask(before);
  struct stat status {};
  REQUIRE(::stat(array.path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  REQUIRE(::stat(open.path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0644U);
  const auto anonymous = ndshm::create<int>({4});
  REQUIRE(::fstat(anonymous.handle().descriptor(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  CHECK_ERROR((ndshm::create<int>({4}, {.mode = 0400})), errc::invalid_argument, "between 0600 and 0666");
  CHECK_ERROR((ndshm::create<int>({4}, {.mode = 0700})), errc::invalid_argument, "between 0600 and 0666");
}

TEST_CASE("the mappings of many arrays cost no descriptors") {
  struct rlimit limit {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlim_t before = limit.rlim_cur;
#if defined(NDSHM_PORTABLE_POSIX)
  constexpr int count = 10;  // there the lock files stay open
#else
  constexpr int count = 200;
#endif
  limit.rlim_cur = 64;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  std::vector<ndshm::SharedArray<int, 1>> arrays;
  const auto error = error_of([&] {
    for (int i = 0; i < count; ++i) arrays.push_back(ndshm::create<int>(unique_name(), {1}));
  });
  limit.rlim_cur = before;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK_FALSE(error);
}

TEST_CASE("running out of descriptors is an error that says so, and loses nothing") {
  const std::string name = unique_name();
  const auto array = ndshm::create<int>(name, {1});
  struct rlimit limit {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const struct rlimit none { 0, limit.rlim_max };
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto error = error_of([&] { ndshm::attach<const int, 1>(name); });
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  REQUIRE(error);
  CHECK(error->code() == errc::system_error);
  CHECK(std::string(error->what()).find("ulimit -n") != std::string::npos);
  CHECK(ndshm::exists(name));
}

#if defined(NDSHM_CRASH_POINTS)
namespace {
std::function<void(std::string_view)> at_point;
}

TEST_CASE("an attach that fails after the last holder has left removes the segment") {
  const std::string name = unique_name();
  Partner holder([&](const auto& wait) {
    {
      const auto array = ndshm::create<int>(name, {1 << 20});
      wait();
    }
    wait();
    ::_exit(0);
  });
  struct rlimit limit {};
  REQUIRE(::getrlimit(RLIMIT_AS, &limit) == 0);
  const rlimit before = limit;
  // A small mapping can still be had, one of 4 MiB cannot.
  std::size_t pages = 0;
  REQUIRE(std::ifstream("/proc/self/statm") >> pages);
  limit.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (1 << 20);
  at_point = [&](std::string_view where) {
    if (where == "attach: locked") {
      holder.go_on();  // it leaves, and cannot remove the name because this process holds it
      holder.wait_until_it_waits();
    }
    if (where == "attach: described") ::setrlimit(RLIMIT_AS, &limit);
  };
  ndshm::detail::crash_point_hook = [](const char* where) { at_point(where); };
  const auto error = error_of([&] { ndshm::attach<int, 1>(name); });
  ndshm::detail::crash_point_hook = nullptr;
  REQUIRE(::setrlimit(RLIMIT_AS, &before) == 0);
  REQUIRE(error);
  CHECK(error->code() == errc::out_of_memory);
  CHECK_FALSE(is_listed(name));
  holder.go_on();
  CHECK(holder.process().wait().exit_code() == 0);
}

TEST_CASE("attach looks again when a sweeper was faster") {
  const std::string name = unique_name();
  auto array = ndshm::create<int>(name, {1});
  bool first = true;
  at_point = [&](std::string_view where) {
    // Between opening and locking the last holder leaves, and another segment takes the name.
    if (where != "attach: opened" || !first) return;
    first = false;
    ndshm::fork([&] { array = {}; }).wait();
    array = {};
    array = ndshm::create<int>(name, {2});
  };
  ndshm::detail::crash_point_hook = [](const char* where) { at_point(where); };
  const auto attached = ndshm::attach<const int, 1>(name);
  ndshm::detail::crash_point_hook = nullptr;
  CHECK(attached.size() == 2);
  CHECK(attached.uuid() == array.uuid());
}

TEST_CASE("what a creator left that was killed in the middle does not exist") {
  for (const std::string_view point : {"create: sized", "create: reserved", "create: control written"}) {
    const std::string name = unique_name();
    in_a_killed_child([&] {
      at_point = [&](std::string_view where) {
        if (where == point) ::kill(::getpid(), SIGKILL);
      };
      ndshm::detail::crash_point_hook = [](const char* where) { at_point(where); };
      static auto array = ndshm::create<int>(name, {4});
    });
    INFO(point);
    CHECK_FALSE(ndshm::exists(name));
    CHECK_ERROR((ndshm::attach<int, 1>(name)), errc::not_found, "no such segment");
    CHECK(ndshm::create<int>(name, {3}).size() == 3);
  }
}

#if !defined(NDSHM_PORTABLE_POSIX)  // there nothing tells who has the lock
TEST_CASE("whoever sweeps a dead segment does not make it look alive") {
  const std::string name = unique_name();
  int looks = 0;
  at_point = [&](std::string_view where) {
    if (where != "sweep: locked") return;
    ++looks;
    CHECK_FALSE(ndshm::exists(name));
  };
  while (looks == 0) {  // another program's sweep may be faster
    in_a_killed_child([&] { static auto dead = ndshm::create<int>(name, {4}); });
    ndshm::detail::crash_point_hook = [](const char* where) { at_point(where); };
    ndshm::sweep();
    ndshm::detail::crash_point_hook = nullptr;
  }
}
#endif

TEST_CASE("a sweeper never removes a name that was given away meanwhile") {
  const std::string name = unique_name();
  ndshm::SharedArray<int, 1> array;
  bool first = true;
  at_point = [&](std::string_view where) {
    if (where != "sweep: opened" || !first) return;
    first = false;
    array = ndshm::create<int>(name, {2});  // sweeps the dead one itself, and takes its name
  };
  while (first) {  // another program's sweep may be faster
    in_a_killed_child([&] { static auto dead = ndshm::create<int>(name, {4}); });
    ndshm::detail::crash_point_hook = [](const char* where) { at_point(where); };
    ndshm::sweep();
    ndshm::detail::crash_point_hook = nullptr;
  }
  REQUIRE(array.size() == 2);
  CHECK(ndshm::exists(name));
}
#endif
