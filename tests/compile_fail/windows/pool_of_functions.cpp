// expect: ndshm: there is no fork on Windows; use ndshm::spawn
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/pool/worker_pool.hpp>

ndshm::WorkerPool pool(4, [](ndshm::Range rows) { return rows.begin; });
