// SPDX-License-Identifier: BSL-1.0
// handle_text.hpp: the grammar of a handle's text, which stands here once: for_each_field() names the fields in their
// order, and a reader and a writer go through it. handle.hpp says what the fields mean. No operating system.
//
//   ndshm1:name=weights:uuid=6f1c…:type=%3Cf8:shape=2000,10:strides=80,8:offset=0:access=rw
//
// In place of `name=weights` there may be
//   dir=%2Fmnt%2Fvolume:name=weights   a name in another directory than the system's own (NDSHM_DIR)
//   scope=machine:name=weights         a name that all sessions of Windows see
//   pid=1234:fd=7                      descriptor 7 of process 1234, of the same user
//   fd=7                               descriptor 7 of the reader
//   inherited=0                        the first descriptor that ndshm::spawn() handed over
//   message=0                          the first descriptor that came with the message
//
// Strides and offset count bytes, the offset from the first element of the segment. Characters other than letters,
// digits and `._-` are written as %XX. There is one text for each handle: what is read is written again to the letter.
#pragma once

#include <boost/uuid/string_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/control_page.hpp>
#include <ndshm/format/place.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// What a handle's text says, not checked for its sense.
struct HandleFields {
  Place place;
  Uuid uuid{};
  std::string dtype;
  Shape shape;
  Strides strides;
  std::size_t offset = 0;
  bool read_only = false;
};

inline constexpr std::string_view handle_start = "ndshm1:";

/// The fields behind the place, in their order.
template <class Visitor, class Fields>
void for_each_field(Visitor& visitor, Fields& fields) {
  visitor.uuid("uuid", fields.uuid);
  visitor.text("type", fields.dtype);
  visitor.numbers("shape", fields.shape);
  visitor.numbers("strides", fields.strides);
  visitor.number("offset", fields.offset);
  visitor.access("access", fields.read_only);
}

[[noreturn]] inline void throw_invalid_handle(const std::string& what) {
  throw Error(errc::invalid_handle, "handle: " + what);
}

/// Writes a handle's text.
class HandleWriter {
 public:
  explicit HandleWriter(const HandleFields& fields) : text_(handle_start) {
    std::visit([&](const auto& place) { this->place(place); }, fields.place);
    for_each_field(*this, fields);
  }
  std::string take() && { return std::move(text_); }

  void uuid(std::string_view key, const Uuid& value) { add(key, boost::uuids::to_string(value)); }
  void text(std::string_view key, std::string_view value) { add(key, percent_encoded(value)); }
  template <class Number>
  void number(std::string_view key, Number value) {
    add(key, std::to_string(value));
  }
  template <class Numbers>
  void numbers(std::string_view key, const Numbers& values) {
    std::string list;
    for (const auto value : values) list.append(list.empty() ? "" : ",").append(std::to_string(value));
    add(key, list);
  }
  void access(std::string_view key, bool read_only) { add(key, read_only ? "ro" : "rw"); }

  static std::string percent_encoded(std::string_view text) {
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

 private:
  void place(const NamedPlace& place) {
    if (!place.directory.empty()) text("dir", place.directory);
    if (place.scope == Scope::machine) add("scope", "machine");
    text("name", place.name);
  }
  void place(const ProcessPlace& place) {
    number("pid", place.pid);
    number("fd", place.descriptor);
  }
  void place(const DescriptorPlace& place) { number("fd", place.descriptor); }
  void place(const InheritedPlace& place) { number("inherited", place.index); }
  void place(const MessagePlace& place) { number("message", place.index); }

  static constexpr bool stands_for_itself(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' ||
           c == '-';
  }

  void add(std::string_view key, std::string_view value) {
    if (text_.size() > handle_start.size()) text_ += ':';
    text_.append(key).append("=").append(value);
  }

  std::string text_;
};

/// Takes a handle's text apart. Throws errc::invalid_handle, naming the rule that is broken.
class HandleReader {
 public:
  explicit HandleReader(std::string_view text) : rest_(text) {
    if (!rest_.starts_with(handle_start)) throw_invalid_handle("it does not start with " + in_quotes(handle_start));
    rest_.remove_prefix(handle_start.size());
    fields_.place = place();
    for_each_field(*this, fields_);
    if (!done_) throw_invalid_handle("there is more after its end");
  }
  HandleFields take() && { return std::move(fields_); }

