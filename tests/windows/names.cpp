// SPDX-License-Identifier: BSL-1.0
// names.cpp: what stands behind a name on Windows: who may open it, who made it, and which sessions see it.
#if !defined(NOMINMAX)
#define NOMINMAX
#endif
#include <windows.h>
// After windows.h.
#include <aclapi.h>
#include <sddl.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "../catch.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;
using ndshm::Scope;

namespace {

struct Close {
  void operator()(void* handle) const noexcept { ::CloseHandle(handle); }
};
using Handle = std::unique_ptr<void, Close>;

std::wstring object_name(const std::string& name, const std::wstring& prefix = L"Local\\ndshm.") {
  return prefix + std::wstring(name.begin(), name.end());
}

Handle open_sign(const std::string& name) {
  return Handle(::OpenFileMappingW(FILE_MAP_READ | READ_CONTROL, FALSE, object_name(name).c_str()));
}

/// A handle of the memory that a sign tells of.
Handle open_memory(const Handle& sign, DWORD access) {
  const void* const view = ::MapViewOfFile(sign.get(), FILE_MAP_READ, 0, 0, 0);
  REQUIRE(view != nullptr);
  ndshm::detail::os::windows_only::Sign said{};
  std::memcpy(&said, view, sizeof said);
  ::UnmapViewOfFile(view);
  return Handle(::OpenFileMappingW(access, FALSE, said.memory.data()));
}

/// Owner and access list of an object as SDDL text.
std::string rule_of(const Handle& object) {
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  constexpr SECURITY_INFORMATION what = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
  REQUIRE(::GetSecurityInfo(object.get(), SE_KERNEL_OBJECT, what, nullptr, nullptr, nullptr, nullptr, &descriptor) ==
          ERROR_SUCCESS);
  char* text = nullptr;
  REQUIRE(::ConvertSecurityDescriptorToStringSecurityDescriptorA(descriptor, SDDL_REVISION_1, what, &text, nullptr) !=
          0);
  std::string result = text;
  ::LocalFree(text);
  ::LocalFree(descriptor);
  return result;
}

std::string this_user() {
  HANDLE token = nullptr;
  REQUIRE(::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &token) != 0);
  std::vector<std::byte> buffer(1024);
  DWORD bytes = 0;
  REQUIRE(::GetTokenInformation(token, TokenUser, buffer.data(), 1024, &bytes) != 0);
  ::CloseHandle(token);
  char* text = nullptr;
  REQUIRE(::ConvertSidToStringSidA(reinterpret_cast<const TOKEN_USER*>(buffer.data())->User.Sid, &text) != 0);
  std::string result = text;
  ::LocalFree(text);
  return result;
}

/// Memory of that name and with that rule, which holds a copy of `content`.
Handle make_memory(const std::wstring& name, const char* rule, const std::vector<char>& content) {
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  REQUIRE(::ConvertStringSecurityDescriptorToSecurityDescriptorA(rule, SDDL_REVISION_1, &descriptor, nullptr) != 0);
  SECURITY_ATTRIBUTES attributes{sizeof attributes, descriptor, FALSE};
  Handle memory(::CreateFileMappingW(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE, 0,
                                     static_cast<DWORD>(content.size()), name.c_str()));
  ::LocalFree(descriptor);
  REQUIRE(memory != nullptr);
  void* const view = ::MapViewOfFile(memory.get(), FILE_MAP_WRITE, 0, 0, 0);
  REQUIRE(view != nullptr);
  std::memcpy(view, content.data(), content.size());
  ::UnmapViewOfFile(view);
  return memory;
}

std::vector<char> bytes_of(const Handle& memory, std::size_t bytes) {
  const void* const view = ::MapViewOfFile(memory.get(), FILE_MAP_READ, 0, 0, bytes);
  REQUIRE(view != nullptr);
  const auto* const first = static_cast<const char*>(view);
  std::vector<char> result(first, first + bytes);
  ::UnmapViewOfFile(view);
  return result;
}

