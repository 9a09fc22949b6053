// SPDX-License-Identifier: BSL-1.0
// plugin.cpp: a shared object that contains the library and hides all of it. What host.cpp calls it by has C's linkage.
#include <memory>
#include <ndshm/ndshm.hpp>
#include <vector>

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

std::unique_ptr<ndshm::SharedArray<double, 1>> kept;

}  // namespace

/// Where this copy of the library has the array mapped.
EXPORTED const double* plugin_data(const char* name) { return ndshm::attach<double, 1>(name).data(); }

/// A child, and a pool, of a process in which both copies have made some: 0 when all went well.
EXPORTED int plugin_runs_processes() {
  if (ndshm::fork([] { return 3; }).wait().exit_code() != 3) return 1;
  ndshm::WorkerPool pool(2, [](int i) { return i + 1; });
  return pool.map(std::vector<int>{1, 2}) == std::vector<int>{2, 3} ? 0 : 2;
}

EXPORTED void plugin_throws() { ndshm::attach<double, 1>("plugin-no-such"); }

EXPORTED const std::error_category* plugin_category() { return &ndshm::error_category(); }

EXPORTED void plugin_keeps(const char* name) {
  kept = std::make_unique<ndshm::SharedArray<double, 1>>(ndshm::attach<double, 1>(name));
}

EXPORTED void plugin_lets_go() { kept.reset(); }

EXPORTED void* plugin_shares(const char* key, void* mine) { return ndshm::detail::os::share_in_process(key, mine); }
