// expect: ndshm: T must be copyable
// SPDX-License-Identifier: BSL-1.0
#include <mutex>
#include <ndshm/ndshm.hpp>

int main() { auto a = ndshm::create<std::mutex>("m", {1}); }
