// expect: ndshm: a job or result of more than 64 KiB; put it into a SharedArray, and let the job be its index
// SPDX-License-Identifier: BSL-1.0
#include <array>
#include <ndshm/ndshm.hpp>

ndshm::WorkerPool pool(1, [](std::array<char, 100'000>) {});
