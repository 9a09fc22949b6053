// SPDX-License-Identifier: BSL-1.0
// windows/errors.hpp: what the files for Windows have in common: kernel handles, text, refusals of the system as
// errors, and the rule who may open what this process makes. Nothing outside platform/ includes it.
#pragma once

#if !defined(NOMINMAX)
#define NOMINMAX
#endif
#if !defined(WIN32_LEAN_AND_MEAN)
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>  // before Boost, which declares some of it by itself
#if _WIN32_WINNT < 0x0A00
#error "ndshm needs Windows 10: define _WIN32_WINNT as 0x0A00"
#endif

#include <aclapi.h>
#include <sddl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/types.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

/// A kernel handle as the rest of the library knows it: Windows promises that 32 bits of it are enough.
inline int number_of(HANDLE handle) { return static_cast<int>(HandleToLong(handle)); }
inline HANDLE handle_of(int number) { return LongToHandle(number); }
inline void close_descriptor(int number) noexcept { ::CloseHandle(handle_of(number)); }

/// A kernel handle.
class Descriptor : public Owned<close_descriptor> {
 public:
  Descriptor() = default;
  explicit Descriptor(HANDLE handle) noexcept : Owned(handle == nullptr ? -1 : number_of(handle)) {}
  HANDLE handle() const noexcept { return handle_of(get()); }
};

namespace windows_only {

struct FreeLocal {
  void operator()(void* memory) const noexcept { ::LocalFree(memory); }
};
template <class T>
using Local = std::unique_ptr<T, FreeLocal>;

/// Throws the error of that code where the text is not UTF-8.
inline std::wstring wide(std::string_view text, errc otherwise, Context context) {
  if (text.empty()) return {};
  const int length = static_cast<int>(text.size());
  std::wstring result(
      static_cast<std::size_t>(::MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), length, nullptr, 0)),
      L'\0');
  if (result.empty()) throw Error(otherwise, context + "text for Windows has to be UTF-8, but this is not", "");
  ::MultiByteToWideChar(CP_UTF8, 0, text.data(), length, result.data(), static_cast<int>(result.size()));
  return result;
}

inline std::string narrow(std::wstring_view text) {
  if (text.empty()) return {};
  const int length = static_cast<int>(text.size());
  std::string result(
      static_cast<std::size_t>(::WideCharToMultiByte(CP_UTF8, 0, text.data(), length, nullptr, 0, nullptr, nullptr)),
      '\0');
  ::WideCharToMultiByte(CP_UTF8, 0, text.data(), length, result.data(), static_cast<int>(result.size()), nullptr,
                        nullptr);
  return result;
}

/// Error codes of Windows with the system's own text for each; not every standard library's system_category knows it.
class ErrorTexts final : public std::error_category {
 public:
  const char* name() const noexcept override { return "windows"; }
  std::string message(int code) const override {
    wchar_t* text = nullptr;
    const DWORD length =
        ::FormatMessageW(FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS,
                         nullptr, static_cast<DWORD>(code), 0, reinterpret_cast<wchar_t*>(&text), 0, nullptr);
    const Local<wchar_t> owner(text);
    std::string result = narrow({text, text == nullptr ? 0 : length});
    while (!result.empty() && (result.back() == '\n' || result.back() == '\r' || result.back() == '.'))
      result.pop_back();
    return (result.empty() ? "error" : result) + " (" + std::to_string(code) + ")";
  }
};

inline std::error_code error_of(DWORD code) {
  static const ErrorTexts& category = *new ErrorTexts;  // never destroyed: destructors of static objects may fail
  return {static_cast<int>(code), category};
}

}  // namespace windows_only

inline std::error_code last_error() { return windows_only::error_of(::GetLastError()); }

