// SPDX-License-Identifier: BSL-1.0
// directory.cpp: NDSHM_DIR, the directory of named segments. A process reads it once, so each case is a child of its
// own; this process never asks for it.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "catch.hpp"

#include <ndshm/ndshm.hpp>

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ndshm::errc;

namespace {

#if defined(__linux__) && !defined(NDSHM_PORTABLE_POSIX)
constexpr const char* parent = "/dev/shm";  // where O_TMPFILE works for sure
constexpr const char* file_prefix = "ndshm.";
#else
constexpr const char* parent = "/tmp";
constexpr const char* file_prefix = "ndshm_";
#endif

/// A directory for named segments, removed with all that is in it.
class Directory {
 public:
  Directory() : path_(parent / fs::path(unique_name("dir"))) { fs::create_directory(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { fs::remove_all(path_); }
  std::string path() const { return path_.string(); }
  bool has(const std::string& name) const { return fs::exists(path_ / (file_prefix + name)); }
  bool is_empty() const { return fs::is_empty(path_); }

 private:
  fs::path path_;
};

/// Runs a function in a child whose NDSHM_DIR is this directory; its exit code, 1000 and more for a signal.
template <class Function>
int exit_code_in(const std::string& directory, Function function) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("NDSHM_DIR", directory.c_str(), 1);
    int code = 99;
    try {
      code = function();
    } catch (const std::exception& error) {
      std::cerr << error.what() << '\n';
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/// Leaves a dead segment of that name in the directory.
void leave_dead(const Directory& directory, const std::string& name) {
  REQUIRE(exit_code_in(directory.path(), [&] {
            const auto array = ndshm::create<int>(name, {4});
            ::kill(::getpid(), SIGKILL);
            return 0;
          }) == 1000 + SIGKILL);
}

/// Whether `call` throws that code with that text in its message; what it was otherwise is printed.
template <class Call>
bool throws(errc code, const std::string& text, Call call) {
  try {
    call();
    std::cerr << "nothing was thrown\n";
  } catch (const ndshm::Error& error) {
    if (error.condition() == code && std::string(error.what()).find(text) != std::string::npos) return true;
    std::cerr << error.what() << '\n';
  }
  return false;
}

}  // namespace

TEST_CASE("segments are in the directory that NDSHM_DIR names, and not in the usual one") {
  const Directory directory;
  const std::string name = unique_name();
  CHECK(exit_code_in(directory.path() + "/", [&] {  // a slash at the end changes nothing
          auto array = ndshm::create<int>(name, {4});
          array(0) = 42;
          if (!directory.has(name)) return 1;
          if (fs::exists("/dev/shm/" + (file_prefix + name))) return 2;
          if (array.path() != directory.path() + "/" + file_prefix + name) return 3;
          if (ndshm::attach<int, 1>(array.handle())(0) != 42) return 4;
          const auto found = ndshm::list();
          if (found.size() != 1 || found[0].name != name || !found[0].in_use) return 5;
          if (!ndshm::exists(name)) return 6;
          if (!throws(errc::already_exists, name, [&] { ndshm::create<int>(name, {4}); })) return 7;
          return 0;
        }) == 0);
  CHECK(directory.is_empty());
}

TEST_CASE("two directories do not see one another") {
  const Directory one;
  const Directory other;
  const std::string name = unique_name();
  CHECK(exit_code_in(one.path(), [&] {
          auto array = ndshm::create<int>(name, {1});
          array(0) = 1;
          const int code = exit_code_in(one.path(), [&] { return ndshm::attach<int, 1>(name)(0) == 1 ? 0 : 1; });
          return code != 0 ? 10 + code : 0;
        }) == 0);
  CHECK(exit_code_in(one.path(), [&] {
          const auto array = ndshm::create<int>(name, {1}, {.lifetime = ndshm::Lifetime::persistent});
          return 0;
        }) == 0);
  CHECK(exit_code_in(other.path(), [&] {
          if (ndshm::exists(name) || !ndshm::list().empty() || ndshm::remove(name) != ndshm::Removal::not_found)
            return 1;
          if (!throws(errc::not_found, name, [&] { ndshm::attach<int, 1>(name); })) return 2;
          const auto array = ndshm::create<int>(name, {2});
          return array.size() == 2 ? 0 : 3;
        }) == 0);
  CHECK(exit_code_in(one.path(), [&] {
          if (ndshm::attach<int, 1>(name).size() != 1) return 1;
          return ndshm::remove(name) == ndshm::Removal::removed ? 0 : 2;
        }) == 0);
  CHECK(one.is_empty());
  CHECK(other.is_empty());
}

TEST_CASE("a handle says which directory its name is in") {
  const Directory one;
  const Directory other;
  const std::string name = unique_name();
  const std::string file = one.path() + "/handle";
  CHECK(exit_code_in(one.path(), [&] {
          auto array = ndshm::create<int>(name, {4}, {.lifetime = ndshm::Lifetime::persistent});
          array(1) = 7;
          std::ofstream(file) << array.handle();
          return 0;
        }) == 0);
  CHECK(exit_code_in(other.path(), [&] {
          std::string text;
          if (!std::getline(std::ifstream(file), text)) return 1;
          const auto array = ndshm::attach<int, 1>(ndshm::Handle::parse(text));
          if (array(1) != 7 || array.handle().to_string() != text) return 2;
          // And one that says none means the system's own.
          ndshm::NamedPlace place = std::get<ndshm::NamedPlace>(array.handle().place());
          if (place.directory != one.path()) return 3;
          place.directory.clear();
          const ndshm::Handle elsewhere = array.handle().at(place);
          return throws(errc::not_found, name, [&] { ndshm::attach<const int, 1>(elsewhere); }) ? 0 : 4;
        }) == 0);
  fs::remove(file);
  CHECK(exit_code_in(one.path(), [&] { return ndshm::remove(name) == ndshm::Removal::removed ? 0 : 1; }) == 0);
  CHECK(one.is_empty());
}

TEST_CASE("what waits for a name waits in that directory") {
  const Directory directory;
  const std::string name = unique_name();
  CHECK(exit_code_in(directory.path(), [&] {
          auto child = ndshm::fork([&] { return ndshm::attach<int, 1>(name, {.timeout = 60s}).size() == 3 ? 0 : 1; });
          const auto array = ndshm::create<int>(name, {3});
          return child.wait().success() ? 0 : 1;
        }) == 0);
}

TEST_CASE("a sweep in one directory leaves the dead of another alone") {
  const Directory one;
  const Directory other;
  const std::string name = unique_name();
  leave_dead(one, name);
  REQUIRE(one.has(name));
  CHECK(exit_code_in(other.path(), [&] {
          if (ndshm::sweep() != 0) return 1;
          const auto array = ndshm::create<int>(name, {2});  // which sweeps, too
          return 0;
        }) == 0);
  CHECK(one.has(name));
  CHECK(exit_code_in(one.path(), [] { return ndshm::sweep() == 1 ? 0 : 1; }) == 0);
  CHECK(one.is_empty());
}

TEST_CASE("a directory that is missing is an error that says what to do") {
  const std::string missing = parent + std::string("/") + unique_name("missing");
  const std::string name = unique_name();
  CHECK(exit_code_in(missing, [&] {
          const std::string says = missing + ": No such file or directory [ndshm.not_found]; create it";
          if (!throws(errc::not_found, says, [&] { ndshm::create<int>(name, {4}); })) return 1;
          if (!throws(errc::not_found, says, [&] { ndshm::attach<int, 1>(name); })) return 2;
          if (!throws(errc::not_found, says, [&] { ndshm::list(); })) return 3;
          return ndshm::sweep() == 0 ? 0 : 4;
        }) == 0);
  const Directory directory;
  const std::string file = directory.path() + "/file";
  std::ofstream(file) << "not a directory";
  CHECK(exit_code_in(file, [&] {
          return throws(errc::not_found, file + ": Not a directory", [&] { ndshm::create<int>(name, {4}); }) ? 0 : 1;
        }) == 0);
}

TEST_CASE("a relative path, and one that is too long, are errors") {
  const std::string name = unique_name();
  CHECK(exit_code_in("segments", [&] {
          const std::string says =
              "segments, is a relative path [ndshm.invalid_argument]; set NDSHM_DIR to an absolute";
          if (!throws(errc::invalid_argument, says, [&] { ndshm::create<int>(name, {4}); })) return 1;
          return throws(errc::invalid_argument, says, [&] { ndshm::attach<int, 1>(name); }) ? 0 : 2;
        }) == 0);
  std::string path = "/tmp";
  while (path.size() < 5000) path += "/a-directory";
  CHECK(exit_code_in(path, [&] {
          return throws(errc::invalid_argument, "with a shorter path", [&] { ndshm::create<int>(name, {4}); }) ? 0 : 1;
        }) == 0);
}

TEST_CASE("an empty NDSHM_DIR is none") {
  CHECK(exit_code_in("", [] { return ndshm::detail::os::directory() == "/dev/shm" ? 0 : 1; }) == 0);
}

TEST_CASE("a program that is spawned looks in the same directory") {
  const Directory directory;
  CHECK(exit_code_in(directory.path(), [&] {
          auto child = ndshm::spawn("/bin/sh", {"-c", "test \"$NDSHM_DIR\" = \"$1\"", "sh", directory.path()});
          return child.wait().success() ? 0 : 1;
        }) == 0);
}

#if defined(__linux__) && !defined(NDSHM_PORTABLE_POSIX)
TEST_CASE("a file system that cannot make files without a name is an error that says what to do") {
  CHECK(exit_code_in("/proc", [] {
          return throws(errc::unsupported, "O_TMPFILE in /proc", [] { ndshm::create<int>("x", {4}); }) ? 0 : 1;
        }) == 0);
}
#endif

#if defined(NDSHM_PORTABLE_POSIX)
TEST_CASE("objects are plain files with their lock files beside them") {
  const Directory directory;
  const std::string name = unique_name();
  CHECK(exit_code_in(directory.path(), [&] {
          const auto array = ndshm::create<int>(name, {4}, {.mode = 0644});
          if (!fs::exists(directory.path() + "/.ndshm_" + name + ".lock")) return 1;
          const auto anonymous = ndshm::create<int>({4});
          return std::distance(fs::directory_iterator(directory.path()), fs::directory_iterator()) == 2 ? 0 : 2;
        }) == 0);
  CHECK(directory.is_empty());
}
#endif
