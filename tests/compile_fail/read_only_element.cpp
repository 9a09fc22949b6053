// expect: assignment of read-only location
// or: returns a const value
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

void use(ndshm::SharedArray<const double, 2>& a) { a(0, 0) = 1.0; }
