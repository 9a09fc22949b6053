// expect: ndshm: T must be trivially copyable to be shared
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>
#include <string>

auto array = ndshm::create_or_attach<std::string>("names", {4});
