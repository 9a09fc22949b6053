// expect: std::move(b) to hand the array on
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

void use(ndshm::SharedArray<double, 2>& a, const ndshm::SharedArray<double, 2>& b) { a = b; }
