// expect: ndshm: this shape does not say its number of dimensions; write it: create<T, N>, copy_of<N>
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>
#include <vector>

auto create(const std::vector<int>& shape) { return ndshm::create<double>("image", shape); }
