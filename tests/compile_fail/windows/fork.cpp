// expect: ndshm: there is no fork on Windows; use ndshm::spawn
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/process/process.hpp>

auto child = ndshm::fork([] { return 0; });
