// SPDX-License-Identifier: BSL-1.0
// creators.cpp: creators that are killed in the middle. They leave nothing that anybody could attach, and block nobody.
// They are this program, started again with the test's own arguments for Catch2.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <set>
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

/// What the system shows of all named memory, and of the lock files of the portable path.
std::set<std::filesystem::path> objects() {
  std::set<std::filesystem::path> found;
  for (const std::string& name : ndshm::detail::os::names()) found.insert(name);
#if __has_include(<sys/wait.h>)
  if (std::error_code none; std::filesystem::is_directory(segment_directory(), none)) {
    for (const auto& entry : std::filesystem::directory_iterator(segment_directory())) found.insert(entry.path());
  }
#endif
  return found;
}

}  // namespace

TEST_CASE("a creator", "[.][child]") {
  ndshm::detail::crash_point_hook = die_at;
  const auto array = ndshm::copy_of(std::getenv(name_variable), xt::ones<int>({1000}) * 1);
  ndshm::detail::crash_point_hook = nullptr;
  FAIL("it was not killed");
}

TEST_CASE("a creator of an anonymous array", "[.][child]") {
  ndshm::detail::crash_point_hook = die_at;
  const auto array = ndshm::create<int>({1000});
  ndshm::detail::crash_point_hook = nullptr;
  FAIL("it was not killed");
}

TEST_CASE("a creator of an anonymous array that is killed in the middle leaves nothing after a sweep") {
#if defined(NDSHM_PORTABLE_POSIX)  // where it has a name for a moment
  constexpr std::array points{"create: opened",   "create: locked",   "create: marked",         "create: sized",
                              "create: nameless", "create: reserved", "create: control written"};
#else
  constexpr std::array points{"create: reserved", "create: control written"};
#endif
  for (const char* const point : points) {
    INFO(point);
    const auto before = objects();
    set_variable(point_variable, point);
    CHECK(ndshm::spawn(ndshm::this_program(), {"a creator of an anonymous array"}).wait().to_string() ==
          "signal 9 (Killed)");
    ndshm::sweep();
    for (const auto& object : objects()) {
      if (!before.contains(object)) FAIL("it left " << object);
    }
  }
}

TEST_CASE("a creator that is killed in the middle leaves nothing and blocks nobody") {
#if __has_include(<sys/wait.h>)
  constexpr std::array points{"create: reserved", "create: header written", "create: control written", "create: locked",
                              "create: published"};
#else
  constexpr std::array points{"create: reserved", "create: header written", "create: control written",
                              "create: signed",   "create: named",          "create: published"};
#endif
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

#if defined(NDSHM_PORTABLE_POSIX)
namespace {

/// Somebody who has the lock file of a name for a moment, because it looks whether there is a segment: from the first
/// time on that the creator comes to `where`, until it has found the lock taken three times.
struct Looker {
  std::string where;
  std::string name;
  int fd = -1;
  int waits = 0;
};
Looker looker;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): a crash point has no argument of its own

void look(const char* where) {
  if (where == looker.where && looker.fd == -1) {
    looker.fd = ::open(ndshm::detail::os::portable_only::lock_file({looker.name}, {}).c_str(), O_RDWR | O_CLOEXEC);
    if (::flock(looker.fd, LOCK_EX | LOCK_NB) != 0) FAIL("cannot lock");
  }
  if (std::string_view(where) == "lock: waiting" && ++looker.waits == 3) ::close(looker.fd);
}

}  // namespace

TEST_CASE("who only looks whether there is a segment does not keep a creator from making it") {
  const auto create_beside = [](const std::string& where, const std::string& name) {
    INFO(where);
    looker = {where, name};
    ndshm::detail::crash_point_hook = look;
    const auto array = ndshm::create<int>(name, {3});
    ndshm::detail::crash_point_hook = nullptr;
    CHECK(looker.waits >= 3);
    CHECK(array.is_creator());
  };
  create_beside("create: opened", unique_name("looked-at"));
  // Where a killed process left the name. What it left is swept in passing, or by name.
  for (const char* const where : {"create: opened", "sweep: opened"}) {
    const std::string name = unique_name("looked-at");
    set_variable(name_variable, name.c_str());
    set_variable(point_variable, "create: published");
    CHECK(ndshm::spawn(ndshm::this_program(), {"a creator"}).wait().to_string() == "signal 9 (Killed)");
    create_beside(where, name);
  }
}

TEST_CASE("who only looks whether there is a segment does not keep a sweep from removing a dead one") {
  ndshm::sweep();  // what others have left
  const std::string name = unique_name("looked-at");
  set_variable(name_variable, name.c_str());
  set_variable(point_variable, "create: published");
  CHECK(ndshm::spawn(ndshm::this_program(), {"a creator"}).wait().to_string() == "signal 9 (Killed)");
  looker = {"sweep: opened", name};
  ndshm::detail::crash_point_hook = look;
  CHECK(ndshm::sweep() == 1);
  ndshm::detail::crash_point_hook = nullptr;
  CHECK(looker.waits >= 3);
}
#endif
