// expect: ndshm: NumPy has no such arithmetic type
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/array/shared_array.hpp>

auto array = ndshm::create<__int128>({4});
