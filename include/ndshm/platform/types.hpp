// SPDX-License-Identifier: BSL-1.0
// types.hpp: the types that every platform file gives to the library and takes from it, and what needs no operating
// system. Nothing outside platform/ includes it. Includes options.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <ndshm/core/options.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

enum class Access { read_only, read_write };

/// What a named object is found by.
struct ObjectName {
  std::string_view name;
  std::string_view directory{};  ///< empty: the one in force, os::directory(); Windows has none
  ndshm::Scope scope = ndshm::Scope::session;
};

/// Owns what a system knows by a number, and closes it; -1 is nothing.
template <void (*close_number)(int) noexcept>
class Owned {
 public:
  Owned() = default;
  explicit Owned(int number) noexcept : number_(number) {}
  Owned(Owned&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Owned& operator=(Owned&& other) noexcept {
    Owned(std::move(other)).swap(*this);
    return *this;
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() { close(); }

  void close() noexcept {
    if (number_ != -1) close_number(std::exchange(number_, -1));
  }
  void swap(Owned& other) noexcept { std::swap(number_, other.number_); }
  int get() const noexcept { return number_; }
  explicit operator bool() const noexcept { return number_ != -1; }

 private:
  int number_ = -1;
};

/// What an object says it is.
enum class Kind {
  shared,      ///< a segment that dies with its last process
  persistent,  ///< a segment that does not
  foreign      ///< no segment of this library and version
};

/// What to do about a descriptor that is not there.
inline constexpr const char* array_is_gone =
    "its array is gone, or the handle is one of another process: pass it on by spawn, or use a handle that names its "
    "process";

enum class Swept { absent, in_use, removed };

/// Free and whole size in bytes of the file system of named objects; whole is 0 where it has no limit.
struct Space {
  std::uint64_t free = 0;
  std::uint64_t whole = 0;
};

/// How a child ended: `signal` is 0 when it returned.
struct ChildEnd {
  int exit_code = 0;
  int signal = 0;
};

/// Names and values.
using Variables = std::vector<std::pair<std::string, std::string>>;

/// A program to start.
struct Program {
  std::string path{};                    ///< looked up in PATH when there is no slash in it
  std::vector<std::string> arguments{};  ///< without the program's own name
  Variables environment{};               ///< besides, or in place of, this process's; the last one of a name counts
  std::string working_directory{};       ///< empty: this process's
  int job = -1;                          ///< a ParentWatch's: it ends the child with this process; -1: nothing does
};

/// Short waits for something that ends by itself soon: first gives the processor away, then sleeps 0.1 ms a turn.
class Backoff {
 public:
  explicit Backoff(std::chrono::nanoseconds limit) : end_(std::chrono::steady_clock::now() + limit) {}
  /// False once the limit is over.
  bool wait() {
    if (turns_++ < 64) {
      std::this_thread::yield();
      return true;
    }
    if (std::chrono::steady_clock::now() >= end_) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    return true;
  }

 private:
  std::chrono::steady_clock::time_point end_;
  int turns_ = 0;
};

/// A clock that all processes of this machine share, in ns.
inline std::uint64_t steady_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

}  // namespace ndshm::detail::os
