// SPDX-License-Identifier: BSL-1.0
// names.cpp: the life of a name among processes that are not each other's copies, the same on every system: who keeps
// it, who gets it next, who waits for it. The other processes are this program, started again with the test's own
// arguments for Catch2. What only a fork can show is in life.cpp.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "system.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;
using namespace std::chrono_literals;

namespace {

constexpr const char* name_variable = "NAMES_NAME";

std::string name_of_the_test() { return std::getenv(name_variable); }

ndshm::Process start(const std::string& what, const std::string& name, const std::vector<ndshm::Handle>& handles = {}) {
  return ndshm::spawn(ndshm::this_program(), {what}, handles, {.environment = {{name_variable, name}}});
}

void wait_until(const std::atomic_ref<int>& word, int value) {
  while (word.load() != value) std::this_thread::sleep_for(1ms);
}

}  // namespace

TEST_CASE("a process that makes it", "[.][child]") {
  const auto array = ndshm::copy_of(name_of_the_test(), xt::ones<int>({1000}) * 7);
  wait_for_ever();
}

TEST_CASE("a process that holds it", "[.][child]") {
  const auto array = ndshm::attach<int, 1>(name_of_the_test(), {.timeout = 60s});
  auto word = ndshm::attach<int, 1>(ndshm::inherited(0));
  std::atomic_ref(word(0)).store(array(999));
  wait_until(std::atomic_ref(word(1)), 1);
}

TEST_CASE("a process that races for it", "[.][child]") {
  auto words = ndshm::attach<int, 1>(ndshm::inherited(0));
  std::atomic_ref(words(0)).fetch_add(1);
  wait_until(std::atomic_ref(words(1)), 1);
  const auto array = ndshm::create_or_attach<int>(name_of_the_test(), {3, 4});
  std::atomic_ref(words(2)).fetch_add(array.is_creator() ? 1 : 0);
  std::atomic_ref(words(3)).fetch_add(1);
  wait_until(std::atomic_ref(words(1)), 2);  // all hold it until all have it
}

TEST_CASE("a name lives as long as any process holds it, whoever made it and however that one ended") {
  const std::string name = unique_name("kept");
  auto words = ndshm::create<int>({2});
  ndshm::Process maker = start("a process that makes it", name);
  ndshm::Process holder = start("a process that holds it", name, {words.handle()});
  wait_until(std::atomic_ref(words(0)), 7);
  maker.kill();
  maker.wait();
  CHECK(ndshm::exists(name));
  CHECK_ERROR((ndshm::create<int>(name, {3})), errc::already_exists, name);
  CHECK((ndshm::attach<const int, 1>(name))(0) == 7);
  std::atomic_ref(words(1)).store(1);
  CHECK(holder.wait().success());
  CHECK_FALSE(ndshm::exists(name));
  CHECK_ERROR((ndshm::attach<int, 1>(name)), errc::not_found, name);
}

TEST_CASE("what its last process was killed with is free at once") {
  for (int round = 0; round < 5; ++round) {
    const std::string name = unique_name("freed");
    ndshm::Process maker = start("a process that makes it", name);
    CHECK(ndshm::attach<const int, 1>(name, {.timeout = 60s}).size() == 1000);
    maker.kill();
    CHECK(maker.wait().to_string() == "signal 9 (Killed)");
    CHECK_FALSE(ndshm::exists(name));
    const auto next = ndshm::create<double>(name, {2, 2});
    CHECK(next(1, 1) == 0);
  }
}

TEST_CASE("of many programs that race in create_or_attach exactly one creates") {
  const std::string name = unique_name("raced");
  constexpr int racers = 6;
  auto words = ndshm::create<int>({4});
  std::vector<ndshm::Process> processes;
  for (int i = 0; i < racers; ++i) processes.push_back(start("a process that races for it", name, {words.handle()}));
  wait_until(std::atomic_ref(words(0)), racers);
  std::atomic_ref(words(1)).store(1);
  wait_until(std::atomic_ref(words(3)), racers);
  CHECK(words(2) == 1);
  std::atomic_ref(words(1)).store(2);
  for (ndshm::Process& process : processes) CHECK(process.wait().success());
  CHECK_FALSE(ndshm::exists(name));
}

TEST_CASE("waiting for a name ends when it comes, or when the time is over") {
  const std::string name = unique_name("awaited");
  CHECK_ERROR((ndshm::attach<int, 1>(name, {.timeout = 20ms})), errc::timed_out, "within 0.02 s");
  ndshm::Process maker = start("a process that makes it", name);
  CHECK((ndshm::attach<const int, 1>(name, {.timeout = 60s}))(999) == 7);
  maker.kill();
  maker.wait();
  ndshm::sweep();
}
