// expect: ndshm: run takes a range of jobs: pool.run(ndshm::blocks(n, size)), a vector or a list
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

void run(ndshm::WorkerPool<int>& pool) { pool.run(10); }
