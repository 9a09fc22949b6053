// expect: ndshm: a shape stands in braces: create<T>(name, {2000, 10})
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

int main() { auto a = ndshm::create<double>("x", 2000, 10); }
