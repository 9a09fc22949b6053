// SPDX-License-Identifier: BSL-1.0
// host.cpp: a program that exports no symbols, and loads a plugin (its argument, or plugin.so beside it) that hides its
// own: two copies of the library, of which the process must have one mapping of a segment, one count of watchers, and
// one kind of errors.
#include <dlfcn.h>
#include <unistd.h>

#include <ndshm/ndshm.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "require.hpp"

namespace {

template <class Function>
Function* function(void* library, const char* name) {
  auto* const found = reinterpret_cast<Function*>(::dlsym(library, name));
  REQUIRE(found != nullptr);
  return found;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string path = count > 1 ? arguments[1] : (ndshm::this_program().parent_path() / "plugin.so").string();
  const std::string name = "plugin-" + std::to_string(::getpid());
  auto array = ndshm::create<double>(name, {10});
  array(0) = 42;
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) std::fputs(::dlerror(), stderr);
  REQUIRE(library != nullptr);
  auto* const data = function<const double*(const char*)>(library, "plugin_data");
  auto* const runs_processes = function<int()>(library, "plugin_runs_processes");
  auto* const lets_go = function<void()>(library, "plugin_lets_go");

  // One mapping of one segment.
  REQUIRE(data(name.c_str()) == array.data());

  // What the one shares the other finds.
  int mine = 0;
  int other = 0;
  auto* const shares = function<void*(const char*, void*)>(library, "plugin_shares");
  REQUIRE(ndshm::detail::os::share_in_process("ndshm-test.first", &mine) == &mine);
  REQUIRE(shares("ndshm-test.first", &other) == &mine);
  REQUIRE(shares("ndshm-test.second", &other) == &other);
  REQUIRE(ndshm::detail::os::share_in_process("ndshm-test.second", &mine) == &other);

  // An error of the one is an error of the other.
  REQUIRE(function<const std::error_category*()>(library, "plugin_category")() == &ndshm::error_category());
  bool caught = false;
  try {
    function<void()>(library, "plugin_throws")();
  } catch (const ndshm::Error& error) {
    caught = error.code() == ndshm::errc::not_found && error.code() != ndshm::errc::damaged &&
             error.condition() == ndshm::errc::not_found;
  }
  REQUIRE(caught);

  // Processes of the one beside those of the other, and in one another.
  REQUIRE(runs_processes() == 0);
  {
    ndshm::WorkerPool pool(1, [&](int) { return runs_processes(); });
    REQUIRE(pool.map(std::vector<int>{1}) == std::vector<int>{0});
  }
  REQUIRE(ndshm::fork([&] { return runs_processes(); }).wait().success());

  // Unloading takes nothing away, and the plugin alone keeps a segment alive.
  function<void(const char*)>(library, "plugin_keeps")(name.c_str());
  { const auto gone = std::move(array); }
  REQUIRE(ndshm::exists(name));
  REQUIRE(::dlclose(library) == 0);
  const auto again = ndshm::attach<double, 1>(name);
  REQUIRE(again(0) == 42);
  REQUIRE(ndshm::fork([] {}).wait().success());
  REQUIRE(runs_processes() == 0);  // it is still there
  lets_go();
  REQUIRE(again(0) == 42);
}
