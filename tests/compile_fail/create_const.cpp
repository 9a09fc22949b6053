// expect: ndshm: an array is created writable; attach<const T, N> maps it read-only
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

auto array = ndshm::create<const double>("weights", {4});
