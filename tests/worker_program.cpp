// SPDX-License-Identifier: BSL-1.0
// worker_program.cpp: pools whose workers are programs of their own. The child is worker_program_child.cpp.
#if __has_include(<sys/wait.h>)
#include <fcntl.h>
#include <unistd.h>
#define NDSHM_TEST_POSIX
#endif

#include <array>
#include <atomic>
#include <numeric>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "system.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;
using ndshm::FailureReason;
using ndshm::Range;
using ndshm::WorkerPool;
using ndshm::WorkerProgram;
using namespace std::chrono_literals;

namespace {

constexpr const char* owner_variable = "WORKER_PROGRAM_OWNER";
constexpr const char* kept_variable = "WORKER_PROGRAM_KEPT";

std::filesystem::path child_program() {
  return ndshm::this_program()
      .replace_filename("worker_program_child")
      .replace_extension(ndshm::this_program().extension());
}

WorkerProgram program(const std::string& what, std::vector<ndshm::Handle> handles = {}) {
  return {child_program(), {what}, std::move(handles)};
}

std::vector<int> numbers(int count) {
  std::vector<int> result(static_cast<std::size_t>(count));
  std::iota(result.begin(), result.end(), 0);
  return result;
}

}  // namespace

TEST_CASE("programs that were handed the arrays do the tasks, named or anonymous, also beside threads") {
  auto array = ndshm::create<double>({1000, 7});
  const auto summand = ndshm::create<double>(unique_name(), {1});
  const_cast<double&>(summand(0)) = 2.5;
  std::thread beside([&] {
    WorkerPool<Range, std::size_t> pool(3, program("add_rows", {array.handle(), summand.handle().as_read_only()}));
    for (int round = 0; round < 2; ++round) {
      for (const std::size_t worker : pool.map(ndshm::blocks(1000, 9))) {
        if (worker >= 3) FAIL("worker " << worker);
      }
    }
  });
  beside.join();
  CHECK(xt::all(xt::equal(array, 5.0)));
}

TEST_CASE("a program that dies or throws fails its own task alone") {
  WorkerPool<int, int> pool(2, program("misbehave"));
  const auto report = pool.try_map(numbers(100), {.task_timeout = 200ms});
  CHECK(report.done == 96);
  REQUIRE(report.failures.size() == 4);
  CHECK(report.failures[0].index == 3);
  CHECK(report.failures[0].text == "signal 9 (Killed)");
  CHECK(report.failures[1].text == "std::runtime_error: five");
  CHECK(report.failures[2].text == "exit code 4");
  CHECK(report.failures[3].reason == FailureReason::timed_out);
  CHECK(report.replaced == 3);
  CHECK(report.results[99] == 198);
}

