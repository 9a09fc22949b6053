// SPDX-License-Identifier: BSL-1.0
// handle.hpp: Handle <-> text. A handle is everything that another process needs to map the same strided buffer: where
// the segment is, which one it is, and which elements of it are meant. Includes npy.hpp and control.hpp; no operating
// system.
//
//   ndshm1:name=weights:uuid=6f1c…:type=%3Cf8:shape=2000,10:strides=80,8:offset=0:access=rw
//
// The fields stand in this order, each of them once. `name=` may be `scope=machine:name=` (a name that all sessions of
// Windows see), `fd=7` (a descriptor that the reader inherited) or `pid=1234:fd=7` (a descriptor of a process of the
// same user). Strides and offset count bytes, the offset from the
// first element of the segment. Characters other than letters, digits and `._-` are written as %XX. There is one text
// for each handle: what parse() takes, to_string() gives back to the letter.
#pragma once

#include <algorithm>
#include <array>
#include <boost/uuid/string_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ndshm/control.hpp>
#include <ndshm/error.hpp>
#include <ndshm/extents.hpp>
#include <ndshm/name.hpp>
#include <ndshm/npy.hpp>
#include <ndshm/options.hpp>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace ndshm {

class Handle {
 public:
  /// Where the segment is found: by its name, or by a descriptor, of the process `pid` or of the reader.
  struct Place {
    std::string name;                            ///< empty for an anonymous segment
    std::optional<std::uint64_t> pid;            ///< whose descriptor it is; none: the reader inherited it
    int descriptor = -1;                         ///< -1 for a named segment
    ndshm::scope scope = ndshm::scope::session;  ///< of the name
  };

  /// Checks all of it. Throws errc::invalid_handle.
  Handle(Place place, const Uuid& uuid, std::string_view dtype, detail::Shape shape, detail::Strides strides,
         std::size_t offset, bool read_only)
      : place_(std::move(place)),
        uuid_(uuid),
        type_(parse_type(dtype)),
        shape_(std::move(shape)),
        strides_(std::move(strides)),
        offset_(offset),
        read_only_(read_only) {
    check();
  }

  /// Reads a handle's text. Throws errc::invalid_handle, naming the rule that is broken.
  static Handle parse(std::string_view text);

  /// The text: printable ASCII without spaces or quotes, fit for argv, a pipe, a socket, a configuration file.
  std::string to_string() const;

  /// The same array through a descriptor that the reader will have inherited under this number.
  /// Throws errc::invalid_handle for a named array, which needs no descriptor.
  Handle as_inherited(int descriptor) const {
    if (!place_.name.empty()) fail("a named array is attached by its name, not through a descriptor");
    Handle copy = *this;
    copy.place_.pid.reset();
    copy.place_.descriptor = descriptor;
    copy.check();
    return copy;
  }

  /// The same array, granting reading only.
  Handle as_read_only() const {
    Handle copy = *this;
    copy.read_only_ = true;
    return copy;
  }

  const Place& place() const noexcept { return place_; }
  const std::string& name() const noexcept { return place_.name; }
  const Uuid& uuid() const noexcept { return uuid_; }
  const std::string& dtype() const noexcept { return type_.descr; }     ///< as in a .npy header, `<f8`
  std::size_t itemsize() const noexcept { return type_.itemsize; }      ///< bytes
  const detail::Shape& shape() const noexcept { return shape_; }        ///< elements
  const detail::Strides& strides() const noexcept { return strides_; }  ///< bytes
  std::size_t offset() const noexcept { return offset_; }               ///< bytes from the segment's first element
  bool is_read_only() const noexcept { return read_only_; }

  friend bool operator==(const Handle& a, const Handle& b) { return a.to_string() == b.to_string(); }
  friend std::ostream& operator<<(std::ostream& out, const Handle& handle) { return out << handle.to_string(); }

 private:
  [[noreturn]] static void fail(const std::string& what) { throw Error(errc::invalid_handle, "handle: " + what); }

