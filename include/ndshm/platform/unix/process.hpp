// SPDX-License-Identifier: BSL-1.0
// unix/process.hpp: child processes of POSIX systems, for the files of linux/ and portable/. Nothing outside platform/
// includes it.
//
// A child has a pipe to its parent, through which it reports an exception. A forked child knows it by its number. A
// program that was started by spawn_child is told in NDSHM_REPORT=number:device:inode, behind the descriptors that it
// was given as 3, 4, 5, …: the variable, and with it all that starts with NDSHM_, counts only while this very pipe is
// open under this number. So nothing that was meant for another process is believed.
#pragma once

#include <dirent.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's, for ::kill
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/platform/process_wide.hpp>
#include <ndshm/platform/types.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

// What linux/process.hpp and portable/process.hpp give to this file.

/// A pipe that does not wait: the end to read, the end to write. Both close on exec.
std::array<Descriptor, 2> make_pipe(Context context);
/// A descriptor that is readable once that child of this process has ended; none where none is to be had.
Descriptor watch_child(pid_t pid);
/// Sends a signal to the child behind the descriptor of watch_child(), or by its id where there is none.
bool send_signal(const Descriptor& child, pid_t pid, int signal);
/// Lets the child close every descriptor from `first` on, also those that other threads open meanwhile. False where
/// that has to be done one by one.
bool close_from(posix_spawnattr_t& attributes, posix_spawn_file_actions_t& actions, int first);
/// Lets the child start in that directory. False where the system cannot do that.
bool change_directory(posix_spawn_file_actions_t& actions, const std::string& path);
/// This process's environment.
char** environment();

/// A child process and the pipe through which it reports an exception.
class Child {
 public:
  Child() = default;
  Child(pid_t pid, Descriptor reports) : pid_(pid), reports_(std::move(reports)), end_(watch_child(pid)) {}
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)),
        parent_(other.parent_),
        reports_(std::move(other.reports_)),
        end_(std::move(other.end_)) {}
  Child& operator=(Child&& other) noexcept {
    pid_ = std::exchange(other.pid_, 0);
    parent_ = other.parent_;
    reports_ = std::move(other.reports_);
    end_ = std::move(other.end_);
    return *this;
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() = default;

  explicit operator bool() const noexcept { return pid_ > 0; }
  std::uint64_t pid() const noexcept { return static_cast<std::uint64_t>(pid_); }
  /// False in a forked process that inherited this object: the child is its sibling.
  bool is_ours() const noexcept { return parent_ == ::getpid(); }
  void kill() const noexcept { send(SIGKILL); }

  /// Stops it, and returns when it stands still (or has ended); after 0.1 s in any case.
  void stop() const noexcept {
    if (!send(SIGSTOP)) return;
    Backoff backoff(std::chrono::milliseconds(100));
    while (!has_news(WSTOPPED | WEXITED) && backoff.wait()) {
    }
  }
  bool is_stopped() const noexcept { return has_news(WSTOPPED); }
  void go_on() const noexcept { send(SIGCONT); }

  /// For poll(): it is readable once the child has ended, and stays so.
  int poll_descriptor() const noexcept { return end_ ? end_.get() : reports_.get(); }
  /// Whether it is readable then alone. Otherwise it is the report pipe: readable also when the child has reported or
  /// closed it, and not readable while a grandchild keeps it open.
  bool readable_means_ended() const noexcept { return static_cast<bool>(end_); }

  /// Waits at most `limit`, for ever where there is none; nothing when it still runs then. Throws errc::system_error
  /// when it is not there to be reaped; it is no child then any more.
  std::optional<ChildEnd> reap(std::optional<std::chrono::nanoseconds> limit);

  /// What it reported before it ended; never waits, not even when a grandchild keeps the pipe open.
  std::string report() const {
    std::array<char, PIPE_BUF> text{};
    const auto got = retry_on_signal([&] { return ::read(reports_.get(), text.data(), text.size()); });
    return got > 0 ? std::string(text.data(), static_cast<std::size_t>(got)) : std::string();
  }

 private:
  /// Whether waitid would tell of one of these events, which it can be asked again.
  bool has_news(int events) const noexcept {
    siginfo_t info{};
    return pid_ > 0 && ::waitid(P_PID, static_cast<id_t>(pid_), &info, events | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
  }
  std::optional<ChildEnd> reap_with(int flags);
  /// The id means this child until it is reaped, but where SIGCHLD is ignored the system does that by itself: so
  /// through its descriptor, where there is one.
  bool send(int signal) const noexcept { return pid_ > 0 && send_signal(end_, pid_, signal); }

  pid_t pid_ = 0;
  pid_t parent_ = ::getpid();
  Descriptor reports_;
  Descriptor end_;  // readable once it has ended; none where the system has no such descriptor
};

namespace unix_only {

/// Waits until the descriptor is readable; false when the time ran out or a signal came. For -1 it only waits.
inline bool wait_for_input(int fd, std::chrono::nanoseconds limit) {
  using std::chrono::milliseconds;
  const auto turn = (std::min)(std::chrono::ceil<milliseconds>(limit), milliseconds(INT_MAX));
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, static_cast<int>(turn.count())) > 0;
}

}  // namespace unix_only

