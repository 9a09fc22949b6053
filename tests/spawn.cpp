// SPDX-License-Identifier: BSL-1.0
// spawn.cpp: other programs: what they are given, what they are not, and how they end. They are spawn_child.cpp.
#if __has_include(<sys/wait.h>)
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#define NDSHM_TEST_POSIX
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "catch.hpp"
#include "system.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;
using namespace std::chrono_literals;
namespace os = ndshm::detail::os;

namespace {

constexpr auto ever = std::chrono::nanoseconds::max();

std::filesystem::path child_program() {
  return ndshm::this_program().replace_filename("spawn_child").replace_extension(ndshm::this_program().extension());
}

ndshm::Process start(const std::vector<std::string>& arguments, const std::vector<ndshm::Handle>& handles = {},
                     const ndshm::SpawnOptions& options = {}) {
  return ndshm::spawn(child_program(), arguments, handles, options);
}

/// How the child ended, as text.
std::string run(const std::vector<std::string>& arguments, const std::vector<ndshm::Handle>& handles = {},
                const ndshm::SpawnOptions& options = {}) {
  return start(arguments, handles, options).wait().to_string();
}

const std::string success = "exit code 0";

/// A child that says that it runs, in words(0), and runs until words(1) is set.
struct Waiting {
  ndshm::SharedArray<int, 1> words = ndshm::create<int>({2});
  ndshm::Process process = start({"wait"}, {words.handle()});

  void until_it_runs() {
    while (std::atomic_ref(words(0)).load() == 0) {
      REQUIRE(process.running());
      std::this_thread::sleep_for(1ms);
    }
  }
  void let_go() { std::atomic_ref(words(1)).store(1); }
};

/// The child program, started without this library, with these variables besides the environment; its exit code.
int run_child_by_hand(std::vector<std::string> arguments, const std::vector<std::string>& variables = {}) {
  arguments.insert(arguments.begin(), child_program().string());
  return run_by_hand(arguments, variables);
}

/// A child that finds such a variable, which another process left, is nobody's child.
void check_not_believed(const std::string& report) {
  const auto array = ndshm::create<int>({1});
  const std::vector<std::string> stale{"NDSHM_REPORT=" + report, "NDSHM_HANDLE_COUNT=1",
                                       "NDSHM_HANDLE_0=" + array.handle().to_string()};
  INFO(report);
  CHECK(run_child_by_hand({"count"}, stale) == 0);
  CHECK(run_child_by_hand({"throw", "not into a stranger's pipe (to be seen on stderr)"}, stale) == 70);
}

#if defined(NDSHM_TEST_POSIX)
class File {
 public:
  File(const std::string& text, mode_t mode) : path_(std::filesystem::temp_directory_path() / unique_name("spawn")) {
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), mode);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};
#endif

}  // namespace

TEST_CASE("a spawned program attaches what it was given, named or not, by one call") {
  auto anonymous = ndshm::create<double>({2, 3});
  auto named = ndshm::create<int>(unique_name(), {4});
  anonymous(1, 1) = 7;
  const ndshm::Handle column = anonymous.handle(xt::view(anonymous, xt::all(), 1)).as_read_only();
  CHECK(run({"fill"}, {anonymous.handle(), named.handle(), column}) == success);
  CHECK(anonymous(0, 1) == 8);
  CHECK(named(2) == 9);
}

TEST_CASE("what a spawned program was given it can hand on") {
  auto words = ndshm::create<int>({2});
  CHECK(run({"pass_on"}, {words.handle()}) == success);
  CHECK(words(0) == 5);
}

TEST_CASE("a read-only handle gives no way to write") {
  auto array = ndshm::create<double>({4});
  array(1) = 2;
  CHECK(run({"try_to_write"}, {array.handle().as_read_only()}) == success);
  const auto read_only = ndshm::attach<const double, 1>(array.handle());
  CHECK(read_only.handle().is_read_only());
  CHECK(run({"try_to_write"}, {read_only.handle()}) == success);
}

