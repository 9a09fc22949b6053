// expect: ndshm: say the type of the elements and the number of dimensions: attach<double, 2>(name)
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

int main() { auto a = ndshm::attach("x"); }
