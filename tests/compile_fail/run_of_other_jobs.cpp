// expect: ndshm: the elements of this range are not jobs of this pool
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>
#include <string>
#include <vector>

void run(ndshm::WorkerPool<int>& pool, const std::vector<std::string>& jobs) { pool.run(jobs); }
