// expect: ndshm: run takes a range of jobs: pool.run(ndshm::blocks(n, size)), a vector or a list; so does map
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

auto map(ndshm::WorkerPool<int, int>& pool) { return pool.map(10); }
