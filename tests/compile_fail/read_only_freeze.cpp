// expect: ndshm: this array is read-only; who has it writable can freeze it
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

void use(ndshm::SharedArray<const double, 2>& a) { a.freeze(); }
