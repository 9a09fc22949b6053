// SPDX-License-Identifier: BSL-1.0
// windows/process.hpp: child processes of Windows. Nothing outside platform/ includes it.
//
// A child is told in NDSHM_REPORT=parent:time:handle,handle,…,report which handles it was given, the last one being
// that of a pipe through which it reports an exception. The variable, and with it all that starts with NDSHM_, counts
// only in a child of that very parent, which was started at that time. Handles have the same values in the child; only
// those that were handed over are inherited (PROC_THREAD_ATTRIBUTE_HANDLE_LIST). Sources: CreateProcess,
// UpdateProcThreadAttribute, CreateToolhelp32Snapshot, "Parsing C++ command-line arguments" of the Windows
// documentation.
#pragma once

#include <ndshm/platform/windows/errors.hpp>
#include <system_error>
// After windows.h.
#include <tlhelp32.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/platform/types.hpp>
#include <ndshm/platform/windows/this_process.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

namespace windows_only {

inline constexpr std::size_t most_report_bytes = 4096;

/// Exit codes of processes that were ended. The first one is ours, for what kill() ends; an exception's is its status.
inline constexpr DWORD killed_code = 0xE0000009;
struct Crash {
  DWORD code;
  int signal;
};
inline constexpr std::array<Crash, 6> crashes{{{killed_code, 9},
                                               {static_cast<DWORD>(STATUS_ACCESS_VIOLATION), SIGSEGV},
                                               {static_cast<DWORD>(STATUS_STACK_OVERFLOW), SIGSEGV},
                                               {static_cast<DWORD>(STATUS_ILLEGAL_INSTRUCTION), SIGILL},
                                               {static_cast<DWORD>(STATUS_INTEGER_DIVIDE_BY_ZERO), SIGFPE},
                                               {static_cast<DWORD>(STATUS_CONTROL_C_EXIT), SIGINT}}};

/// How a process ended, in the terms of POSIX.
inline ChildEnd end_of(DWORD code) {
  for (const Crash& crash : crashes) {
    if (crash.code == code) return {0, crash.signal};
  }
  return {static_cast<int>(code), 0};
}

/// Calls `use(handle)` for each thread of a process.
template <class Use>
void for_each_thread(DWORD pid, Use use) {
  const Descriptor snapshot(::CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0));
  THREADENTRY32 entry{};
  entry.dwSize = sizeof entry;
  for (BOOL more = ::Thread32First(snapshot.handle(), &entry); more != 0;
       more = ::Thread32Next(snapshot.handle(), &entry)) {
    if (entry.th32OwnerProcessID != pid) continue;
    constexpr DWORD rights = THREAD_SUSPEND_RESUME | THREAD_GET_CONTEXT;
    if (const Descriptor thread(::OpenThread(rights, FALSE, entry.th32ThreadID)); thread) {
      use(thread.handle());
    }
  }
}

/// When a process was started, in the units of FILETIME; 0 where the system does not tell.
inline std::uint64_t start_time(HANDLE process) {
  FILETIME started{};
  FILETIME ended{};
  FILETIME in_kernel{};
  FILETIME in_user{};
  if (::GetProcessTimes(process, &started, &ended, &in_kernel, &in_user) == 0) return 0;
  return std::uint64_t{started.dwHighDateTime} << 32 | started.dwLowDateTime;
}

/// The process that started this one; 0 where the system does not tell.
inline DWORD parent_id() {
  const Descriptor snapshot(::CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0));
  PROCESSENTRY32W entry{};
  entry.dwSize = sizeof entry;
  for (BOOL more = ::Process32FirstW(snapshot.handle(), &entry); more != 0;
       more = ::Process32NextW(snapshot.handle(), &entry)) {
    if (entry.th32ProcessID == ::GetCurrentProcessId()) return entry.th32ParentProcessID;
  }
  return 0;
}

}  // namespace windows_only

/// A child process and the pipe through which it reports an exception.
class Child {
 public:
  Child() = default;
  Child(Descriptor process, DWORD pid, Descriptor reports)
      : process_(std::move(process)), pid_(pid), reports_(std::move(reports)) {}