TEST_CASE("200 worker programs are killed, and each task is done or reported exactly once") {
  auto runs = ndshm::create<int>({40});
  auto started = ndshm::create<int>({4});  // how many workers there have been in each place
  WorkerPool<int, int> pool(4, program("count_runs", {runs.handle(), started.handle()}), {.max_replacements = 10'000});
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same choice each time
  std::array<int, 4> last_killed{};
  std::size_t killed = 0;
  std::size_t failed = 0;
  while (killed < 200) {
    runs.fill(0);
    std::vector<ndshm::PendingTask<int>> pending;
    for (int i = 0; i < 40; ++i) pending.push_back(pool.submit(i));
    for (int k = 0; k < 4; ++k) {
      const std::size_t place = random() % 4;
      const int worker = std::atomic_ref(started(place)).load();
      if (worker == std::exchange(last_killed[place], worker)) continue;  // each of the 200 is another worker
      kill_process(pool.pids()[place]);
      ++killed;
    }
    for (int i = 0; i < 40; ++i) {
      const auto at = static_cast<std::size_t>(i);
      try {
        if (pending[at].get() != i || runs(at) != 1) FAIL("task " << i << " ran " << runs(at) << " times");
      } catch (const ndshm::TaskError& error) {
        if (std::string(error.what()).find("signal 9") == std::string::npos || runs(at) > 1) FAIL(error.what());
        ++failed;
      }
    }
  }
  CHECK(failed <= killed);
  const auto after = numbers(100);
  CHECK(pool.map(after) == after);
}

TEST_CASE("a worker program knows which worker it is, and has no descriptor that is none of its business") {
  WorkerPool<int, int> pool(3, program("index"));
  for (const int answer : pool.map(numbers(30))) {
    if (answer % 100 != 3 || answer / 100 > 2) FAIL("index and count " << answer);
  }
#if defined(NDSHM_TEST_POSIX)
  const int leaked = ::open("/dev/null", O_RDONLY);  // NOLINT: without O_CLOEXEC, on purpose
  const auto array = ndshm::create<int>({1});
  WorkerPool<int, int> counting(2, program("descriptors", {array.handle()}));
  // The board, two wake-up events, the owner, the array, the report pipe, and the duplicate that keeps the board.
  CHECK(counting.map(numbers(1)) == std::vector<int>{7});
  ::close(leaked);
#endif
  CHECK_ERROR(ndshm::this_worker(), errc::not_found, "not started by a WorkerPool");
}

TEST_CASE("a program that is no worker, or one for other types, is an error in words") {
  WorkerPool<int, int> other(1, program("other_type"));
  const auto report = other.try_map(numbers(2));
  REQUIRE(report.failures.size() == 2);
  CHECK(report.failures[0].reason == FailureReason::no_worker);
  CHECK(report.failures[0].text.find("jobs of 4 and results of 4 bytes, this worker 8 and 8") != std::string::npos);
  WorkerPool<int, int> leaves(2, program("leave"));
  CHECK(leaves.try_map(numbers(2)).failures.at(1).text.find("exit code 3, before it was ready") != std::string::npos);
  WorkerPool<int, int> silent(1, program("wait"), {.start_timeout = 50ms});  // it never calls work()
  CHECK(silent.try_map({1}).failures.at(0).text.find("had not called ndshm::work") != std::string::npos);
#if defined(NDSHM_TEST_POSIX)
  WorkerPool<int, int> sleeps(1, {"sleep", {"1000"}}, {.start_timeout = 50ms});  // nor does it know of ndshm
  CHECK(sleeps.try_map({1}).failures.at(0).text.find("had not called ndshm::work") != std::string::npos);
  // One that is not the pool's own child.
  WorkerPool<int, int> wrapped(1, {"sh", {"-c", "\"$0\" echo; exit $?", child_program().string()}});
  CHECK(wrapped.try_map({1}).failures.at(0).text.find("start the worker program directly") != std::string::npos);
#endif
  CHECK_ERROR((WorkerPool<int, int>(1, {"/nowhere/to/be/found"})), errc::not_found, "/nowhere/to/be/found");
  CHECK_ERROR((WorkerPool<int, int>(1, program("echo"), {.initialise = [](const ndshm::Worker&) {}})),
              errc::invalid_argument, "cannot call functions");
  CHECK(ndshm::spawn(child_program(), {"echo"}).wait().exception().find("not started by a WorkerPool") !=
        std::string::npos);
}

TEST_CASE("an owner", "[.][child]") {
  const auto pids = ndshm::create<std::uint64_t>(std::getenv(owner_variable), {3});
  WorkerPool<int, int> pool(3, WorkerProgram{child_program(), {"hold", std::getenv(kept_variable)}, {pids.handle()}});
  pool.run(numbers(3));  // none of which ends
}

TEST_CASE("when the owner is killed its worker programs end, whatever they are doing, but not what they started") {
  const std::string name = unique_name("owner");
  const std::string kept = unique_name("kept");
  set_variable(kept_variable, kept.c_str());
  set_variable(owner_variable, name.c_str());
  ndshm::Process owner = ndshm::spawn(ndshm::this_program(), {"an owner"});
  std::uint64_t stopped = 0;
  {
    auto pids = ndshm::attach<std::uint64_t, 1>(name, {.timeout = 60s});
    for (std::size_t i = 0; i < 3; ++i) {
      while (std::atomic_ref(pids(i)).load() == 0) std::this_thread::yield();
    }
    stopped = pids(1);
    stop_process(stopped);
  }
  owner.kill();
  CHECK(owner.wait().to_string() == "signal 9 (Killed)");
#if defined(NDSHM_PORTABLE_POSIX)
  ::kill(static_cast<pid_t>(stopped), SIGCONT);  // only Linux does that by itself: there it ends when it goes on
#endif
  // Only the workers hold the array now.
  while (ndshm::exists(name)) std::this_thread::yield();
  CHECK(ndshm::exists(kept));
  {
    const auto end = ndshm::create<int>(kept + "e", {1});
    while (ndshm::exists(kept)) std::this_thread::yield();
  }
  ndshm::sweep();
}
