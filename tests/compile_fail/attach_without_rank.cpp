// expect: ndshm: say the number of dimensions, too: attach<T, 2>(name)
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

int main() { auto a = ndshm::attach<double>("x"); }
