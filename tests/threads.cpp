// SPDX-License-Identifier: BSL-1.0
// threads.cpp: threads that share one mapping, for ThreadSanitizer, which sees nothing across two mappings.
#include <atomic>
#include <thread>
#include <vector>

#include "catch.hpp"

#include <ndshm/ndshm.hpp>

namespace {

template <class Function>
void in_threads(int count, Function function) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&function, i] { function(i); });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("threads fill their parts of one array") {
  auto array = ndshm::create<int>({4, 1000});
  in_threads(4, [&](int i) { xt::view(array, i, xt::all()) = i; });
  for (int i = 0; i < 4; ++i) CHECK(xt::sum(xt::view(array, i, xt::all()))() == 1000 * i);
}

TEST_CASE("threads that attach the same name at once share one mapping") {
  for (int round = 0; round < 50; ++round) {
    const std::string name = unique_name();
    const auto owner = ndshm::create<int>(name, {16});
    std::vector<const int*> data(8);
    std::atomic<int> ready{0};
    in_threads(8, [&](int i) {
      ++ready;
      while (ready < 8) std::this_thread::yield();
      const auto mine = ndshm::attach<const int, 1>(name);
      data[static_cast<std::size_t>(i)] = mine.data();
      ++ready;
      while (ready < 16) std::this_thread::yield();  // all have it, so all have the same
    });
    for (const int* other : data) CHECK(other == data[0]);
  }
}

TEST_CASE("threads create, attach, detach, list and sweep at once") {
  const std::string base = unique_name();
  std::atomic<int> unexpected{0};
  in_threads(4, [&](int i) {
    for (int round = 0; round < 200; ++round) {
      try {
        auto array = ndshm::create_or_attach<int>(base + std::to_string((i + round) % 3), {8});
        std::atomic_ref(array(0)).fetch_add(1);
        if (ndshm::detail::os::can_list && round % 16 == 0) ndshm::list();
        if (round % 16 == 8) ndshm::sweep();
      } catch (const ndshm::Error&) {
        ++unexpected;
      }
    }
  });
  CHECK(unexpected == 0);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(ndshm::exists(base + std::to_string(i)));
}

TEST_CASE("a lost race between two threads of one process is an error of one") {
  const std::string name = unique_name();
  std::atomic<int> made{0};
  std::atomic<int> refused{0};
  std::atomic<int> done{0};
  in_threads(4, [&](int) {
    ndshm::SharedArray<int, 1> array;
    try {
      array = ndshm::create<int>(name, {8});
      ++made;
    } catch (const ndshm::Error& error) {
      if (error.code() == ndshm::errc::already_exists) ++refused;
    }
    ++done;
    while (done < 4) std::this_thread::yield();
  });
  CHECK(made == 1);
  CHECK(refused == 3);
}
