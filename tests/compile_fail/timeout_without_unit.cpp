// expect: ndshm: a time-out has a unit: std::chrono::seconds(10), or 10s
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

int main() { auto a = ndshm::attach<double, 1>("x", {.timeout = 10}); }
