// SPDX-License-Identifier: BSL-1.0
// windows/this_process.hpp: what a process of Windows is asked about itself. Sources: BCryptGenRandom,
// GetModuleFileName of the Windows documentation. Nothing outside platform/ includes it.
#pragma once

#include <ndshm/platform/windows/errors.hpp>
// After windows.h.
#include <bcrypt.h>
#include <io.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ndshm/core/context.hpp>
#include <string>
#if defined(_MSC_VER)
#pragma comment(lib, "bcrypt")
#endif

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

inline std::uint64_t process_id() { return ::GetCurrentProcessId(); }

/// Runs `before` in front of every fork() of this process: there is none.
inline void at_fork(void (*)(), void (*)()) {}

/// Whether that stream is shown to somebody.
inline bool is_terminal(std::FILE* stream) { return ::_isatty(::_fileno(stream)) != 0; }

/// How many columns that terminal has just now; 0 where the system does not know.
inline std::size_t terminal_width(std::FILE* stream) {
  const auto console = reinterpret_cast<HANDLE>(::_get_osfhandle(::_fileno(stream)));  // NOLINT: an intptr_t
  CONSOLE_SCREEN_BUFFER_INFO info{};
  if (::GetConsoleScreenBufferInfo(console, &info) == 0) return 0;
  return static_cast<std::size_t>(info.srWindow.Right - info.srWindow.Left + 1);
}

/// An interrupt from the console goes to every process of the program; only the parent decides what it means.
inline void leave_interrupts_to_parent() { ::SetConsoleCtrlHandler(nullptr, TRUE); }

/// Of this process: nobody needs to know, where there is no fork.
inline std::size_t count_threads() { return 0; }

inline bool random_bytes(void* destination, std::size_t bytes) {
  return ::BCryptGenRandom(nullptr, static_cast<PUCHAR>(destination), static_cast<ULONG>(bytes),
                           BCRYPT_USE_SYSTEM_PREFERRED_RNG) == 0;
}

inline std::string program_path(Context context) {
  for (std::wstring path(MAX_PATH, L'\0');; path.resize(path.size() * 2)) {
    const DWORD length = ::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size()));
    if (length == 0) throw refused(last_error(), context, "GetModuleFileName");
    if (length < path.size()) return windows_only::narrow({path.data(), length});
  }
}

}  // namespace ndshm::detail::os
