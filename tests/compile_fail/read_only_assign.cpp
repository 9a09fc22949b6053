// expect: ndshm: this array is read-only; attach<T, N> without const to write to it
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

void use(ndshm::SharedArray<const double, 2>& a) { a = a + 1.0; }