inline std::optional<ChildEnd> Child::reap_with(int flags) {
  int status = 0;
  const pid_t ended = retry_on_signal([&] { return ::waitpid(pid_, &status, flags); });
  if (ended == 0) return std::nullopt;
  if (ended < 0) {
    throw Error(errc::system_error, last_error(), "wait: process " + std::to_string(std::exchange(pid_, 0)),
                "other code waits for the children of this process, or SIGCHLD is ignored");
  }
  if (WIFSIGNALED(status)) return ChildEnd{0, WTERMSIG(status)};
  return ChildEnd{WEXITSTATUS(status), 0};
}

inline std::optional<ChildEnd> Child::reap(std::optional<std::chrono::nanoseconds> limit) {
  using std::chrono::nanoseconds;
  constexpr nanoseconds slice = std::chrono::milliseconds(20);  // where nothing tells the end for sure
  const auto start = std::chrono::steady_clock::now();
  bool watching = true;
  for (;;) {
    if (const auto end = reap_with(limit ? WNOHANG : 0)) return end;
    if (*limit <= nanoseconds(0)) return std::nullopt;
    const nanoseconds left = *limit - (std::chrono::steady_clock::now() - start);
    if (left <= nanoseconds(0)) return std::nullopt;
    const nanoseconds turn = watching && readable_means_ended() ? left : (std::min)(left, slice);
    // Readable although it runs: it will be readable the next time too, so only the clock is left.
    if (unix_only::wait_for_input(watching ? poll_descriptor() : -1, turn)) {
      if (const auto end = reap_with(WNOHANG)) return end;
      watching = false;
    }
  }
}

// ---- this process, as a child --------------------------------------------------------------------------------------

namespace unix_only {

/// What this process knows as a child made by fork_child or spawn_child, in all of its shared objects.
struct AsChild {
  static constexpr int unknown = -2;
  std::atomic<int> report_descriptor = -1;
  std::atomic<int> inherited = unknown;  // how many descriptors were inherited; -1: it was not spawned
};

inline AsChild& as_child() { return one_in_process<AsChild>("as_child"); }

inline constexpr const char* report_variable = "NDSHM_REPORT";

inline std::string report_text(int number, const struct stat& pipe) {
  return std::to_string(number) + ":" + std::to_string(pipe.st_dev) + ":" + std::to_string(pipe.st_ino);
}

/// The report pipe that NDSHM_REPORT tells of; -1 where it is not there.
inline int find_report_pipe() {
  const char* const value = std::getenv(report_variable);
  if (value == nullptr) return -1;
  const std::string_view text = value;
  int number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  struct stat status {};
  if (::fstat(number, &status) != 0 || !S_ISFIFO(status.st_mode)) return -1;
  return report_text(number, status) == text ? number : -1;
}

}  // namespace unix_only

/// What a program that was started by spawn_child finds its descriptors under: this one, and those that follow.
inline constexpr int first_inherited = 3;

