// expect: ndshm: T must be trivially copyable to be shared
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>
#include <vector>

ndshm::SharedArray<std::vector<double>, 1> array;