/// A refusal by the system as an Error: `attach "x": OpenFileMapping: Access denied (5) [ndshm.permission_denied]`.
inline Error refused(std::error_code os_error, Context context, std::string_view call) {
  const std::string facts = context + std::string(call);
  switch (os_error.value()) {
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
      return {errc::permission_denied, os_error, facts, "check which user made it"};
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_HANDLE:
      return {errc::not_found, os_error, facts};
    case ERROR_COMMITMENT_LIMIT:
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_OUTOFMEMORY:
    case ERROR_DISK_FULL:
      return {errc::out_of_memory, os_error, facts};
    default:
      return {errc::system_error, os_error, facts};
  }
}

namespace windows_only {

/// The user whom this process belongs to, and the rule that lets in that one and nobody else.
class User {
 public:
  explicit User(Context context) {
    HANDLE opened = nullptr;
    if (::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &opened) == 0) {
      throw refused(last_error(), context, "OpenProcessToken");
    }
    const Descriptor token(opened);
    DWORD bytes = 0;
    ::GetTokenInformation(token.handle(), TokenUser, nullptr, 0, &bytes);
    token_user_.resize(bytes);
    if (::GetTokenInformation(token.handle(), TokenUser, token_user_.data(), bytes, &bytes) == 0) {
      throw refused(last_error(), context, "GetTokenInformation");
    }
    wchar_t* text = nullptr;
    if (::ConvertSidToStringSidW(id(), &text) == 0) throw refused(last_error(), context, "ConvertSidToStringSid");
    const Local<wchar_t> owner(text);
    const std::wstring rule = L"O:" + std::wstring(text) + L"D:P(A;;GA;;;" + text + L")";
    void* descriptor = nullptr;
    if (::ConvertStringSecurityDescriptorToSecurityDescriptorW(rule.c_str(), SDDL_REVISION_1, &descriptor, nullptr) ==
        0) {
      throw refused(last_error(), context, "ConvertStringSecurityDescriptorToSecurityDescriptor");
    }
    descriptor_.reset(descriptor);
    nobody_else_ = {sizeof nobody_else_, descriptor, FALSE};
  }
  PSID id() const noexcept { return reinterpret_cast<const TOKEN_USER*>(token_user_.data())->User.Sid; }
  SECURITY_ATTRIBUTES* nobody_else() noexcept { return &nobody_else_; }

 private:
  std::vector<std::byte> token_user_;
  Local<void> descriptor_;
  SECURITY_ATTRIBUTES nobody_else_{};
};

inline User& this_user(Context context) {
  static User& user = *new User(context);  // never destroyed, as above
  return user;
}

/// Throws errc::permission_denied where another user made the object. Needs a handle with READ_CONTROL.
inline void require_own(HANDLE object, Context context) {
  PSID owner = nullptr;
  PSECURITY_DESCRIPTOR found = nullptr;
  const DWORD error = ::GetSecurityInfo(object, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &owner, nullptr, nullptr,
                                        nullptr, &found);
  if (error != ERROR_SUCCESS) throw refused(error_of(error), context, "GetSecurityInfo");
  const Local<void> freed(found);
  if (owner != nullptr && ::EqualSid(owner, this_user(context).id()) != 0) return;
  throw Error(errc::permission_denied, context + "it belongs to another user",
              "attach with {.owner = ndshm::Owner::anyone} if you trust that user");
}

/// Whether this process may make names that every session sees. The system lets session 0, where services run, and
/// those who have the privilege.
inline bool may_name_globally() {
  DWORD session = 0;
  if (::ProcessIdToSessionId(::GetCurrentProcessId(), &session) != 0 && session == 0) return true;
  HANDLE opened = nullptr;
  if (::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &opened) == 0) return false;
  const Descriptor token(opened);
  PRIVILEGE_SET needed{1, PRIVILEGE_SET_ALL_NECESSARY, {}};
  BOOL has = FALSE;
  return ::LookupPrivilegeValueW(nullptr, L"SeCreateGlobalPrivilege", &needed.Privilege[0].Luid) != 0 &&
         ::PrivilegeCheck(token.handle(), &needed, &has) != 0 && has != FALSE;
}

}  // namespace windows_only

}  // namespace ndshm::detail::os
