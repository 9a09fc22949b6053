// expect: ndshm: a shared array keeps its shape
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

void use(ndshm::SharedArray<double, 2>& a) { a.reshape({3, 4}); }
