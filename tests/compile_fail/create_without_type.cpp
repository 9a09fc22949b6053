// expect: ndshm: say the type of the elements: create<double>(name, {2000, 10})
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

int main() { auto a = ndshm::create("x", {2000, 10}); }
