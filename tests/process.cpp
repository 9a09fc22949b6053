// SPDX-License-Identifier: BSL-1.0
// process.cpp: functions in child processes, and how they end.
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "catch.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;

namespace {

bool is_gone(std::uint64_t pid) { return ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH; }

}  // namespace

TEST_CASE("a child's exit code, signal or exception reach the parent") {
  CHECK(ndshm::fork([] {}).wait().success());
  CHECK(ndshm::fork([] { return 3; }).wait().exit_code() == 3);
  CHECK(ndshm::fork([] { return 3; }).wait().to_string() == "exit code 3");
  const ndshm::ExitStatus killed = ndshm::fork([] { ::kill(::getpid(), SIGKILL); }).wait();
  CHECK(killed.signal() == SIGKILL);
  CHECK_FALSE(killed.exit_code());
  CHECK(killed.to_string() == "signal 9 (Killed)");
  const ndshm::ExitStatus thrown = ndshm::fork([] { throw std::runtime_error("out of cheese"); }).wait();
  CHECK(thrown.exception() == "std::runtime_error: out of cheese");
  CHECK(thrown.exit_code() == ndshm::Process::exception_exit_code);
  CHECK_FALSE(thrown.success());
  CHECK(ndshm::fork([] { throw 5; }).wait().exception() == "an exception that is not a std::exception");
  const ndshm::ExitStatus longer = ndshm::fork([] { throw std::runtime_error(std::string(1'000'000, 'x')); }).wait();
  CHECK(longer.exception().size() == 4096);
}

TEST_CASE("parent and child share the arrays that were mapped before, for reading and writing") {
  auto array = ndshm::create<int>({4});
  const auto named = ndshm::create<int>(unique_name(), {4});
  array(0) = 1;
  CHECK(ndshm::fork([&] {
          if (array(0) != 1) throw std::runtime_error("not shared");
          array(1) = 2;
          auto again = ndshm::attach<int, 1>(named.handle());
          again(3) = 4;
          if (again.data() != named.data()) throw std::runtime_error("mapped twice");
        })
            .wait()
            .to_string() == "exit code 0");
  CHECK(array(1) == 2);
  CHECK(named(3) == 4);
}

TEST_CASE("wait can be called again, poll does not wait") {
  int gate[2] = {};
  REQUIRE(::pipe(gate) == 0);
  ndshm::Process child = ndshm::fork([&] {
    char byte = 0;
    return ::read(gate[0], &byte, 1) == 1 ? 4 : 5;
  });
  CHECK(child.poll() == nullptr);
  CHECK(child.running());
  CHECK(child.wait_for(std::chrono::milliseconds(1)) == nullptr);
  REQUIRE(::write(gate[1], "x", 1) == 1);
  REQUIRE(child.wait_for(std::chrono::nanoseconds::max()) != nullptr);
  CHECK(child.wait().exit_code() == 4);
  CHECK(child.wait().exit_code() == 4);
  REQUIRE(child.poll() != nullptr);
  CHECK_FALSE(child.running());
  child.kill();  // harmless
  ::close(gate[0]);
  ::close(gate[1]);
}

TEST_CASE("a child that is not waited for is killed and reaped") {
  std::uint64_t pid = 0;
  {
    const ndshm::Process child = ndshm::fork([] {
      for (;;) ::pause();
    });
    pid = child.pid();
    CHECK_FALSE(is_gone(pid));
  }
  CHECK(is_gone(pid));
  ndshm::Process first = ndshm::fork([] {
    for (;;) ::pause();
  });
  pid = first.pid();
  first = ndshm::fork([] { return 6; });
  CHECK(is_gone(pid));
  ndshm::Process moved = std::move(first);
  CHECK(first.pid() == 0);  // NOLINT(bugprone-use-after-move): this is what the test is about
  CHECK(moved.wait().exit_code() == 6);
  CHECK_ERROR(ndshm::Process().wait(), errc::invalid_argument, "no process");
}

TEST_CASE("kill ends a child") {
  ndshm::Process child = ndshm::fork([] {
    for (;;) ::pause();
  });
  child.kill();
  CHECK(child.wait().signal() == SIGKILL);
}

TEST_CASE("a grandchild that keeps the pipe does not hold up the parent") {
  int gate[2] = {};
  REQUIRE(::pipe(gate) == 0);
  const auto leave_a_grandchild = [&] {
    if (::fork() != 0) return;
    char byte = 0;
    ::_exit(::read(gate[0], &byte, 1) == 1 ? 0 : 1);
  };
  const ndshm::ExitStatus status = ndshm::fork([&] {
                                     leave_a_grandchild();
                                     throw std::runtime_error("left a grandchild");
                                   }).wait();
  CHECK(status.exception() == "std::runtime_error: left a grandchild");
  CHECK(ndshm::fork(leave_a_grandchild).wait().success());
  REQUIRE(::write(gate[1], "xx", 2) == 2);
  ::close(gate[0]);
  ::close(gate[1]);
}

TEST_CASE("a child that somebody else reaped is an error, not a hang") {
  ndshm::Process child = ndshm::fork([] {});
  REQUIRE(::waitpid(static_cast<pid_t>(child.pid()), nullptr, 0) > 0);
  CHECK_ERROR(child.wait(), errc::system_error, "other code waits");
}

TEST_CASE("a forked child does not end its parent's other children") {
  ndshm::Process sibling = ndshm::fork([] {
    for (;;) ::pause();
  });
  CHECK(ndshm::fork([&] { sibling = ndshm::Process(); }).wait().success());
  CHECK_FALSE(is_gone(sibling.pid()));
  CHECK(sibling.running());
}

#if defined(__linux__) && !defined(NDSHM_PORTABLE_POSIX)
TEST_CASE("fork refuses while other threads run, unless it is told not to") {
  std::thread thread([] {
    CHECK_ERROR(static_cast<void>(ndshm::fork([] {})), errc::multithreaded, "2 threads run");
    ndshm::Process child = ndshm::fork([] { ::_exit(7); }, {.allow_threads = true});
    CHECK(child.wait().exit_code() == 7);
  });
  thread.join();
}

TEST_CASE("a thread that has ended does not stand in the way of a fork") {
  // The kernel lists a thread for a moment after it was joined; the first thread for as long as there are others.
  const ndshm::ExitStatus status = ndshm::fork([] {
                                     const pthread_t first = ::pthread_self();
                                     std::thread([first] {
                                       ::pthread_join(first, nullptr);
                                       try {
                                         ::_exit(ndshm::fork([] { return 7; }).wait().exit_code().value_or(1));
                                       } catch (const ndshm::Error& error) {
                                         std::fputs(error.what(), stderr);
                                       }
                                       ::_exit(1);
                                     }).detach();
                                     ::syscall(SYS_exit, 0);
                                   }).wait();
  CHECK(status.exit_code() == 7);
}
#endif
