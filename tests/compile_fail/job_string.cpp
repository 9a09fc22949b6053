// expect: ndshm: a job is copied through shared memory
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>
#include <string>

ndshm::WorkerPool pool(1, [](std::string) {});
