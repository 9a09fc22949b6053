// expect: ndshm: a handle needs a strided view
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

auto use(const ndshm::SharedArray<double, 2>& a) { return a.handle(a + 1.0); }
