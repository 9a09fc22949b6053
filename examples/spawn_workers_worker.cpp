// SPDX-License-Identifier: BSL-1.0
// spawn_workers_worker.cpp: the worker program of spawn_workers.cpp. It attaches what it was handed, and does tasks
// until the coordinator's pool closes or the coordinator ends.
#include <cstdint>
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <string>

int main(int argc, char** argv) {
  const bool quiet = argc > 1 && std::string(argv[1]) == "--quiet";
  return ndshm::run_main([&] {
    const auto input = ndshm::attach<const double, 2>(ndshm::inherited(0));
    auto norms = ndshm::attach<double, 1>(ndshm::inherited(1));
    if (!quiet) std::cout << "worker " << ndshm::this_worker().index << " is ready\n";

    return ndshm::work([&](ndshm::Range rows) -> std::uint64_t {
      const auto part = xt::view(input, xt::range(rows.begin, rows.end), xt::all());
      xt::view(norms, xt::range(rows.begin, rows.end)) = xt::sqrt(xt::sum(part * part, {1}));
      return rows.size();
    });
  });
}