  explicit operator bool() const noexcept { return static_cast<bool>(process_); }
  std::uint64_t pid() const noexcept { return process_ ? pid_ : 0; }
  static constexpr bool is_ours() { return true; }
  void kill() const noexcept {
    if (process_) ::TerminateProcess(process_.handle(), windows_only::killed_code);
  }
  /// Suspends it, thread by thread. Asking for a thread's registers waits until it stands still.
  void stop() const noexcept {
    windows_only::for_each_thread(pid_, [](HANDLE thread) {
      CONTEXT registers{};
      registers.ContextFlags = CONTEXT_CONTROL;
      if (::SuspendThread(thread) != static_cast<DWORD>(-1)) ::GetThreadContext(thread, &registers);
    });
  }
  void go_on() const noexcept {
    windows_only::for_each_thread(pid_, [](HANDLE thread) { ::ResumeThread(thread); });
  }
  /// Nothing tells whether somebody else has suspended it.
  static constexpr bool is_stopped() { return false; }

  int poll_descriptor() const noexcept { return process_.get(); }
  static constexpr bool readable_means_ended() { return true; }

  /// Waits at most `limit`, for ever where there is none; nothing when it still runs then.
  std::optional<ChildEnd> reap(std::optional<std::chrono::nanoseconds> limit) {
    using std::chrono::milliseconds;
    DWORD turn = INFINITE;
    if (limit) {
      const auto rounded_up = std::chrono::ceil<milliseconds>((std::max)(*limit, std::chrono::nanoseconds(0)));
      turn = static_cast<DWORD>(std::min<milliseconds::rep>(rounded_up.count(), INFINITE - 1));
    }
    if (::WaitForSingleObject(process_.handle(), turn) != WAIT_OBJECT_0) return std::nullopt;
    DWORD code = 0;
    if (::GetExitCodeProcess(process_.handle(), &code) == 0) {
      throw Error(errc::system_error, last_error(), "wait: process " + std::to_string(pid_));
    }
    return windows_only::end_of(code);
  }

  /// What it reported before it ended; never waits.
  std::string report() const {
    DWORD there = 0;
    if (::PeekNamedPipe(reports_.handle(), nullptr, 0, nullptr, &there, nullptr) == 0 || there == 0) return {};
    std::string text(std::min<std::size_t>(there, windows_only::most_report_bytes), '\0');
    DWORD got = 0;
    if (::ReadFile(reports_.handle(), text.data(), static_cast<DWORD>(text.size()), &got, nullptr) == 0) return {};
    text.resize(got);
    return text;
  }

 private:
  Descriptor process_;
  DWORD pid_ = 0;
  Descriptor reports_;
};

// ---- this process, as a child --------------------------------------------------------------------------------------

namespace windows_only {

inline constexpr const char* report_variable = "NDSHM_REPORT";

/// Whether this process was started by the one of that id which was started at that time. One that has ended meanwhile
/// is believed to be it.
inline bool is_parent(DWORD pid, std::uint64_t started) {
  if (pid != parent_id()) return false;
  const Descriptor process(::OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid));
  return !process || start_time(process.handle()) == started;
}

/// What this process was given, the report pipe last; empty when it was not started by spawn_child.
inline const std::vector<int>& given_handles() {
  // Never destroyed: destructors of static objects may ask.
  static const std::vector<int>& handles = *new std::vector<int>([] {
    const char* const value = std::getenv(report_variable);
    if (value == nullptr) return std::vector<int>{};
    const char* at = value;
    const char* const end = value + std::string_view(value).size();
    bool good = true;
    const auto number = [&]<class Number>(Number result, std::string_view separators) {
      const auto [next, error] = std::from_chars(at, end, result);
      good = good && error == std::errc{} && (next == end || separators.find(*next) != std::string_view::npos);
      at = next == end ? end : next + 1;
      return result;
    };
    const DWORD parent = number(DWORD{}, ":");
    const std::uint64_t started = number(std::uint64_t{}, ":");
    std::vector<int> found;
    while (good && at != end) found.push_back(number(int{}, ","));
    if (!good || !is_parent(parent, started)) return std::vector<int>{};
    for (const int handle : found) {
      if (handle != -1) ::SetHandleInformation(handle_of(handle), HANDLE_FLAG_INHERIT, 0);
    }
    return found;
  }());
  return handles;
}

}  // namespace windows_only

/// How many descriptors this process was given by spawn_child; none when it was not started by it. They are not
/// inherited any further from the first call on.
inline std::optional<std::size_t> inherited_descriptors() {
  const std::vector<int>& handles = windows_only::given_handles();
  if (handles.empty()) return std::nullopt;
  return handles.size() - 1;
}

/// The one of them at that place.
inline int inherited_descriptor(std::size_t place) { return windows_only::given_handles().at(place); }

/// False where nobody reads it.
inline bool report_to_parent(std::string_view text) {
  if (windows_only::given_handles().empty()) return false;
  text = text.substr(0, windows_only::most_report_bytes);
  DWORD written = 0;
  return ::WriteFile(handle_of(windows_only::given_handles().back()), text.data(), static_cast<DWORD>(text.size()),
                     &written, nullptr) != 0 &&
         written == text.size();
}

