// SPDX-License-Identifier: BSL-1.0
// two_paths_portable.cpp: the unit of two_paths.cpp that is built with NDSHM_PORTABLE_POSIX.
#include <ndshm/ndshm.hpp>
#include <string>

#include "require.hpp"

bool portable_unit_finds(const std::string& name);
void portable_unit_makes(const std::string& name);

bool portable_unit_finds(const std::string& name) { return ndshm::exists(name); }

void portable_unit_makes(const std::string& name) {
  const auto array = ndshm::create<int>(name, {7});
  REQUIRE((ndshm::attach<int, 1>(name).size() == 7));
  REQUIRE(!array.is_frozen());
  bool refused = false;
  try {
    ndshm::create<int>({7}).freeze();
  } catch (const ndshm::Error& error) {
    refused = error.code() == ndshm::errc::unsupported;
  }
  REQUIRE(refused);  // as the portable path does
}
