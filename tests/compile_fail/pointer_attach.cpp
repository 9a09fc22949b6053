// expect: ndshm: a pointer cannot be shared
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

auto array = ndshm::attach<const char*, 1>("names");
