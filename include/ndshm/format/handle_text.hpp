// SPDX-License-Identifier: BSL-1.0
// handle_text.hpp: the grammar of a handle's text, which stands here once. handle.hpp says what the fields mean. No
// operating system.
//
//   ndshm1:name=weights:uuid=6f1c…:type=%3Cf8:shape=2000,10:strides=80,8:offset=0:access=rw
//
// The fields stand in this order, each of them once. `name=` may be `scope=machine:name=` (a name that all sessions of
// Windows see), `fd=7` (a descriptor that the reader inherited) or `pid=1234:fd=7` (a descriptor of a process of the
// same user). Strides and offset count bytes, the offset from the
// first element of the segment. Characters other than letters, digits and `._-` are written as %XX. There is one text
// for each handle: what parse() takes, to_string() gives back to the letter.
#pragma once

#include <boost/uuid/string_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <charconv>
#include <cstddef>
#include <ndshm/core/error.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/control_page.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

constexpr bool stands_for_itself(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-';
}

inline std::string percent_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (stands_for_itself(c)) {
      result += c;
    } else {
      result.append({'%', digits[byte / 16], digits[byte % 16]});
    }
  }
  return result;
}

template <class Numbers>
std::string comma_separated(const Numbers& numbers) {
  std::string text;
  for (const auto number : numbers) {
    if (!text.empty()) text += ',';
    text += std::to_string(number);
  }
  return text;
}

/// Takes a handle's text apart, field by field.
class HandleParser {
 public:
  explicit HandleParser(std::string_view text) : rest_(text) {
    if (!rest_.starts_with(start)) fail("it does not start with " + in_quotes(start));
    rest_.remove_prefix(start.size());
  }

  bool next_is(std::string_view key) const {
    return rest_.starts_with(key) && rest_.substr(key.size()).starts_with('=');
  }

  /// The value of the next field, which has to be called `key`; the last one ends with the text.
  std::string_view field(std::string_view key, bool last = false) {
    if (!next_is(key)) fail("expected " + in_quotes(key) + " before " + in_quotes(rest_.substr(0, 16)));
    rest_.remove_prefix(key.size() + 1);
    const std::size_t end = rest_.find(':');
    if (last != (end == std::string_view::npos)) {
      fail(last ? "there is more after its end" : "it ends after " + in_quotes(key));
    }
    const std::string_view value = rest_.substr(0, end);
    rest_.remove_prefix(last ? value.size() : end + 1);
    return value;
  }

  std::string decoded(std::string_view value) const {
    std::string result;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i] != '%') {
        result += value[i];
        continue;
      }
      unsigned byte = 0;
      const char* const digits = value.data() + i + 1;
      if (value.size() - i < 3 || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2)
        fail("a % is not followed by two digits");
      result += static_cast<char>(static_cast<unsigned char>(byte));
      i += 2;
    }
    if (percent_encoded(result) != value) fail("a character is written in another way than it has to be");
    return result;
  }

  template <class Number>
  Number number(std::string_view text) const {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || std::to_string(value) != text) {
      fail(in_quotes(text.substr(0, 24)) + " is not a number in range");
    }
    return value;
  }

  template <class Number>
  std::vector<Number> numbers(std::string_view text) const {
    std::vector<Number> result;
    while (!text.empty()) {
      const std::size_t comma = text.find(',');
      result.push_back(number<Number>(text.substr(0, comma)));
      if (comma == std::string_view::npos) break;
      text.remove_prefix(comma + 1);
      if (text.empty()) fail("a list of numbers ends in a comma");
    }
    return result;
  }

  Uuid uuid(std::string_view text) const {
    try {
      const Uuid uuid = boost::uuids::string_generator()(text.begin(), text.end());
      if (boost::uuids::to_string(uuid) == text) return uuid;
    } catch (const std::runtime_error&) {  // said below
    }
    fail(in_quotes(text.substr(0, 40)) + " is not a UUID in lower-case hexadecimal digits");
  }

  [[noreturn]] static void fail(const std::string& what) { throw Error(errc::invalid_handle, "handle: " + what); }

  static constexpr std::string_view start = "ndshm1:";

 private:
  std::string_view rest_;
};

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail
