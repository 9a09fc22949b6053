// SPDX-License-Identifier: BSL-1.0
// system.hpp: what tests ask of the system beside the library, in the same words on every system.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if __has_include(<sys/wait.h>)
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csetjmp>
#include <csignal>
#else
#if !defined(NOMINMAX)
#define NOMINMAX
#endif
#include <windows.h>
// After windows.h.
#include <process.h>
#include <tlhelp32.h>
#endif

/// What an exec() takes: a program and its arguments, or this process's variables and some more.
class Strings {
 public:
  explicit Strings(std::vector<std::string> strings, char** before = nullptr) : strings_(std::move(strings)) {
    for (; before != nullptr && *before != nullptr; ++before) pointers_.push_back(*before);
    for (std::string& string : strings_) pointers_.push_back(string.data());
    pointers_.push_back(nullptr);
  }
  char** get() { return pointers_.data(); }

 private:
  std::vector<std::string> strings_;
  std::vector<char*> pointers_;
};

#if __has_include(<sys/wait.h>)

/// The directory of named segments that is in force, as a program finds it that knows nothing of this library.
inline std::string segment_directory() {
  const char* const own = std::getenv("NDSHM_DIR");
  return own == nullptr || *own == '\0' ? "/dev/shm" : own;
}

/// What a test can do as root alone: become another user, give files away.
inline bool is_root() { return ::geteuid() == 0; }

inline constexpr bool arguments_are_utf8 = true;
inline constexpr const char* descriptor_word = "descriptor";  // in messages

inline std::uint64_t this_process() { return static_cast<std::uint64_t>(::getpid()); }
/// Ends a process as somebody would who has lost backoff with it.
inline void kill_process(std::uint64_t pid) { ::kill(static_cast<pid_t>(pid), SIGKILL); }
/// Makes it stand still, as a debugger would.
inline void stop_process(std::uint64_t pid) { ::kill(static_cast<pid_t>(pid), SIGSTOP); }
inline bool is_running(std::uint64_t pid) { return ::kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH; }

/// Sets a variable of this process; nullptr: unsets it.
inline void set_variable(const char* name, const char* value) {
  if (value == nullptr) {
    ::unsetenv(name);
  } else {
    ::setenv(name, value, 1);
  }
}

/// Starts a program as one would that knows nothing of this library; its exit code. The first string is its path.
inline int run_by_hand(const std::vector<std::string>& program, const std::vector<std::string>& variables = {}) {
  Strings arguments(program);
  Strings environment(variables, ::environ);
  pid_t pid = 0;
  if (::posix_spawn(&pid, program[0].c_str(), nullptr, nullptr, arguments.get(), environment.get()) != 0) return -1;
  int status = 0;
  return ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

inline sigjmp_buf after_fault;

/// Whether a write to `address` faults.
inline bool write_faults(void* address) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) { siglongjmp(after_fault, 1); };
  ::sigaction(SIGSEGV, &action, &before);
  volatile bool faulted = true;  // volatile: it is changed between sigsetjmp and siglongjmp
  if (sigsetjmp(after_fault, 1) == 0) {
    *static_cast<volatile char*>(address) = 1;
    faulted = false;
  }
  ::sigaction(SIGSEGV, &before, nullptr);
  return faulted;
}

/// Whether the system refuses to make a mapped page writable, for what its descriptor does not allow.
inline bool is_refused_to_write(void* page) {
  return ::mprotect(page, 4096, PROT_READ | PROT_WRITE) == -1 && errno == EACCES;
}

/// So many descriptors that a child would inherit.
inline std::vector<int> open_inheritable(int count) {
  std::vector<int> result;
  for (int i = 0; i < count; ++i) result.push_back(::open("/dev/null", O_RDONLY));  // NOLINT: without O_CLOEXEC
  return result;
}
inline bool is_open(int number) { return ::fcntl(number, F_GETFD) != -1; }
inline void close_all(const std::vector<int>& numbers) {
  for (const int number : numbers) ::close(number);
}

#else

inline constexpr bool arguments_are_utf8 = false;  // those of main() are in the system's code page
inline constexpr const char* descriptor_word = "handle";

inline std::uint64_t this_process() { return ::GetCurrentProcessId(); }

inline void kill_process(std::uint64_t pid) {
  constexpr DWORD killed = 0xE0000009;  // what the library takes for signal 9
  if (const HANDLE process = ::OpenProcess(PROCESS_TERMINATE, FALSE, static_cast<DWORD>(pid)); process != nullptr) {
    ::TerminateProcess(process, killed);
    ::CloseHandle(process);
  }
}

inline void stop_process(std::uint64_t pid) {
  const HANDLE snapshot = ::CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
  THREADENTRY32 entry{};
  entry.dwSize = sizeof entry;
  for (BOOL more = ::Thread32First(snapshot, &entry); more != 0; more = ::Thread32Next(snapshot, &entry)) {
    if (entry.th32OwnerProcessID != pid) continue;
    if (const HANDLE thread = ::OpenThread(THREAD_SUSPEND_RESUME, FALSE, entry.th32ThreadID); thread != nullptr) {
      ::SuspendThread(thread);
      ::CloseHandle(thread);
    }
  }
  ::CloseHandle(snapshot);
}

inline bool is_running(std::uint64_t pid) {
  const HANDLE process = ::OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(pid));
  if (process == nullptr) return false;
  const bool runs = ::WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
  ::CloseHandle(process);
  return runs;
}

inline void set_variable(const char* name, const char* value) { ::_putenv_s(name, value == nullptr ? "" : value); }

inline int run_by_hand(std::vector<std::string> program, const std::vector<std::string>& variables = {}) {
  const std::string path = program[0];
  for (std::string& argument : program) argument = '"' + argument + '"';  // it is one line that arrives
  Strings arguments(program);
  Strings environment(variables, _environ);
  return static_cast<int>(::_spawnve(_P_WAIT, path.c_str(), arguments.get(), environment.get()));
}

inline bool write_faults(void* address) {
  MEMORY_BASIC_INFORMATION info{};
  return ::VirtualQuery(address, &info, sizeof info) != 0 && info.Protect == PAGE_READONLY;
}

inline bool is_refused_to_write(void* page) {
  DWORD before = 0;
  return ::VirtualProtect(page, 4096, PAGE_READWRITE, &before) == 0;
}

inline std::vector<int> open_inheritable(int count) {
  SECURITY_ATTRIBUTES inheritable{sizeof inheritable, nullptr, TRUE};
  std::vector<int> result;
  for (int i = 0; i < count; ++i) {
    result.push_back(static_cast<int>(HandleToLong(::CreateEventW(&inheritable, TRUE, FALSE, nullptr))));
  }
  return result;
}
inline bool is_open(int number) {
  DWORD flags = 0;
  return ::GetHandleInformation(LongToHandle(number), &flags) != 0;
}
inline void close_all(const std::vector<int>& numbers) {
  for (const int number : numbers) ::CloseHandle(LongToHandle(number));
}

#endif

[[noreturn]] inline void wait_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

/// Like being killed from outside.
[[noreturn]] inline void kill_this_process() {
  kill_process(this_process());
  wait_for_ever();
}
