// expect: ndshm: arrays are made by functions: create<T>(name, {2000, 10}), attach<T, N>(name)
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

int main() { ndshm::SharedArray<double, 2> a("x", {2000, 10}); }
