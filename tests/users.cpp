// SPDX-License-Identifier: BSL-1.0
// users.cpp: what another user can and cannot do. Needs root, to become two other users; skipped elsewhere.
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>

#include <functional>

#include "catch.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;

namespace {

#define NEEDS_ROOT() \
  if (::geteuid() != 0) SKIP_TEST("needs root, to become two other users")

constexpr uid_t one = 65533;
constexpr uid_t other = 65534;

void become(uid_t user) {
  if (::setgroups(0, nullptr) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0) ::_exit(99);
}

/// Whether `function` throws that error, for children, which must not assert.
bool throws(errc code, const std::function<void()>& function) {
  const auto error = error_of(function);
  return error && error->code() == code;
}

/// `owner` runs as user one and calls its argument when user two shall run `stranger`.
void between_users(const std::function<void(const std::function<void()>&)>& owner,
                   const std::function<int()>& stranger) {
  int to_stranger[2] = {};
  int to_owner[2] = {};
  REQUIRE(::pipe(to_stranger) == 0);
  REQUIRE(::pipe(to_owner) == 0);
  // Each keeps its own ends alone: when one of them ends early, the other one reads the end of the pipe.
  ndshm::Process first = ndshm::fork([&] {
    ::close(to_stranger[0]);
    ::close(to_owner[1]);
    become(one);
    owner([&] {
      char byte = 'g';
      if (::write(to_stranger[1], &byte, 1) != 1 || ::read(to_owner[0], &byte, 1) != 1) ::_exit(98);
    });
  });
  ndshm::Process second = ndshm::fork([&] {
    ::close(to_stranger[1]);
    ::close(to_owner[0]);
    become(other);
    char byte = 0;
    if (::read(to_stranger[0], &byte, 1) != 1) return 97;
    const int code = stranger();
    return ::write(to_owner[1], &byte, 1) == 1 ? code : 96;
  });
  for (const int end : {to_stranger[0], to_stranger[1], to_owner[0], to_owner[1]}) ::close(end);
  CHECK(second.wait().to_string() == "exit code 0");
  CHECK(first.wait().to_string() == "exit code 0");
}

}  // namespace

TEST_CASE("an unprivileged user creates, attaches and removes", "[root]") {
  NEEDS_ROOT();
  const std::string name = unique_name();
  between_users(
      [&](const auto& let_the_stranger_run) {
        {
          auto array = ndshm::create<int>(name, {4});
          if (ndshm::attach<const int, 1>(name).size() != 4) ::_exit(1);
          const auto anonymous = ndshm::create<int>({4});
          if (ndshm::attach<const int, 1>(anonymous.handle()).size() != 4) ::_exit(2);
        }
        if (ndshm::exists(name)) ::_exit(3);
        let_the_stranger_run();
      },
      [] { return 0; });
}

TEST_CASE("a segment of one user cannot be read, removed or shadowed by another", "[root]") {
  NEEDS_ROOT();
  const std::string name = unique_name();
  between_users(
      [&](const auto& let_the_stranger_run) {
        auto array = ndshm::create<int>(name, {4});
        array.fill(7);
        let_the_stranger_run();
        if (!ndshm::exists(name) || ndshm::attach<int, 1>(name)(0) != 7) ::_exit(1);
      },
      [&] {
#if defined(NDSHM_PORTABLE_POSIX)
        constexpr errc refusal = errc::not_found;  // lock files of others are out of sight
#else
        constexpr errc refusal = errc::permission_denied;
        if (!throws(refusal, [&] { ndshm::attach<int, 1>(name, {.owner = ndshm::Owner::anyone}); })) return 3;
        if (!throws(refusal, [&] { ndshm::remove(name); })) return 4;
#endif
        if (!throws(refusal, [&] { ndshm::attach<int, 1>(name); })) return 1;
        if (!throws(refusal, [&] { ndshm::attach<const int, 1>(name); })) return 2;
        if (!throws(errc::already_exists, [&] { ndshm::create<int>(name, {4}); })) return 5;
        ndshm::sweep();
        return 0;
      });
}

#if !defined(NDSHM_PORTABLE_POSIX)
TEST_CASE("a segment that is open to others is attached only by those who trust its owner", "[root]") {
  NEEDS_ROOT();
  const std::string name = unique_name();
  between_users(
      [&](const auto& let_the_stranger_run) {
        auto array = ndshm::create<int>(name, {4}, {.mode = 0644});
        array.fill(7);
        let_the_stranger_run();
        if (!ndshm::exists(name)) ::_exit(1);
      },
      [&] {
        if (!throws(errc::permission_denied, [&] { ndshm::attach<const int, 1>(name); })) return 1;
        if (!throws(errc::permission_denied, [&] { ndshm::attach<int, 1>(name, {.owner = ndshm::Owner::anyone}); }))
          return 2;
        const auto array = ndshm::attach<const int, 1>(name, {.owner = ndshm::Owner::anyone});
        return array(3) == 7 ? 0 : 3;
      });
}

TEST_CASE("an anonymous array cannot be opened by another user", "[root]") {
  NEEDS_ROOT();
  const std::string name = unique_name();
  auto token = ndshm::create<char>({4096});
  between_users(
      [&](const auto& let_the_stranger_run) {
        const auto array = ndshm::create<int>({4});
        const std::string text = array.handle().to_string();
        std::copy(text.begin(), text.end(), token.begin());
        let_the_stranger_run();
      },
      [&] {
        const ndshm::Handle handle = ndshm::Handle::parse(token.data());
        return throws(errc::permission_denied, [&] { ndshm::attach<int, 1>(handle); }) ? 0 : 1;
      });
}
#endif