  static npy::Type parse_type(std::string_view dtype) {
    try {
      npy::Type type = npy::parse_descr(dtype);
      if (type.descr != dtype) fail("its type is not in canonical form");
      return type;
    } catch (const Error& error) {
      if (error.condition() == errc::invalid_handle) throw;
      fail("its type: " + std::string(error.facts()));
    }
  }

  void check() const {
    const bool named = !place_.name.empty();
    if (named == (place_.descriptor >= 0) || (named && place_.pid)) fail("it needs either a name or a descriptor");
    if (!named && place_.scope != scope::session) fail("only a name has a scope");
    if (named) {
      try {
        detail::check_name(place_.name, detail::max_name_bytes_anywhere, {});
      } catch (const Error& error) {
        fail(std::string(error.facts()));
      }
    }
    constexpr std::uint64_t max_pid = std::numeric_limits<std::uint32_t>::max();
    if (place_.pid && (*place_.pid == 0 || *place_.pid > max_pid)) fail("its process is not between 1 and 4294967295");
    if (uuid_.is_nil()) fail("its UUID is nil");
    if (shape_.size() != strides_.size()) {
      fail("it has " + std::to_string(shape_.size()) + " dimensions and " + std::to_string(strides_.size()) +
           " strides");
    }
    const auto itemsize = static_cast<std::ptrdiff_t>(type_.itemsize);
    if (std::any_of(strides_.begin(), strides_.end(), [&](std::ptrdiff_t stride) { return stride % itemsize != 0; }) ||
        offset_ % type_.itemsize != 0) {
      fail("a stride or the offset is no multiple of its " + std::to_string(itemsize) + "-byte elements");
    }
    if (!detail::byte_count(shape_, type_.itemsize))
      fail("its shape " + detail::format_tuple(shape_) + " does not fit into memory");
    if (!detail::fits(shape_, strides_, type_.itemsize, offset_, detail::max_bytes))
      fail("its strides leave the array");
  }

  Place place_;
  Uuid uuid_{};
  npy::Type type_;
  detail::Shape shape_;
  detail::Strides strides_;
  std::size_t offset_ = 0;
  bool read_only_ = false;
};

namespace detail {

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

}  // namespace detail

inline Handle Handle::parse(std::string_view text) {
  detail::HandleParser parser(text);
  Place place;
  if (parser.next_is("scope")) {
    if (parser.field("scope") != "machine") parser.fail("its scope is not machine");
    place.scope = scope::machine;
  }
  if (parser.next_is("name")) {
    place.name = parser.decoded(parser.field("name"));
  } else {
    if (parser.next_is("pid")) place.pid = parser.number<std::uint64_t>(parser.field("pid"));
    place.descriptor = parser.number<int>(parser.field("fd"));
  }
  const Uuid uuid = parser.uuid(parser.field("uuid"));
  const std::string dtype = parser.decoded(parser.field("type"));
  auto shape = parser.numbers<std::size_t>(parser.field("shape"));
  auto strides = parser.numbers<std::ptrdiff_t>(parser.field("strides"));
  const auto offset = parser.number<std::size_t>(parser.field("offset"));
  const std::string_view access = parser.field("access", true);
  if (access != "rw" && access != "ro") fail("its access is neither rw nor ro");
  return {std::move(place), uuid, dtype, std::move(shape), std::move(strides), offset, access == "ro"};
}

inline std::string Handle::to_string() const {
  std::string text(detail::HandleParser::start);
  if (!place_.name.empty()) {
    if (place_.scope == scope::machine) text += "scope=machine:";
    text += "name=" + detail::percent_encoded(place_.name);
  } else {
    if (place_.pid) text += "pid=" + std::to_string(*place_.pid) + ":";
    text += "fd=" + std::to_string(place_.descriptor);
  }
  return text + ":uuid=" + boost::uuids::to_string(uuid_) + ":type=" + detail::percent_encoded(type_.descr) +
         ":shape=" + detail::comma_separated(shape_) + ":strides=" + detail::comma_separated(strides_) +
         ":offset=" + std::to_string(offset_) + ":access=" + (read_only_ ? "ro" : "rw");
}

}  // namespace ndshm
