// expect: ndshm: NumPy has no such arithmetic type
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

auto array = ndshm::create<__int128>({4});
