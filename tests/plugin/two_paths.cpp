// SPDX-License-Identifier: BSL-1.0
// two_paths.cpp: one unit of a program is built as usual, the other one, two_paths_portable.cpp, for the portable path.
// They are two worlds: neither uses a function of the other, and neither finds the other's segments.
#include <unistd.h>

#include <ndshm/ndshm.hpp>
#include <string>

#include "require.hpp"

/// In the other unit: whether it finds that segment; and what it makes under that name itself.
bool portable_unit_finds(const std::string& name);
void portable_unit_makes(const std::string& name);

int main() {
  const std::string name = "two-" + std::to_string(::getpid());
  const auto array = ndshm::create<double>(name, {100});
  const auto anonymous = ndshm::create<double>({100});
  REQUIRE(!portable_unit_finds(name));
  portable_unit_makes(name);
  REQUIRE((ndshm::attach<double, 1>(name).size() == 100));
  REQUIRE((ndshm::attach<double, 1>(anonymous.handle()).size() == 100));
  REQUIRE(array.path().find("/ndshm." + name) != std::string::npos);
  REQUIRE(!anonymous.path().empty());
}
