// SPDX-License-Identifier: BSL-1.0
// windows/process_wide.hpp: finds what other DLLs of this process share, through a named file mapping that says where
// it is. Nothing outside platform/ includes it. Source: GetModuleHandleEx of the Windows documentation.
#pragma once

#include <ndshm/platform/windows/errors.hpp>
// After windows.h.
#include <atomic>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/process_wide.hpp>
#include <new>
#include <string>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

namespace windows_only {

/// In each DLL another one.
inline char this_module = 0;

/// Where the pointer of that key is; nullptr where there can be none. Its handle stays open as long as the process.
inline void** place_in_process(const char* key, Context context) {
  const std::wstring name = L"Local\\ndshm-process." + std::to_wstring(::GetCurrentProcessId()) + L"." +
                            wide(key, errc::system_error, context);
  const HANDLE mapping = ::CreateFileMappingW(INVALID_HANDLE_VALUE, this_user(context).nobody_else(), PAGE_READWRITE, 0,
                                              sizeof(void*), name.c_str());
  if (mapping == nullptr) return nullptr;
  require_own(mapping, context);  // it says where to read and write
  return static_cast<void**>(::MapViewOfFile(mapping, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, sizeof(void*)));
}

}  // namespace windows_only

inline void* share_in_process(const char* key, void* mine) noexcept {
  HMODULE module = nullptr;
  ::GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                       reinterpret_cast<const wchar_t*>(&windows_only::this_module), &module);
  try {
    void** const place = windows_only::place_in_process(key, Context("share"));
    if (place == nullptr) return mine;
    void* first = nullptr;
    return std::atomic_ref(*place).compare_exchange_strong(first, mine) ? mine : first;
  } catch (const Error&) {
    return mine;
  } catch (const std::bad_alloc&) {
    return mine;
  }
}

}  // namespace ndshm::detail::os