/// How many descriptors this process was given by spawn_child; none when it was not started by it, or has closed them.
/// They close on exec from the first call on.
inline std::optional<std::size_t> inherited_descriptors() {
  unix_only::AsChild& self = unix_only::as_child();
  if (self.inherited == unix_only::AsChild::unknown) {  // two threads that look at the same time see the same
    const int report = unix_only::find_report_pipe();
    const bool spawned = report >= first_inherited;
    if (spawned) {
      for (int fd = first_inherited; fd <= report; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
      if (self.report_descriptor < 0) self.report_descriptor = report;
    }
    self.inherited = spawned ? report - first_inherited : -1;
  }
  const int count = self.inherited;
  return count < 0 ? std::nullopt : std::optional(static_cast<std::size_t>(count));
}

/// The one of them at that place.
inline int inherited_descriptor(std::size_t place) { return first_inherited + static_cast<int>(place); }

/// One write of at most PIPE_BUF bytes into an empty pipe: it fits and does not wait. False where nobody reads it.
inline bool report_to_parent(std::string_view text) {
  text = text.substr(0, PIPE_BUF);
  pollfd entry{unix_only::as_child().report_descriptor, POLLOUT, 0};
  // Writing to a parent that is gone would be a SIGPIPE.
  if (entry.fd < 0 || ::poll(&entry, 1, 0) != 1 || entry.revents != POLLOUT) return false;
  return ::write(entry.fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

[[noreturn]] inline void exit_child(int code) { ::_exit(code); }

inline std::string signal_text(int signal) { return ::strsignal(signal); }

// ---- starting children ---------------------------------------------------------------------------------------------

/// Nothing in the child.
inline std::optional<Child> fork_child(Context context) {
  auto [reading, writing] = make_pipe(context);
  const pid_t pid = ::fork();
  if (pid < 0) throw refused(last_error(), context, "fork");
  if (pid > 0) return Child(pid, std::move(reading));
  // The descriptor lives as long as the child: it is reported through at the very end, or closed by the kernel.
  unix_only::as_child().report_descriptor = ::fcntl(writing.get(), F_DUPFD_CLOEXEC, 0);
  return std::nullopt;
}

namespace unix_only {

/// `name=value` for all that the child gets: this process's variables but those of the library, and the extra ones.
inline std::vector<std::string> environment_with(const Variables& extra) {
  std::vector<std::string> result;
  // Replaces the variable of that name: the last one counts.
  const auto set = [&](std::string_view name, std::string_view value) {
    std::string text = std::string(name).append("=");
    const auto same =
        std::find_if(result.begin(), result.end(), [&](const std::string& old) { return old.starts_with(text); });
    text.append(value);
    if (same == result.end()) {
      result.push_back(std::move(text));
    } else {
      *same = std::move(text);
    }
  };
  for (char** entry = environment(); entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = text.substr(0, equals);
    // Where named segments are is meant for all processes; what else there is, for this one alone.
    if (text.starts_with("NDSHM_") && name != "NDSHM_DIR") continue;
    result.emplace_back(text);
  }
  for (const auto& [name, value] : extra) set(name, value);
  return result;
}

/// As exec takes it; points into the strings.
inline std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& string : strings) result.push_back(string.data());
  result.push_back(nullptr);
  return result;
}

/// What posix_spawn does in the child before it starts the program. Each call throws where it cannot be noted down.
class SpawnPlan {
 public:
  explicit SpawnPlan(Context context) : context_(context) {
    require_success(::posix_spawn_file_actions_init(&actions_), "posix_spawn_file_actions_init");
    require_success(::posix_spawnattr_init(&attributes_), "posix_spawnattr_init");
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  void put(int descriptor, int number) {
    require_success(::posix_spawn_file_actions_adddup2(&actions_, descriptor, number),
                    "posix_spawn_file_actions_adddup2");
  }

  void close_everything_from(int first) {
    if (close_from(attributes_, actions_, first)) return;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir("/dev/fd"), ::closedir);
    if (!entries) throw refused(last_error(), context_, "/dev/fd");
    while (const dirent* entry = ::readdir(entries.get())) {
      const int fd = std::atoi(entry->d_name);  // 0 for . and ..
      if (fd < first || (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0) continue;
      require_success(::posix_spawn_file_actions_addclose(&actions_, fd), "posix_spawn_file_actions_addclose");
    }
  }

  void change_directory(const std::string& path) {
    if (os::change_directory(actions_, path)) return;
    throw Error(errc::unsupported, context_ + "this system cannot start a program in " + in_quotes(path),
                "omit working_directory, and pass the directory as an argument");
  }

  std::error_code run(pid_t& pid, const std::string& path, char* const* arguments, char* const* environment) const {
    return error_of(::posix_spawnp(&pid, path.c_str(), &actions_, &attributes_, arguments, environment));
  }

 private:
  void require_success(int error, std::string_view call) const {
    if (error != 0) throw refused(error_of(error), context_, call);
  }

  Context context_;
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

/// The descriptor, or a duplicate of it in `copies`, under a number that is not below `least`.
inline int raise(int fd, int least, std::vector<Descriptor>& copies, Context context) {
  if (fd >= least) return fd;
  Descriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, least));
  if (!copy && (errno == EMFILE || errno == EINVAL)) {
    throw Error(errc::system_error, std::make_error_code(std::errc::too_many_files_open),
                context + "handing over " + std::to_string(least - first_inherited - 1) + " descriptors, where " +
                    std::to_string(::sysconf(_SC_OPEN_MAX)) + " can be open",
                "raise the limit of open files (ulimit -n), or hand over fewer");
  }
  if (!copy) throw refused(last_error(), context, "descriptor " + std::to_string(fd));
  return copies.emplace_back(std::move(copy)).get();
}

inline Error not_started(std::error_code error, const Program& program, std::size_t bytes, Context context) {
  if (error == std::errc::argument_list_too_long) {
    return {errc::system_error, error, context + "arguments and environment have " + format_bytes(bytes),
            "use shorter ones, or hand over fewer handles"};
  }
  if (error == std::errc::no_such_file_or_directory) {
    return {errc::not_found, error, context + "posix_spawn",
            program.path.find('/') == std::string::npos ? "it is not in PATH; write its path"
                                                        : "check the path, and the interpreter of a script"};
  }
  return refused(error, context, "posix_spawn");
}

}  // namespace unix_only

/// Starts a program that has the standard streams, the descriptors given as 3, 4, 5, …, and no other descriptor of this
/// process, whatever its threads open meanwhile (where the system can do that: glibc 2.34, macOS; elsewhere what is
/// open now). The descriptors given have to stay open until this returns.
/// Throws errc::not_found, permission_denied or system_error when it cannot be started.
inline Child spawn_child(const Program& program, std::span<const int> descriptors, Context context) {
  auto [reading, writing] = make_pipe(context);
  const int report = first_inherited + static_cast<int>(descriptors.size());
  // Sources lie above all targets, so that no dup2 in the child overwrites what a later one needs.
  std::vector<Descriptor> copies;
  copies.reserve(descriptors.size() + 1);
  unix_only::SpawnPlan plan(context);
  int number = first_inherited;
  for (const int fd : descriptors) plan.put(unix_only::raise(fd, report + 1, copies, context), number++);
  plan.put(unix_only::raise(writing.get(), report + 1, copies, context), report);
  plan.close_everything_from(report + 1);
  if (!program.working_directory.empty()) plan.change_directory(program.working_directory);

  std::vector<std::string> arguments{program.path};
  arguments.insert(arguments.end(), program.arguments.begin(), program.arguments.end());
  Variables variables = program.environment;
  variables.emplace_back(unix_only::report_variable, unix_only::report_text(report, status_of(writing.get(), context)));
  std::vector<std::string> environment = unix_only::environment_with(variables);
  pid_t pid = 0;
  const std::error_code error =
      plan.run(pid, program.path, unix_only::pointers_to(arguments).data(), unix_only::pointers_to(environment).data());
  if (!error) return {pid, std::move(reading)};
  std::size_t bytes = 0;
  for (const auto* strings : {&arguments, &environment}) {
    for (const std::string& string : *strings) bytes += string.size() + 1;
  }
  throw unix_only::not_started(error, program, bytes, context);
}

}  // namespace ndshm::detail::os
