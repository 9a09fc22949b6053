// SPDX-License-Identifier: BSL-1.0
// spawn_child.cpp: the program that spawn.cpp starts: does what its first argument says. What is not as it should be is
// an exception, which the test sees as text.
#if __has_include(<sys/wait.h>)
#include <dirent.h>
#include <sys/mman.h>
#include <unistd.h>
#define NDSHM_TEST_POSIX
#endif

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <ndshm/ndshm.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "system.hpp"

namespace {

using Arguments = std::vector<std::string>;

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

#if defined(NDSHM_TEST_POSIX)
std::vector<int> open_descriptors() {
  std::vector<int> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir("/dev/fd"), ::closedir);
  while (const dirent* entry = ::readdir(entries.get())) {
    const int fd = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd != ::dirfd(entries.get())) found.push_back(fd);
  }
  return found;
}

void tell_descriptors() {
  const std::vector<int> found = open_descriptors();
  auto told = ndshm::attach<int, 1>(ndshm::inherited(0));
  for (const int fd : found) told(static_cast<std::size_t>(fd)) += 1;
}
#endif

void fill() {
  auto anonymous = ndshm::attach<double, 2>(ndshm::inherited(0));
  auto named = ndshm::attach<int, 1>(ndshm::inherited(1));
  const auto column = ndshm::attach<const double, 1, ndshm::layout::dynamic>(ndshm::inherited(2));
  require(anonymous(1, 1) == 7 && column(1) == 7, "the parent's values are not there");
  anonymous(0, 1) = 8;
  named(2) = 9;
  require(column(0) == 8, "the view is another array's");
}

void try_to_write() {
  const ndshm::Handle handle = ndshm::inherited(0);
  require(handle.is_read_only(), "the handle grants writing");
  std::vector<ndshm::Handle> handles{handle};
#if !defined(NDSHM_PORTABLE_POSIX)  // there the descriptor was not opened anew
  std::string forged = handle.to_string();
  handles.push_back(ndshm::Handle::parse(forged.replace(forged.rfind("ro"), 2, "rw")));
#endif
  for (const ndshm::Handle& each : handles) {
    try {
      ndshm::attach<double, 1>(each);
      throw std::runtime_error("attached for writing");
    } catch (const ndshm::Error& error) {
      require(error.condition() == ndshm::errc::read_only, error.what());
    }
  }
  const auto array = ndshm::attach<const double, 1>(handle);
  require(array(1) == 2, "the parent's value is not there");
#if defined(NDSHM_TEST_POSIX) && !defined(NDSHM_PORTABLE_POSIX)
  // The descriptor itself, and a mapping made of it by other means.
  void* const mapped = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, handle.descriptor(), 0);
  require(mapped != MAP_FAILED, "cannot be mapped");
  require(::mprotect(mapped, 4096, PROT_READ | PROT_WRITE) != 0, "made writable");
  const auto page = reinterpret_cast<std::uintptr_t>(array.data()) / 4096 * 4096;
  void* const start = reinterpret_cast<void*>(page);  // NOLINT(performance-no-int-to-ptr)
  require(::mprotect(start, 4096, PROT_READ | PROT_WRITE) != 0, "the array was made writable");
#elif !defined(NDSHM_TEST_POSIX)
  const HANDLE memory = LongToHandle(handle.descriptor());
  require(::MapViewOfFile(memory, FILE_MAP_READ, 0, 0, 0) != nullptr, "cannot be mapped");
  require(::MapViewOfFile(memory, FILE_MAP_WRITE, 0, 0, 0) == nullptr, "mapped for writing");
#endif
}