TEST_CASE("a spawned program's exit code, signal or exception reach the parent") {
  CHECK(run({"exit", "0"}) == success);
  CHECK(start({"exit", "3"}).wait().exit_code() == 3);
  CHECK(start({"kill"}).wait().to_string() == "signal 9 (Killed)");
  const ndshm::ExitStatus thrown = start({"throw", "out of cheese"}).wait();
  CHECK(thrown.exception() == "std::runtime_error: out of cheese");
  CHECK(thrown.exit_code() == ndshm::Process::exception_exit_code);
  CHECK(run({"throw_int"}) == "exception an exception that is not a std::exception");
  CHECK(start({"throw", std::string(100'000, 'x')}).wait().exception().size() == 4096);
}

TEST_CASE("an inherited handle that is not there is an error that says so") {
  const auto array = ndshm::create<int>({1});
  const std::string text = run({"missing"}, {array.handle(), array.handle()});
  INFO(text);
  CHECK(text.find("inherited: there is no handle 7, this process was given 2 [ndshm.not_found]; pass it to") !=
        std::string::npos);
  CHECK(ndshm::inherited_count() == 0);
  CHECK_ERROR(ndshm::inherited(0), errc::not_found, "this process was not started by ndshm::spawn");
}

TEST_CASE("arguments, variables and the directory arrive as they are") {
  const std::string letters = arguments_are_utf8 ? "λ\n" : "l\n";
  auto text = ndshm::create<char>({1000});
  CHECK(run({"arguments", "", "two words", "'\"$HOME\\", letters}, {text.handle()}) == success);
  CHECK(std::string(text.data()) == "arguments||two words|'\"$HOME\\|" + letters + "|");

  set_variable("SPAWN_TEST", "parent");
  set_variable("NDSHM_HANDLE_COUNT", "3");
  CHECK(run({"variable", "SPAWN_TEST", "parent"}) == success);
  CHECK(run({"variable", "SPAWN_TEST", "a=b c"}, {}, {.environment = {{"SPAWN_TEST", "a=b c"}}}) == success);
  CHECK(run({"count"}) == success);
  CHECK(std::string(std::getenv("SPAWN_TEST")) == "parent");
  CHECK(std::string(std::getenv("NDSHM_HANDLE_COUNT")) == "3");
  CHECK(std::getenv("NDSHM_REPORT") == nullptr);
  set_variable("SPAWN_TEST", nullptr);
  set_variable("NDSHM_HANDLE_COUNT", nullptr);

  const std::filesystem::path here = std::filesystem::current_path();
  const std::filesystem::path there = std::filesystem::canonical(std::filesystem::temp_directory_path());
  CHECK(run({"directory", here.string()}) == success);
  CHECK(run({"directory", there.string()}, {}, {.working_directory = there}) == success);
  // A relative path is one of this process's directory.
  const std::filesystem::path relative = "." / child_program().filename();
  std::filesystem::current_path(child_program().parent_path());
  CHECK(ndshm::spawn(relative, {"exit", "4"}, {}, {.working_directory = there}).wait().exit_code() == 4);
  std::filesystem::current_path(here);
}

#if !defined(NDSHM_PORTABLE_POSIX)
TEST_CASE("an array of another process is handed over") {
  Waiting holder;  // of an array that it has from here
  holder.until_it_runs();
  const ndshm::Handle handle = holder.words.handle();
  const ndshm::Place theirs = ndshm::ProcessPlace{holder.process.pid(), holder.words(0)};
  const ndshm::Handle through(theirs, handle.uuid(), handle.dtype(), handle.shape(), handle.strides(), 0, false);
  CHECK(run({"set", "5"}, {through}) == success);
  CHECK(holder.words(0) == 5);
}
#endif

TEST_CASE("wait_for comes back when the time is over, or when the child ends") {
  Waiting child;
  CHECK(child.process.wait_for(0ns) == nullptr);
  CHECK(child.process.wait_for(std::chrono::nanoseconds::min()) == nullptr);
  child.until_it_runs();
  const auto before = std::chrono::steady_clock::now();
  CHECK(child.process.wait_for(50ms) == nullptr);
  CHECK(std::chrono::steady_clock::now() - before >= 50ms);
  CHECK(child.process.running());
  child.let_go();
  const ndshm::ExitStatus* const status = child.process.wait_for(ever);
  REQUIRE(status != nullptr);
  CHECK(status->exit_code() == 9);
  CHECK(child.process.wait_for(0ns) == status);
  CHECK(child.process.wait().exit_code() == 9);
  const ndshm::ExitStatus* const thrown = start({"throw", "cheese"}).wait_for(ever);
  CHECK(thrown != nullptr);
  CHECK_ERROR(ndshm::Process().wait_for(1s), errc::invalid_argument, "no process");
}

TEST_CASE("descriptors arrive in the order in which they are given, whatever their numbers") {
  std::vector<ndshm::SharedArray<int, 1>> arrays;
  for (int i = 0; i < 4; ++i) arrays.push_back(ndshm::create<int>({1}));
  for (const std::vector<int>& order : {std::vector{0, 1, 2, 3}, std::vector{3, 2, 1, 0}, std::vector{1, 0, 3, 2}}) {
    os::Program program{child_program().string(), {"attach_all"}, {{"NDSHM_HANDLE_COUNT", "4"}}, {}};
    std::vector<int> descriptors;
    for (const int which : order) {
      const ndshm::Handle handle = arrays[static_cast<std::size_t>(which)].handle();
      const auto number = static_cast<int>(descriptors.size());
      descriptors.push_back(handle.descriptor());
      program.environment.emplace_back("NDSHM_HANDLE_" + std::to_string(number),
                                       handle.at(ndshm::InheritedPlace{static_cast<std::size_t>(number)}).to_string());
    }
    CHECK(ndshm::detail::ProcessAccess::make(os::spawn_child(program, descriptors, ndshm::detail::Context("test")))
              .wait()
              .to_string() == success);
  }
  for (const auto& array : arrays) CHECK(array(0) == 3);
}

TEST_CASE("a spawned program that is not waited for is killed and reaped") {
  std::uint64_t pid = 0;
  {
    Waiting child;
    child.until_it_runs();
    pid = child.process.pid();
    CHECK(is_running(pid));
  }
  CHECK_FALSE(is_running(pid));
}

TEST_CASE("a handle that means a descriptor which was not handed over is an error") {
  const auto array = ndshm::create<int>({1});
  const os::Program program{
      child_program().string(),
      {"attach_all"},
      {{"NDSHM_HANDLE_COUNT", "1"}, {"NDSHM_HANDLE_0", array.handle().at(ndshm::InheritedPlace{1}).to_string()}},
      {}};
  const std::vector<int> descriptors{array.handle().descriptor()};
  const std::string text =
      ndshm::detail::ProcessAccess::make(os::spawn_child(program, descriptors, ndshm::detail::Context("test")))
          .wait()
          .to_string();
  INFO(text);
  CHECK(text.find("handle 0 refers to descriptor 1 of those that this process was given [ndshm.invalid_handle]") !=
        std::string::npos);
}

TEST_CASE("a program that is not there is an error that names it, and so is a directory") {
  CHECK_ERROR(ndshm::spawn("/no/such/program"), errc::not_found, "spawn \"/no/such/program\": ");
  CHECK_ERROR(ndshm::spawn("no-such-program"), errc::not_found, "PATH");
  CHECK_ERROR(start({}, {}, {.working_directory = "/no/such"}), errc::not_found, "there is no directory");
}

TEST_CASE("what could be inherited but was not handed over is not open in the child") {
  const auto array = ndshm::create<int>({1});
  const std::vector<int> leaked = open_inheritable(500);
  const int highest = *std::max_element(leaked.begin(), leaked.end());  // the child has not so many of its own
  CHECK(is_open(highest));
  CHECK(run({"is_open", std::to_string(highest)}, {array.handle()}) == "exit code 0");
  close_all(leaked);
}

TEST_CASE("a grandchild sees nothing of what its parent was given") {
  const auto array = ndshm::create<int>({1});
  CHECK(run({"grandchildren"}, {array.handle(), array.handle()}) == success);
}

#if !defined(NDSHM_TEST_POSIX)
TEST_CASE("variables that were meant for another process are not believed") {
  const std::string self = std::to_string(this_process());
  const std::string started = std::to_string(os::windows_only::start_time(::GetCurrentProcess()));
  const std::vector<int> handle = open_inheritable(1);  // something that is open in the child under that number
  const std::string number = std::to_string(handle[0]);
  for (const std::string& report :
       {self, self + ":1:" + number, std::to_string(this_process() + 4) + ":" + started + ":" + number,
        self + ":" + started + ":x", std::string("x"), std::string()}) {
    check_not_believed(report);
  }
  close_all(handle);
}
#endif

#if defined(NDSHM_TEST_POSIX)
TEST_CASE("a program that knows nothing of this library can be started") {
  CHECK(ndshm::spawn("sh", {"-c", "exit 5"}).wait().exit_code() == 5);
  CHECK(start({"signal", "9"}).wait().signal() == SIGKILL);
  { const Waiting child; }
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // it was reaped
}

TEST_CASE("a forked child of a spawned program has its handles too") {
  const auto words = ndshm::create<int>({2});
  CHECK(run({"count_in_fork"}, {words.handle(), words.handle()}) == "exit code 2");
}

TEST_CASE("only what was handed over is open in the child") {
  const int leaked = ::open("/dev/null", O_RDONLY);  // NOLINT: without O_CLOEXEC is what this is about
  const int high = ::fcntl(leaked, F_DUPFD, 800);
  REQUIRE(high >= 800);
  auto told = ndshm::create<int>({2000});
  std::vector<ndshm::SharedArray<int, 1>> arrays;
  std::vector<ndshm::Handle> handles{told.handle()};
  for (int i = 0; i < 100; ++i) {
    arrays.push_back(ndshm::create<int>({1}));
    handles.push_back(i % 2 == 0 ? arrays.back().handle() : arrays.back().handle().as_read_only());
  }
  CHECK(run({"descriptors"}, handles) == success);
  // The standard streams, one for each handle, the pipe for its report.
  const std::size_t expected = 3 + handles.size() + 1;
  for (std::size_t fd = 0; fd < told.size(); ++fd) {
    INFO(fd);
    CHECK(told(fd) == (fd < expected ? 1 : 0));
  }
  CHECK(::fcntl(leaked, F_GETFD) == 0);
  ::close(high);
  ::close(leaked);
}

#if !defined(NDSHM_PORTABLE_POSIX)
TEST_CASE("other threads that open descriptors and start programs leak nothing and get nothing") {
  const int usual = run_child_by_hand({"count_descriptors"});
  REQUIRE(usual >= 3);
  constexpr int rounds = 50;
  std::atomic<bool> begun = false;
  std::atomic<bool> enough = false;
  std::thread opener([&] {  // always other numbers, so that they are not known before
    const int source = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    while (!enough) {
      std::vector<int> opened;
      for (int i = 0; i < 500; ++i) opened.push_back(::fcntl(source, F_DUPFD, 100));
      for (const int fd : opened) ::close(fd);
      begun = true;
    }
    ::close(source);
  });
  auto told = ndshm::create<int>({1000});
  while (!begun) std::this_thread::yield();
  for (int i = 0; i < rounds; ++i) CHECK(run({"descriptors"}, {told.handle()}) == success);
  enough = true;
  opener.join();
  for (std::size_t fd = 0; fd < told.size(); ++fd) CHECK(told(fd) == (fd < 5 ? rounds : 0));

  std::atomic<bool> done = false;
  int more = 0;
  std::thread starter([&] {
    for (int i = 0; i < 20; ++i) more += run_child_by_hand({"count_descriptors"}) - usual;
    done = true;
  });
  while (!done) CHECK(run({"exit", "0"}, {told.handle(), told.handle().as_read_only()}) == success);
  starter.join();
  CHECK(more == 0);
}
#endif

TEST_CASE("a program that stands in for another hands on what it was given") {
  auto words = ndshm::create<int>({2});
  CHECK(ndshm::spawn("sh", {"-c", "\"$0\" \"$@\"; exit $?", child_program().string(), "set", "6"}, {words.handle()})
            .wait()
            .success());
  CHECK(words(0) == 6);
}

TEST_CASE("variables that were meant for another process are not believed") {
  int pipe[2] = {};
  REQUIRE(::pipe(pipe) == 0);
  const std::string number = std::to_string(pipe[1]);
  for (const std::string& report : {number, number + ":1:1", number + ":", std::string("-1:0:0"), std::string("x")}) {
    check_not_believed(report);
  }
  ::close(pipe[1]);
  char byte = 0;
  CHECK(::read(pipe[0], &byte, 1) == 0);
  ::close(pipe[0]);
}

TEST_CASE("a program that cannot be started is an error that names it") {
  const auto start_file = [](const std::string& path) { return ndshm::spawn(path); };
  CHECK_ERROR(start_file("/no/such/program"), errc::not_found, "spawn \"/no/such/program\": posix_spawn: No such file");
  CHECK_ERROR(start_file("no-such-program"), errc::not_found, "it is not in PATH");
  CHECK_ERROR(start_file(""), errc::not_found, "spawn: posix_spawn");
  const File data("text", 0644);
  CHECK_ERROR(start_file(data.path()), errc::permission_denied, data.path());
  const File program("\x7f no program", 0755);
  CHECK_ERROR(start_file(program.path()), errc::system_error, "Exec format error");
  const File script("#!/no/such/shell\n", 0755);
  CHECK_ERROR(start_file(script.path()), errc::not_found, "the interpreter of a script");
  CHECK_ERROR(start({}, {}, {.working_directory = "/no/such"}), errc::not_found, "no directory \"/no/such\"");
  CHECK_ERROR(start({std::string("a\0b", 3)}), errc::invalid_argument, "\"a\\x00b\" has a NUL");
  CHECK_ERROR(start({}, {}, {.environment = {{"a=b", "c"}}}), errc::invalid_argument, "not the name of a variable");
  CHECK_ERROR(start({}, {}, {.environment = {{"NDSHM_REPORT", "3:1:1"}}}), errc::invalid_argument, "library's own");
  CHECK_ERROR(start({std::string(3'000'000, 'x')}), errc::system_error, "arguments and environment have 2.9 MiB");
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // no child was left
}

TEST_CASE("more handles than descriptors are allowed is an error with the limit") {
  const auto array = ndshm::create<int>({1});
  rlimit usual{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
  rlimit low = usual;
  low.rlim_cur = 64;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  const auto some = error_of([&] { start({}, std::vector<ndshm::Handle>(40, array.handle())); });
  const auto many = error_of([&] { start({}, std::vector<ndshm::Handle>(200, array.handle())); });
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &usual) == 0);
  for (const auto& error : {some, many}) {
    REQUIRE(error);
    INFO(error->what());
    CHECK(error->condition() == errc::system_error);
    CHECK(error->os_error() == std::errc::too_many_files_open);
    CHECK(std::string(error->what()).find("ulimit -n") != std::string::npos);
  }
  CHECK(std::string(some->what()).find("handing over 40 descriptors, where 64 can be open") != std::string::npos);
}

TEST_CASE("a handle whose array is gone is not handed over") {
  std::optional<ndshm::SharedArray<int, 1>> array = ndshm::create<int>({1});
  const ndshm::Handle handle = array->handle();
  array.reset();
  CHECK_ERROR(start({}, {handle}), errc::not_found, "handle 0: descriptor");
  const auto other = ndshm::create<int>({1});  // takes its number
  REQUIRE(other.handle().descriptor() == handle.descriptor());
  CHECK_ERROR(start({}, {other.handle(), handle}), errc::stale_handle, "handle 1: another segment");
}

#if defined(NDSHM_PORTABLE_POSIX)
TEST_CASE("an array of another process cannot be handed over on the portable path") {
  const ndshm::Handle handle = ndshm::create<int>({1}).handle();
  const ndshm::Place theirs = ndshm::ProcessPlace{1, 3};
  const ndshm::Handle through(theirs, handle.uuid(), handle.dtype(), handle.shape(), handle.strides(), 0, false);
  CHECK_ERROR(start({"set", "5"}, {through}), errc::unsupported, "handle 0: the portable path");
}
#endif

TEST_CASE("signals do not shorten wait_for") {
  Waiting child;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {};  // without SA_RESTART
  REQUIRE(::sigaction(SIGALRM, &action, &before) == 0);
  const itimerval often{{0, 1000}, {0, 1000}};
  REQUIRE(::setitimer(ITIMER_REAL, &often, nullptr) == 0);
  const auto start_time = std::chrono::steady_clock::now();
  CHECK(child.process.wait_for(60ms) == nullptr);
  CHECK(std::chrono::steady_clock::now() - start_time >= 60ms);
  child.let_go();
  CHECK(child.process.wait_for(ever) != nullptr);
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
}

TEST_CASE("an end that the pipe does not tell is noticed all the same") {
  // A grandchild keeps the pipe; a child has closed it and runs on.
  auto words = ndshm::create<int>({2});
  ndshm::Process left = ndshm::spawn("sh", {"-c", "\"$0\" wait & exit 8", child_program().string()}, {words.handle()});
  const ndshm::ExitStatus* const status = left.wait_for(ever);
  REQUIRE(status != nullptr);
  CHECK(status->exit_code() == 8);
  std::atomic_ref(words(1)).store(1);
  ndshm::Process closed = ndshm::spawn("sh", {"-c", "exec 3>&-; while :; do sleep 1; done"});
  CHECK(closed.wait_for(100ms) == nullptr);
  closed.kill();
  REQUIRE(closed.wait_for(ever) != nullptr);
  CHECK(closed.wait().signal() == SIGKILL);
}

TEST_CASE("a report that nobody reads any more does not end the child by a signal") {
  const pid_t child = ::fork();
  if (child == 0) {
    int ends[2] = {};
    if (::pipe(ends) != 0) ::_exit(2);
    ::close(ends[0]);
    os::unix_only::as_child().report_descriptor = ends[1];
    ::_exit(os::report_to_parent("out of cheese") ? 1 : 0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("a child's end can be polled for") {
  os::Child child =
      os::spawn_child({child_program().string(), {"exit", "6"}, {}, {}}, {}, ndshm::detail::Context("test"));
#if !defined(NDSHM_PORTABLE_POSIX)
  CHECK(child.readable_means_ended());
#endif
  pollfd entry{child.poll_descriptor(), POLLIN, 0};
  REQUIRE(::poll(&entry, 1, -1) == 1);
  const auto end = child.reap(child.readable_means_ended() ? 0ns : ever);
  REQUIRE(end);
  CHECK(end->exit_code == 6);
}

TEST_CASE("children that others made are left to them") {
  const pid_t stranger = ::fork();
  if (stranger == 0) ::_exit(11);
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(stranger), &info, WEXITED | WNOWAIT) == 0);
  CHECK(start({"exit", "3"}).wait().exit_code() == 3);
  ndshm::Process timed = start({"exit", "4"});
  REQUIRE(timed.wait_for(ever) != nullptr);
  { const ndshm::Process killed = ndshm::spawn("sleep", {"1000"}); }
  int status = 0;
  REQUIRE(::waitpid(stranger, &status, WNOHANG) == stranger);
  CHECK(WEXITSTATUS(status) == 11);
}

TEST_CASE("a spawned program that somebody else reaped is an error, not a hang") {
  ndshm::Process child = start({"exit", "0"});
  REQUIRE(::waitpid(static_cast<pid_t>(child.pid()), nullptr, 0) > 0);
  CHECK_ERROR(child.wait_for(ever), errc::system_error, "other code waits");
}
#endif
