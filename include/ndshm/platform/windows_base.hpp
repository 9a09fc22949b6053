// SPDX-License-Identifier: BSL-1.0
// windows_base.hpp: what the files for Windows have in common: kernel handles, text, refusals of the system as errors,
// and the rule who may open what this process makes. Nothing outside platform/ includes it.
#pragma once

#if !defined(NOMINMAX)
#define NOMINMAX
#endif
#if !defined(WIN32_LEAN_AND_MEAN)
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>  // before Boost, which declares some of it by itself

#include <sddl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <ndshm/error.hpp>
#include <ndshm/platform/common.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace ndshm::detail::os {

/// A kernel handle as the rest of the library knows it: Windows promises that 32 bits of it are enough.
inline int number_of(HANDLE handle) { return static_cast<int>(static_cast<INT_PTR>(HandleToLong(handle))); }
inline HANDLE handle_of(int number) { return LongToHandle(number); }

/// Owns one kernel handle.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(HANDLE handle) noexcept : fd_(handle == nullptr ? -1 : number_of(handle)) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    Descriptor(std::move(other)).swap(*this);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  void close() noexcept {
    if (fd_ != -1) ::CloseHandle(handle_of(std::exchange(fd_, -1)));
  }
  void swap(Descriptor& other) noexcept { std::swap(fd_, other.fd_); }
  int get() const noexcept { return fd_; }
  HANDLE handle() const noexcept { return handle_of(fd_); }
  explicit operator bool() const noexcept { return fd_ != -1; }

 private:
  int fd_ = -1;  // INVALID_HANDLE_VALUE
};

namespace windows_only {

struct FreeLocal {
  void operator()(void* memory) const noexcept { ::LocalFree(memory); }
};
template <class T>
using Local = std::unique_ptr<T, FreeLocal>;

inline std::wstring wide(std::string_view text) {
  if (text.empty()) return {};
  const int length = static_cast<int>(text.size());
  std::wstring result(static_cast<std::size_t>(::MultiByteToWideChar(CP_UTF8, 0, text.data(), length, nullptr, 0)),
                      L'\0');
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
  static const ErrorTexts category;
  return {static_cast<int>(code), category};
}

/// Lets in the user whom this process belongs to, and nobody else.
class OwnerOnly {
 public:
  explicit OwnerOnly(const std::string& subject);
  OwnerOnly(const OwnerOnly&) = delete;
  OwnerOnly& operator=(const OwnerOnly&) = delete;
  ~OwnerOnly() = default;
  SECURITY_ATTRIBUTES* get() noexcept { return &attributes_; }

 private:
  Local<void> descriptor_;
  SECURITY_ATTRIBUTES attributes_{};
};

}  // namespace windows_only

inline std::error_code last_error() { return windows_only::error_of(::GetLastError()); }

/// A refusal by the system as an Error: `attach "x": OpenFileMapping: Access denied (5) [ndshm.permission_denied]`.
inline Error refused(std::error_code os_error, const std::string& subject, std::string_view call) {
  const std::string facts = subject + std::string(call);
  switch (os_error.value()) {
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
      return {errc::permission_denied, os_error, facts, "check which user made it"};
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_HANDLE:
    case ERROR_INVALID_PARAMETER:  // how OpenProcess answers for a process that is gone
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

inline OwnerOnly::OwnerOnly(const std::string& subject) {
  HANDLE token = nullptr;
  if (::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &token) == 0) {
    throw refused(last_error(), subject, "OpenProcessToken");
  }
  const Descriptor owner(token);
  DWORD bytes = 0;
  ::GetTokenInformation(token, TokenUser, nullptr, 0, &bytes);
  std::vector<std::byte> buffer(bytes);
  if (::GetTokenInformation(token, TokenUser, buffer.data(), bytes, &bytes) == 0) {
    throw refused(last_error(), subject, "GetTokenInformation");
  }
  wchar_t* user = nullptr;
  if (::ConvertSidToStringSidW(reinterpret_cast<const TOKEN_USER*>(buffer.data())->User.Sid, &user) == 0) {
    throw refused(last_error(), subject, "ConvertSidToStringSid");
  }
  const Local<wchar_t> text(user);
  const std::wstring rule = L"D:P(A;;GA;;;" + std::wstring(user) + L")";
  void* descriptor = nullptr;
  if (::ConvertStringSecurityDescriptorToSecurityDescriptorW(rule.c_str(), SDDL_REVISION_1, &descriptor, nullptr) ==
      0) {
    throw refused(last_error(), subject, "ConvertStringSecurityDescriptorToSecurityDescriptor");
  }
  descriptor_.reset(descriptor);
  attributes_ = {sizeof attributes_, descriptor, FALSE};
}

}  // namespace windows_only

inline std::uint64_t process_id() { return ::GetCurrentProcessId(); }

/// Runs `before` in front of every fork() of this process: there is none.
inline void at_fork(void (*)(), void (*)()) {}

}  // namespace ndshm::detail::os
