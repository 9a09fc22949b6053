// expect: ndshm: a pointer cannot be shared
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/array/shared_array.hpp>

auto array = ndshm::attach<const char*, 1>("names");
