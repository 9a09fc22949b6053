// expect: ndshm: an atomic is no element: share T, and use std::atomic_ref<T>(a(i)) on it
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <ndshm/ndshm.hpp>

int main() { auto a = ndshm::create<std::atomic<int>>("a", {16}); }