/// Switches a privilege of this process off, or on again.
void set_privilege(const wchar_t* name, bool on) {
  HANDLE token = nullptr;
  REQUIRE(::OpenProcessToken(::GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token) != 0);
  TOKEN_PRIVILEGES wanted{1, {}};
  REQUIRE(::LookupPrivilegeValueW(nullptr, name, &wanted.Privileges[0].Luid) != 0);
  wanted.Privileges[0].Attributes = on ? SE_PRIVILEGE_ENABLED : 0;
  REQUIRE(::AdjustTokenPrivileges(token, FALSE, &wanted, 0, nullptr, nullptr) != 0);
  ::CloseHandle(token);
}

}  // namespace

TEST_CASE("only the user who made a segment can open it, or change who can") {
  const std::string name = unique_name();
  const auto array = ndshm::create<int>(name, {3});
  const Handle sign = open_sign(name);
  const std::string user = this_user();
  const auto check = [&](const std::string& rule) {
    INFO(rule << " for " << user);
    CHECK(rule.starts_with("O:" + user));
    const std::size_t first = rule.find('(');
    CHECK(rule.find('(', first + 1) == std::string::npos);  // one entry
    CHECK(rule.find("(A;;") == first);
    CHECK(rule.find(";" + user + ")") != std::string::npos);
  };
  check(rule_of(sign));
  check(rule_of(open_memory(sign, READ_CONTROL)));
}

TEST_CASE("a segment that another user made is attached only when asked for") {
  const std::string name = unique_name();
  const std::string stranger = unique_name();
  const auto array = ndshm::copy_of(name, xt::ones<int>({3}) * 7);
  // The same sign, made by somebody who lets in everybody.
  const auto sign = make_memory(object_name(stranger), "O:SYD:(A;;GA;;;WD)",
                                bytes_of(open_sign(name), sizeof(ndshm::detail::os::windows_only::Sign)));
  REQUIRE(rule_of(sign).starts_with("O:SY"));
  CHECK_ERROR((ndshm::attach<const int, 1>(stranger)), errc::permission_denied, "it belongs to another user");
  CHECK_FALSE(ndshm::exists(stranger));
  CHECK_ERROR((ndshm::create<int>(stranger, {3})), errc::already_exists, stranger);
  CHECK((ndshm::attach<const int, 1>(stranger, {.owner = ndshm::Owner::anyone}))(2) == 7);

  // A sign of this user that leads to memory of somebody else.
  const std::string astray = unique_name();
  ndshm::detail::os::windows_only::Sign said{ndshm::detail::os::windows_only::Sign::right_magic, {}};
  const std::wstring memory_name = object_name(astray, L"Local\\ndshm-data.");
  std::copy(memory_name.begin(), memory_name.end(), said.memory.begin());
  const auto memory = make_memory(memory_name, "O:SYD:(A;;GA;;;WD)",
                                  bytes_of(open_memory(open_sign(name), FILE_MAP_READ), array.nbytes() + 128));
  std::vector<char> bytes(sizeof said);
  std::memcpy(bytes.data(), &said, sizeof said);
  const std::string own_rule = "O:" + this_user() + "D:(A;;GA;;;WD)";
  const auto own_sign = make_memory(object_name(astray), own_rule.c_str(), bytes);
  REQUIRE(rule_of(own_sign).starts_with("O:" + this_user()));
  CHECK_ERROR((ndshm::attach<const int, 1>(astray)), errc::permission_denied, "it belongs to another user");
}

TEST_CASE("text that is not UTF-8 is refused, and not changed into other text") {
  for (const std::string& name : {std::string("\xff"), std::string("a\xc3"), std::string("\xed\xa0\x80")}) {
    CHECK_ERROR((ndshm::create<int>(name, {3})), errc::invalid_name, "UTF-8");
    CHECK_ERROR((ndshm::attach<int, 1>(name)), errc::invalid_name, "UTF-8");
  }
  CHECK_ERROR(ndshm::spawn(ndshm::this_program(), {"\xff"}), errc::invalid_argument, "UTF-8");
  const auto array = ndshm::create<int>(
      "Gr\xc3\xb6\xc3\x9f"
      "e-" +
          unique_name(),
      {3});
  CHECK(ndshm::exists(array.name()));
}

