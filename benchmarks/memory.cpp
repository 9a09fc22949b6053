// SPDX-License-Identifier: BSL-1.0
// memory.cpp: how much memory N processes take that all read one array: on one SharedArray, and with a copy each. The
// time says nothing; the counter is the sum of the processes' proportional set sizes (Pss, see proc(5)).
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <ndshm/ndshm.hpp>
#include <vector>

#include "kernels.hpp"
#include "measure.hpp"
#include "processes.hpp"

namespace {

/// Bytes that a process takes, shared pages counted in shares.
double proportional_set_size(const std::string& process) {
  std::ifstream file("/proc/" + process + "/smaps_rollup");
  for (std::string word; file >> word;) {
    double kib = 0;
    if (word == "Pss:" && file >> kib) return kib * 1024;
  }
  throw measure::LeftOut("this system does not tell the proportional set size");
}

/// Lets that many processes call `have()`, which returns what they look at, and adds up what they take by then, and
/// what the holder takes, if there is one.
template <class Have>
double bytes_of_all(std::size_t processes, Have have, const measure::Holder* holder) {
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
      sizes(i) = proportional_set_size("self");
      if (i == 0 && holder != nullptr) sizes(i) += proportional_set_size(std::to_string(holder->pid()));
      meet(done(0));
    }));
  }
  for (ndshm::Process& process : all) {
    if (!process.wait().success()) throw std::runtime_error(process.wait().to_string());
  }
  return xt::sum(sizes)();
}

/// `have(handle)` is called in each of the processes, with a handle of an array that another one holds, and returns
/// what they look at. That other process counts where they need it to go on.
template <class Have>
void add_processes(std::size_t processes, const std::string& side, std::size_t bytes, bool with_holder, Have have) {
  measure::add_loop("memory", processes, side, [=](benchmark::State& state) {
    measure::require_memory((processes + 1) * bytes);
    const measure::Holder& holder = measure::holder_of(bytes);
    for (auto _ : state) {
      state.counters["bytes"] = bytes_of_all(
          processes, [&] { return have(holder.handle()); }, with_holder ? &holder : nullptr);
    }
  })->Iterations(1);
}

}  // namespace

void measure::add_benchmarks(const Settings& settings) {
  const std::size_t bytes = std::size_t{settings.quick ? 16U : 64U} << 20;
  for (const std::size_t processes : {1U, 2U, 4U, 8U}) {
    add_processes(processes, "copies", bytes, false, [](const ndshm::Handle& handle) {
      const auto array = ndshm::attach<const double, 1>(handle);
      return std::vector<double>(array.begin(), array.end());
    });
    add_processes(processes, "ndshm", bytes, true,
                  [](const ndshm::Handle& handle) { return ndshm::attach<const double, 1>(handle); });
  }
}
