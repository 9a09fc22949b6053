// expect: ndshm: options have names: create<T>(name, {2000, 10}, {.lifetime = ndshm::Lifetime::persistent})
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

int main() { auto a = ndshm::create<double>("x", {10}, ndshm::Lifetime::persistent); }