/// Says that it runs, and under which number it has the array, and returns when it is told to.
int wait_for_the_parent() {
  const ndshm::Handle handle = ndshm::inherited(0);
  auto words = ndshm::attach<int, 1>(handle);
  std::atomic_ref(words(0)).store(handle.descriptor());
  while (std::atomic_ref(words(1)).load() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return 9;
}

/// Starts this program as one would that knows nothing of ndshm.
int start_by_hand(Arguments arguments) {
  arguments.insert(arguments.begin(), ndshm::this_program().string());
  return run_by_hand(arguments);
}

/// What this program was given is not for those that it starts.
void have_grandchildren() {
  const std::size_t given = ndshm::inherited_count();
  require(given == 2, "was given " + std::to_string(given));
  require(std::getenv("NDSHM_HANDLE_0") != nullptr, "the variables are gone");
  require(ndshm::spawn(ndshm::this_program(), {"count"}).wait().exit_code() == 0, "a spawned child is given some");
  require(ndshm::spawn(ndshm::this_program(), {"unset", "NDSHM_HANDLE_0"}).wait().success(), "variables are passed on");
  require(start_by_hand({"count"}) == 0, "a child that was started by hand is given some");
#if defined(NDSHM_TEST_POSIX)
  require(start_by_hand({"descriptors_are", "3"}) == 0, "a child that was started by hand has their descriptors");
#else
  const std::string number = std::to_string(ndshm::inherited(0).descriptor());
  require(start_by_hand({"is_open", number}) == 0, "a child that was started by hand has their handles");
#endif
  require(start_by_hand({"throw", "not for the grandparent (to be seen on stderr)"}) == 70, "another exit code");
  const ndshm::ExitStatus one =
      ndshm::spawn(ndshm::this_program(), {"count"}, {ndshm::inherited(1)}, {.environment = {{"x", "y"}}}).wait();
  require(one.exit_code() == 1, "a child that is given one has " + one.to_string());
}

void attach_all() {
  for (std::size_t i = 0; i < ndshm::inherited_count(); ++i) ndshm::attach<int, 1>(ndshm::inherited(i))(0) += 1;
}

void pass_on() {
  const ndshm::Handle words = ndshm::inherited(0);
  require(ndshm::spawn(ndshm::this_program(), {"set", "5"}, {words}).wait().success(), "the grandchild failed");
}

int act(const Arguments& arguments) {
  const std::string& what = arguments.at(0);
  if (what == "fill") fill();
  if (what == "try_to_write") try_to_write();
  if (what == "wait") return wait_for_the_parent();
  if (what == "pass_on") pass_on();
  if (what == "attach_all") attach_all();
  if (what == "unset") require(std::getenv(arguments.at(1).c_str()) == nullptr, arguments.at(1) + " is set");
  if (what == "set") ndshm::attach<int, 1>(ndshm::inherited(0))(0) = std::stoi(arguments.at(1));
  if (what == "grandchildren") have_grandchildren();
  if (what == "count") return static_cast<int>(ndshm::inherited_count());
  if (what == "missing") ndshm::inherited(7);
  if (what == "exit") return std::stoi(arguments.at(1));
  if (what == "kill") kill_this_process();
  if (what == "is_open") return is_open(std::stoi(arguments.at(1))) ? 1 : 0;
  if (what == "throw") throw std::runtime_error(arguments.at(1));
  if (what == "throw_int") throw 5;
#if defined(NDSHM_TEST_POSIX)
  if (what == "descriptors") tell_descriptors();
  if (what == "count_in_fork") {
    return ndshm::fork([] { return static_cast<int>(ndshm::inherited_count()); }).wait().exit_code().value_or(-1);
  }
  if (what == "signal") std::raise(std::stoi(arguments.at(1)));
  if (what == "descriptors_are") return open_descriptors().size() == std::stoul(arguments.at(1)) ? 0 : 1;
  if (what == "count_descriptors") return static_cast<int>(open_descriptors().size());
#endif
  if (what == "directory") require(std::filesystem::current_path() == arguments.at(1), "not there");
  if (what == "variable") {
    const char* const value = std::getenv(arguments.at(1).c_str());
    require(value != nullptr && value == arguments.at(2), value != nullptr ? value : "not set");
  }
  if (what == "arguments") {
    auto text = ndshm::attach<char, 1>(ndshm::inherited(0));
    std::size_t end = 0;
    for (const std::string& argument : arguments) {
      for (const char c : argument + "|") text(end++) = c;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return ndshm::run_main([&] { return act(Arguments(argv + 1, argv + argc)); });
}
