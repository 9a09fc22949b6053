// SPDX-License-Identifier: BSL-1.0
// creators.cpp: creators that are killed in the middle. They leave nothing that anybody could attach, and block nobody.
// They are this program, started again with the test's own arguments for Catch2.
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "system.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;

namespace {

constexpr const char* name_variable = "CREATORS_NAME";
constexpr const char* point_variable = "CREATORS_POINT";

void die_at(const char* where) {
  if (std::string_view(where) == std::getenv(point_variable)) kill_this_process();
}

}  // namespace

TEST_CASE("a creator", "[.][child]") {
  ndshm::detail::crash_point_hook = die_at;
  const auto array = ndshm::copy_of(std::getenv(name_variable), xt::ones<int>({1000}) * 1);
  ndshm::detail::crash_point_hook = nullptr;
  FAIL("it was not killed");
}

TEST_CASE("a creator that is killed in the middle leaves nothing and blocks nobody") {
  constexpr std::array points {
    "create: reserved", "create: header written", "create: control written", "create: locked",
#if !__has_include(<sys/wait.h>)
        "create: signed",
#endif
        "create: published"
  };
  for (int round = 0; round < 100 / static_cast<int>(points.size()) + 1; ++round) {
    for (const char* const point : points) {
      const std::string name = unique_name("creator");
      set_variable(name_variable, name.c_str());
      set_variable(point_variable, point);
      ndshm::Process creator = ndshm::spawn(ndshm::this_program(), {"a creator"});
      // Whoever comes meanwhile finds nothing, or all of it.
      while (creator.running()) {
        try {
          if (xt::sum(ndshm::attach<const int, 1>(name))() != 1000) FAIL("half of it");
        } catch (const ndshm::Error& error) {
          if (error.condition() != errc::not_found) FAIL(error.what());
        }
      }
      INFO(point);
      CHECK(creator.wait().to_string() == "signal 9 (Killed)");
      CHECK_FALSE(ndshm::exists(name));
      const auto next = ndshm::create<int>(name, {3});
      CHECK(next(0) == 0);
    }
  }
}