  void uuid(std::string_view key, Uuid& value) {
    const std::string_view text = field(key);
    try {
      value = boost::uuids::string_generator()(text.begin(), text.end());
      if (boost::uuids::to_string(value) == text) return;
    } catch (const std::runtime_error&) {  // said below
    }
    throw_invalid_handle(in_quotes(text.substr(0, 40)) + " is not a UUID in lower-case hexadecimal digits");
  }

  void text(std::string_view key, std::string& value) {
    const std::string_view encoded = field(key);
    for (std::size_t i = 0; i < encoded.size(); ++i) {
      if (encoded[i] != '%') {
        value += encoded[i];
        continue;
      }
      unsigned byte = 0;
      const char* const digits = encoded.data() + i + 1;
      if (encoded.size() - i < 3 || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2)
        throw_invalid_handle("a % is not followed by two digits");
      value += static_cast<char>(static_cast<unsigned char>(byte));
      i += 2;
    }
    if (HandleWriter::percent_encoded(value) != encoded) {
      throw_invalid_handle("a character is not written in its canonical form");
    }
  }

  template <class Number>
  void number(std::string_view key, Number& value) {
    value = parsed<Number>(field(key));
  }

  template <class Numbers>
  void numbers(std::string_view key, Numbers& values) {
    std::string_view list = field(key);
    while (!list.empty()) {
      const std::size_t comma = list.find(',');
      values.push_back(parsed<typename Numbers::value_type>(list.substr(0, comma)));
      if (comma == std::string_view::npos) break;
      list.remove_prefix(comma + 1);
      if (list.empty()) throw_invalid_handle("a list of numbers ends in a comma");
    }
  }

  void access(std::string_view key, bool& read_only) {
    const std::string_view value = field(key);
    if (value != "rw" && value != "ro") throw_invalid_handle("its access is neither rw nor ro");
    read_only = value == "ro";
  }

 private:
  Place place() {
    if (next_is("pid")) {
      ProcessPlace place;
      number("pid", place.pid);
      number("fd", place.descriptor);
      return place;
    }
    if (next_is("fd")) {
      DescriptorPlace place;
      number("fd", place.descriptor);
      return place;
    }
    if (next_is("inherited")) {
      InheritedPlace place;
      number("inherited", place.index);
      return place;
    }
    if (next_is("message")) {
      MessagePlace place;
      number("message", place.index);
      return place;
    }
    NamedPlace place;
    if (next_is("dir")) text("dir", place.directory);
    if (next_is("scope")) {
      if (field("scope") != "machine") throw_invalid_handle("its scope is not machine");
      place.scope = Scope::machine;
    }
    text("name", place.name);
    return place;
  }

  bool next_is(std::string_view key) const {
    return rest_.starts_with(key) && rest_.substr(key.size()).starts_with('=');
  }

  /// The value of the next field, which has to be called `key`.
  std::string_view field(std::string_view key) {
    if (!next_is(key) || done_) {
      throw_invalid_handle(done_ ? "it ends before " + in_quotes(key)
                                 : "expected " + in_quotes(key) + " before " + in_quotes(rest_.substr(0, 16)));
    }
    rest_.remove_prefix(key.size() + 1);
    const std::size_t end = rest_.find(':');
    const std::string_view value = rest_.substr(0, end);
    done_ = end == std::string_view::npos;
    rest_.remove_prefix(done_ ? value.size() : end + 1);
    return value;
  }

  template <class Number>
  static Number parsed(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || std::to_string(value) != text) {
      throw_invalid_handle(in_quotes(text.substr(0, 24)) + " is not a number in range");
    }
    return value;
  }

  std::string_view rest_;
  bool done_ = false;  // the last field ended with the text
  HandleFields fields_;
};

}  // namespace ndshm::detail