TEST_CASE("names of strangers' objects are no segments") {
  const std::string memory_name = unique_name();
  const auto memory = make_memory(object_name(memory_name), "D:(A;;GA;;;WD)", std::vector<char>(4096, 'x'));
  CHECK_ERROR((ndshm::attach<int, 1>(memory_name)), errc::not_a_segment, "not a segment of ndshm");
  CHECK_ERROR((ndshm::create<int>(memory_name, {3})), errc::already_exists, memory_name);

  const std::string event_name = unique_name();
  const Handle event(::CreateEventW(nullptr, TRUE, FALSE, object_name(event_name).c_str()));
  CHECK_ERROR((ndshm::attach<int, 1>(event_name)), errc::not_a_segment, "not memory");
  CHECK_ERROR((ndshm::create<int>(event_name, {3})), errc::already_exists, event_name);

  // What a creator leaves that was ended while it wrote, as long as somebody looks at it.
  const std::string half = unique_name();
  const auto sign = make_memory(object_name(half), "D:(A;;GA;;;WD)", std::vector<char>(4096, '\0'));
  CHECK_ERROR((ndshm::attach<int, 1>(half)), errc::not_found, half);
  CHECK_FALSE(ndshm::exists(half));
  CHECK_ERROR((ndshm::create<int>(half, {3})), errc::already_exists, half);
}

TEST_CASE("a name for all sessions is not the one of this session") {
  const std::string name = unique_name();
  const auto global = ndshm::copy_of(name, xt::ones<int>({3}) * 1, {.scope = Scope::machine});
  CHECK(Handle(::OpenFileMappingW(FILE_MAP_READ, FALSE, object_name(name, L"Global\\ndshm.").c_str())) != nullptr);
  CHECK_FALSE(ndshm::exists(name));
  CHECK(ndshm::exists(name, Scope::machine));
  CHECK_ERROR((ndshm::attach<int, 1>(name)), errc::not_found, name);
  const auto local = ndshm::copy_of(name, xt::ones<int>({3}) * 2);
  CHECK((ndshm::attach<const int, 1>(name))(0) == 2);
  CHECK((ndshm::attach<const int, 1>(name, {.scope = Scope::machine}))(0) == 1);
  CHECK((ndshm::attach<const int, 1>(global.handle()))(0) == 1);
  CHECK((ndshm::attach<const int, 1>(local.handle()))(0) == 2);
  CHECK_ERROR((ndshm::create<int>(name, {3}, {.scope = Scope::machine})), errc::already_exists, name);
  const auto same = ndshm::create_or_attach<int>(name, {3}, {.scope = Scope::machine});
  CHECK(same(0) == 1);
}

TEST_CASE("without the privilege for it a name for all sessions is refused in words") {
  DWORD session = 0;
  REQUIRE(::ProcessIdToSessionId(::GetCurrentProcessId(), &session) != 0);
  REQUIRE(session != 0);  // there everybody may
  const std::string name = unique_name();
  const auto made_before = ndshm::create<int>(name, {3}, {.scope = Scope::machine});
  set_privilege(L"SeCreateGlobalPrivilege", false);
  CHECK_ERROR((ndshm::create<int>(unique_name(), {3}, {.scope = Scope::machine})), errc::permission_denied,
              "SeCreateGlobalPrivilege");
  CHECK((ndshm::attach<const int, 1>(name, {.scope = Scope::machine})).size() == 3);
  set_privilege(L"SeCreateGlobalPrivilege", true);
  CHECK(ndshm::create<int>(unique_name(), {3}, {.scope = Scope::machine}).size() == 3);
}

TEST_CASE("what Windows has not is an error that says what to do") {
  const std::string name = unique_name();
  CHECK_ERROR((ndshm::create<int>(name, {3}, {.lifetime = ndshm::Lifetime::persistent})), errc::unsupported,
              "write the array to a file");
  CHECK_ERROR((ndshm::create<int>(name, {3}, {.mode = 0644})), errc::unsupported, "omit the mode");
  const auto array = ndshm::create<int>(name, {3});
  CHECK_ERROR(array.path(), errc::unsupported, "as files");
  CHECK_ERROR(ndshm::list(), errc::unsupported, "ndshm::exists(name)");
  CHECK(ndshm::sweep() == 0);
  auto anonymous = ndshm::create<int>({3});
  CHECK_ERROR(anonymous.freeze(), errc::unsupported, "as_read_only()");
  CHECK_ERROR(ndshm::send(3, anonymous.handle()), errc::unsupported, "the text of array.handle()");
  CHECK_ERROR((ndshm::receive<int, 1>(3)), errc::unsupported, "the text of array.handle()");
}
