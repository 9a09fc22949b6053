// SPDX-License-Identifier: BSL-1.0
// catch.hpp: Catch2 of either age, and what every test needs: names that nobody else uses.
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
