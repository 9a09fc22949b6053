// SPDX-License-Identifier: BSL-1.0
// memory.cpp: how much memory N processes take that all read one array: on one SharedArray, and with a copy each. The
// time says nothing; the counter is the sum of the processes' proportional set sizes (Pss, see proc(5)).
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <ndshm/ndshm.hpp>
#include <vector>

#include "holder.hpp"
#include "measure.hpp"

namespace {

/// Bytes that this process takes, shared pages counted in shares.
double proportional_set_size() {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string word; file >> word;) {
    double kib = 0;
    if (word == "Pss:" && file >> kib) return kib * 1024;
  }
  throw measure::LeftOut("this system does not tell the proportional set size");
}

/// Lets that many processes call `have()`, which returns what they look at, and adds up what they take by then.
template <class Have>
double bytes_of_all(std::size_t processes, Have have) {
  auto ready = ndshm::create<std::size_t>({1});
  auto sizes = ndshm::create<double>({processes});
  auto done = ndshm::create<std::size_t>({1});
  const auto meet = [processes](std::size_t& counter) {
    std::atomic_ref<std::size_t>(counter).fetch_add(1);
    while (std::atomic_ref<std::size_t>(counter).load() < processes) ::usleep(1000);
  };
  std::vector<ndshm::Process> all;
  for (std::size_t i = 0; i < processes; ++i) {
    all.push_back(ndshm::fork([&, i] {
      const auto array = have();
      double sum = measure::read_all({array.data(), array.size()});
      benchmark::DoNotOptimize(sum);
      meet(ready(0));
      sizes(i) = proportional_set_size();
      meet(done(0));
    }));
  }
  for (ndshm::Process& process : all) {
    if (!process.wait().success()) throw std::runtime_error(process.wait().to_string());
  }
  return xt::sum(sizes)();
}

/// `make()` returns what each of the processes then calls.
template <class Make>
void add_processes(std::size_t processes, const std::string& side, Make make) {
  measure::add_loop("memory", processes, side, [=](benchmark::State& state) {
    const auto have = make();
    for (auto _ : state) state.counters["bytes"] = bytes_of_all(processes, have);
  })->Iterations(1);
}

}  // namespace

void measure::add_benchmarks(const Settings& settings) {
  const std::size_t bytes = std::size_t{settings.quick ? 16U : 64U} << 20;
  for (const std::size_t processes : {1, 2, 4, 8}) {
    add_processes(processes, "copies", [=] {
      require_memory(processes * bytes);
      return [handle = holder_of(bytes).handle()] {
        const auto array = ndshm::attach<const double, 1>(handle);
        return std::vector<double>(array.begin(), array.end());
      };
    });
    add_processes(processes, "ndshm", [=] {
      return [handle = holder_of(bytes).handle()] { return ndshm::attach<const double, 1>(handle); };
    });
  }
}
