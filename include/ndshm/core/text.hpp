// SPDX-License-Identifier: BSL-1.0
// text.hpp: figures, shapes and names as messages show them to people. Includes config.hpp and the standard library.
#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ndshm/core/config.hpp>
#include <string>
#include <string_view>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// "512 B", "1.5 KiB", "60.0 GiB": a number of bytes for people.
inline std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 7> units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, units[unit]);
  return text.data();
}

/// "0.25 s", "60 s": a duration for people.
inline std::string format_seconds(double seconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g s", seconds);
  return text.data();
}

/// "2026-11-28 12:30:00 UTC": a time, given in ns since 1970, for people.
inline std::string format_utc(std::uint64_t ns) {
  using namespace std::chrono;
  const sys_time<nanoseconds> time{nanoseconds(static_cast<std::int64_t>(ns))};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u %02d:%02d:%02d UTC", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

/// Appends `(2000, 10)`, `(5,)`, `()`: a shape as Python writes it.
template <class Numbers>
void append_tuple(std::string& text, const Numbers& numbers) {
  text += '(';
  std::size_t count = 0;
  for (const auto number : numbers) {
    if (count++ > 0) text += ", ";
    std::array<char, 24> digits{};
    text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
  }
  text += count == 1 ? ",)" : ")";
}

template <class Numbers>
std::string format_tuple(const Numbers& numbers) {
  std::string text;
  append_tuple(text, numbers);
  return text;
}

/// `"name"`: how messages show what the caller gave, with control characters made visible.
inline std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f && byte != '"' && byte != '\\') {
      result += c;
    } else {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned>(byte));
      result += escape.data();
    }
  }
  return result += '"';
}

}  // namespace ndshm::detail
