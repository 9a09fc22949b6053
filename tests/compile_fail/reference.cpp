// expect: ndshm: T must be a plain object type
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

ndshm::SharedArray<double&, 2> array;
