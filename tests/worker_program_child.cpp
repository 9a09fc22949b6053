// SPDX-License-Identifier: BSL-1.0
// worker_program_child.cpp: the workers of tests/worker_program.cpp. The first argument says what they do.
#if __has_include(<fcntl.h>)
#include <fcntl.h>
#endif

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ndshm/ndshm.hpp>
#include <stdexcept>
#include <string>

#include "system.hpp"

namespace {

int add_rows() {
  auto array = ndshm::attach<double, 2>(ndshm::inherited(0));
  const auto read_only = ndshm::attach<const double, 1>(ndshm::inherited(1));
  return ndshm::work([&](ndshm::Range rows, const ndshm::Worker& worker) {
    xt::view(array, xt::range(rows.begin, rows.end)) += read_only(0);
    return worker.index;
  });
}

int count_runs() {
  auto runs = ndshm::attach<int, 1>(ndshm::inherited(0));
  auto started = ndshm::attach<int, 1>(ndshm::inherited(1));
  std::atomic_ref(started(ndshm::this_worker().index)).fetch_add(1);
  return ndshm::work([&](int i) {
    std::atomic_ref(runs(static_cast<std::size_t>(i))).fetch_add(1);
    return i;
  });
}

/// Says who it is, and never ends its task. One of them starts a program before, which makes an array of that name.
int hold(const std::string& name) {
  auto pids = ndshm::attach<std::uint64_t, 1>(ndshm::inherited(0));
  const std::size_t index = ndshm::this_worker().index;
  return ndshm::work([&](int) {
    ndshm::Process program;
    if (index == 0) {
      program = ndshm::spawn(ndshm::this_program(), {"keep", name});
      ndshm::attach<const int, 1>(name, {.timeout = std::chrono::seconds(60)});
    }
    std::atomic_ref(pids(index)).store(this_process());
    wait_for_ever();
    return 0;
  });
}

int misbehave() {
  return ndshm::work([](int i) {
    if (i == 3) kill_this_process();
    if (i == 5) throw std::runtime_error("five");
    if (i == 7) std::exit(4);
    if (i == 9) wait_for_ever();
    return i * 2;
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "add_rows") return add_rows();
  if (what == "count_runs") return count_runs();
  if (what == "hold") return hold(argv[2]);
  if (what == "keep") {
    const std::string name = argv[2];
    const auto array = ndshm::create<int>(name, {1});
    ndshm::attach<const int, 1>(name + "e", {.timeout = std::chrono::seconds(60)});  // which tells it to end
    return 0;
  }
  if (what == "misbehave") return misbehave();
  if (what == "other_type") return ndshm::work([](double i) { return i; });
  if (what == "index") {
    const ndshm::Worker worker = ndshm::this_worker();
    return ndshm::work([&](int) { return static_cast<int>(worker.index * 100 + worker.count); });
  }
#if defined(F_GETFD)
  if (what == "descriptors") {
    // Those of work(), the report pipe, and the array.
    return ndshm::work([](int) {
      int open = 0;
      for (int fd = 3; fd < 256; ++fd) open += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
      return open;
    });
  }
#endif
  if (what == "leave") return 3;
  if (what == "wait") wait_for_ever();
  return ndshm::work([](int i) { return i; });
}
