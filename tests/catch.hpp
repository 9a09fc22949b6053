// SPDX-License-Identifier: BSL-1.0
// catch.hpp: Catch2 of either age, and what every test needs: names that nobody else uses, and a way to say that a test
// cannot run here.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <unistd.h>

#include <ndshm/core/error.hpp>
#include <optional>
#include <string>

/// Why the current test case cannot run here; empty as long as it can. main() reads it.
inline std::string& reason_to_skip() {
  static std::string reason;
  return reason;
}

/// Ends a test case that needs what is not here. A program of which all cases do so is skipped in the words of ctest;
/// a case that neither asserts anything nor says this fails.
#define SKIP_TEST(reason)        \
  do {                           \
    reason_to_skip() = (reason); \
    return;                      \
  } while (false)

/// A segment name that no other test, and no other run, uses.
inline std::string unique_name(const std::string& stem = "t") {
  static int count = 0;
  return stem + "-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

/// The error that `call` throws; none when it throws nothing.
template <class Call>
std::optional<ndshm::Error> error_of(Call call) {
  try {
    call();
  } catch (const ndshm::Error& error) {
    return error;
  }
  return std::nullopt;
}

/// Asserts on the code and on a part of the text.
#define CHECK_ERROR(expression, code, part)                                \
  do {                                                                     \
    const auto caught = error_of([&] { static_cast<void>(expression); });  \
    REQUIRE(caught.has_value());                                           \
    INFO(caught->what());                                                  \
    CHECK(std::string(to_string(caught->condition())) == to_string(code)); \
    CHECK(std::string(caught->what()).find(part) != std::string::npos);    \
  } while (false)
