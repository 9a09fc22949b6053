// expect: ndshm: a pointer cannot be shared
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

auto array = ndshm::create<int*>({4});