[[noreturn]] inline void exit_child(int code) {
  ::TerminateProcess(::GetCurrentProcess(), static_cast<UINT>(code));
  std::abort();
}

inline std::string signal_text(int signal) {
  switch (signal) {
    case 9:
      return "Killed";
    case SIGSEGV:
      return "Segmentation fault";
    case SIGILL:
      return "Illegal instruction";
    case SIGFPE:
      return "Floating point exception";
    case SIGINT:
      return "Interrupt";
    default:
      return "Unknown signal";
  }
}

// ---- starting children ---------------------------------------------------------------------------------------------

inline std::optional<Child> fork_child(Context context) {
  throw Error(errc::unsupported, context + "there is no fork on Windows", "use ndshm::spawn");
}

namespace windows_only {

/// As the C runtime of the child will take it apart again.
inline void append_argument(std::wstring& line, std::wstring_view argument) {
  if (!line.empty()) line += L' ';
  if (!argument.empty() && argument.find_first_of(L" \t\n\v\"") == std::wstring_view::npos) {
    line += argument;
    return;
  }
  line += L'"';
  std::size_t backslashes = 0;
  for (const wchar_t letter : argument) {
    if (letter == L'"') line.append(backslashes + 1, L'\\');  // those before it and itself are escaped
    backslashes = letter == L'\\' ? backslashes + 1 : 0;
    line += letter;
  }
  line.append(backslashes, L'\\').append(1, L'"');
}

/// Variables are told apart without regard to case.
struct LessName {
  bool operator()(const std::wstring& a, const std::wstring& b) const {
    return ::CompareStringOrdinal(a.c_str(), -1, b.c_str(), -1, TRUE) == CSTR_LESS_THAN;
  }
};

/// All that the child gets, as CreateProcess takes it: this process's variables but those of the library, and the extra
/// ones.
inline std::wstring environment_with(const Variables& extra, Context context) {
  std::map<std::wstring, std::wstring, LessName> variables;
  wchar_t* const own = ::GetEnvironmentStringsW();
  for (const wchar_t* entry = own; entry != nullptr && *entry != L'\0';) {
    const std::wstring_view text = entry;
    const std::size_t equals = text.find(L'=', 1);  // there are names that start with one
    if (!text.starts_with(L"NDSHM_") && equals != std::wstring_view::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    entry += text.size() + 1;
  }
  if (own != nullptr) ::FreeEnvironmentStringsW(own);
  for (const auto& [name, value] : extra) {
    variables.insert_or_assign(wide(name, errc::invalid_argument, context),
                               wide(value, errc::invalid_argument, context));
  }
  std::wstring block;
  for (const auto& [name, value] : variables) block.append(name).append(1, L'=').append(value).append(1, L'\0');
  return block.append(1, L'\0');
}

/// The file of a program: the path, or what PATH has of that name; with .exe where it has no extension.
inline std::wstring find_program(const Program& program, Context context) {
  const std::wstring path = wide(program.path, errc::invalid_argument, context);
  std::wstring found(32'768, L'\0');
  const bool in_path = path.find_first_of(L"/\\:") == std::wstring::npos;
  std::wstring folders(32'768, L'\0');
  folders.resize(in_path ? ::GetEnvironmentVariableW(L"PATH", folders.data(), static_cast<DWORD>(folders.size())) : 0);
  const DWORD length = ::SearchPathW(in_path ? folders.c_str() : L".", path.c_str(), L".exe",
                                     static_cast<DWORD>(found.size()), found.data(), nullptr);
  if (length == 0) {
    throw Error(errc::not_found, last_error(), context + "there is no such program",
                in_path ? "write its path, or add its directory to PATH" : "");
  }
  found.resize(length);
  return found;
}

/// What a child inherits: these handles and no others. A job other than nullptr has it from its first moment on.
class Inheritance {
 public:
  Inheritance(std::vector<HANDLE>& handles, HANDLE job, Context context) : job_(job) {
    const DWORD count = job == nullptr ? 1 : 2;
    SIZE_T bytes = 0;
    ::InitializeProcThreadAttributeList(nullptr, count, 0, &bytes);
    memory_.resize(bytes);
    if (::InitializeProcThreadAttributeList(get(), count, 0, &bytes) == 0) {
      throw refused(last_error(), context, "InitializeProcThreadAttributeList");
    }
    const auto add = [&](DWORD_PTR attribute, HANDLE* list, std::size_t length) {
      if (::UpdateProcThreadAttribute(get(), 0, attribute, list, length * sizeof(HANDLE), nullptr, nullptr) != 0)
        return;
      const std::error_code error = last_error();
      ::DeleteProcThreadAttributeList(get());
      throw refused(error, context, "UpdateProcThreadAttribute");
    };
    add(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles.data(), handles.size());
    if (job != nullptr) add(PROC_THREAD_ATTRIBUTE_JOB_LIST, &job_, 1);
  }
  Inheritance(const Inheritance&) = delete;
  Inheritance& operator=(const Inheritance&) = delete;
  ~Inheritance() { ::DeleteProcThreadAttributeList(get()); }
  LPPROC_THREAD_ATTRIBUTE_LIST get() { return reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory_.data()); }

 private:
  HANDLE job_;  // read when the child is started
  std::vector<std::byte> memory_;
};

inline HANDLE inheritable(HANDLE handle, std::vector<Descriptor>& copies, Context context) {
  HANDLE copy = nullptr;
  if (::DuplicateHandle(::GetCurrentProcess(), handle, ::GetCurrentProcess(), &copy, 0, TRUE, DUPLICATE_SAME_ACCESS) ==
      0) {
    throw refused(last_error(), context, "DuplicateHandle");
  }
  return copies.emplace_back(copy).handle();
}

}  // namespace windows_only

/// Starts a program with these descriptors (-1: none in that place) and the standard streams, and nothing else of this
/// process.
/// Throws errc::not_found, permission_denied or system_error when it cannot be started.
inline Child spawn_child(const Program& program, std::span<const int> descriptors, Context context) {
  using namespace windows_only;
  const std::wstring path = find_program(program, context);
  HANDLE reading = nullptr;
  HANDLE writing = nullptr;
  if (::CreatePipe(&reading, &writing, nullptr, 2 * most_report_bytes) == 0) {
    throw refused(last_error(), context, "CreatePipe");
  }
  Descriptor reports(reading);
  const Descriptor own_writing(writing);

  std::vector<Descriptor> copies;
  std::vector<HANDLE> list;
  std::string told = std::to_string(process_id()) + ":" + std::to_string(start_time(::GetCurrentProcess()));
  char separator = ':';
  const auto hand_over = [&](int descriptor) {
    if (descriptor != -1) list.push_back(inheritable(handle_of(descriptor), copies, context));
    told.append(1, std::exchange(separator, ','))
        .append(std::to_string(descriptor == -1 ? -1 : number_of(list.back())));
  };
  for (const int descriptor : descriptors) hand_over(descriptor);
  hand_over(own_writing.get());

  STARTUPINFOEXW start{};
  start.StartupInfo.cb = sizeof start;
  start.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  const std::array<std::pair<DWORD, HANDLE*>, 3> streams{{{STD_INPUT_HANDLE, &start.StartupInfo.hStdInput},
                                                          {STD_OUTPUT_HANDLE, &start.StartupInfo.hStdOutput},
                                                          {STD_ERROR_HANDLE, &start.StartupInfo.hStdError}}};
  for (const auto& [which, place] : streams) {
    const HANDLE stream = ::GetStdHandle(which);
    if (stream == nullptr || stream == INVALID_HANDLE_VALUE) continue;
    *place = inheritable(stream, copies, context);
    list.push_back(*place);
  }
  Inheritance inheritance(list, program.job == -1 ? nullptr : handle_of(program.job), context);
  start.lpAttributeList = inheritance.get();

  std::wstring line;
  const auto widened = [&](std::string_view text) { return wide(text, errc::invalid_argument, context); };
  append_argument(line, widened(program.path));
  for (const std::string& argument : program.arguments) append_argument(line, widened(argument));
  Variables variables = program.environment;
  variables.emplace_back(report_variable, told);
  std::wstring environment = environment_with(variables, context);
  const std::wstring directory = widened(program.working_directory);
  PROCESS_INFORMATION started{};
  if (::CreateProcessW(path.c_str(), line.data(), nullptr, nullptr, TRUE,
                       CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT, environment.data(),
                       directory.empty() ? nullptr : directory.c_str(), &start.StartupInfo, &started) == 0) {
    const std::error_code error = last_error();
    if (error.value() == ERROR_FILENAME_EXCED_RANGE) {
      throw Error(errc::system_error, error,
                  context + "arguments have " + format_bytes(line.size()) + "; Windows allows 32.0 KiB",
                  "use shorter ones");
    }
    throw refused(error, context, "CreateProcess");
  }
  ::CloseHandle(started.hThread);
  return {Descriptor(started.hProcess), started.dwProcessId, std::move(reports)};
}

}  // namespace ndshm::detail::os
