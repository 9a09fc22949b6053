// SPDX-License-Identifier: BSL-1.0
// npy_parser.hpp: reads .npy headers, format versions 1.0 to 3.0. Trusts nothing and allocates little: a header comes
// from memory that another process may have filled with anything. No operating system and no xtensor in here. Source:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <charconv>
#include <cstddef>
#include <initializer_list>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/npy_header.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// Reads the Python literal of a header. Every rule that is broken throws errc::invalid_header, its text starting with
/// `context`.
class NpyParser {
 public:
  NpyParser(std::string_view text, Context context) : text_(text), context_(context) {}

  npy::Header header() {
    npy::Header result;
    bool descr = false;
    bool order = false;
    bool shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = string_literal();
      expect(':');
      if (key == "descr" && !descr) {
        npy::Type type = this->type(0);
        result.descr = std::move(type.descr);
        result.itemsize = type.itemsize;
        descr = true;
      } else if (key == "fortran_order" && !order) {
        result.fortran_order = boolean();
        order = true;
      } else if (key == "shape" && !shape) {
        result.shape = tuple();
        shape = true;
      } else {
        fail("the key " + in_quotes(key) + " is unknown or appears twice");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!descr) fail("the key 'descr' is missing");
    if (!order) fail("the key 'fortran_order' is missing");
    if (!shape) fail("the key 'shape' is missing");
    end();
    if (!byte_count(result.shape, result.itemsize)) {
      fail("the shape " + format_tuple(result.shape) + " of " + std::to_string(result.itemsize) +
           "-byte elements does not fit into memory");
    }
    return result;
  }

  npy::Type whole_type() {
    // A plain type stands without its quotes here: `<f8`.
    skip_spaces();
    if (!text_.empty() && text_.front() != '[') {
      npy::Type result = plain(text_);
      text_ = {};
      return result;
    }
    npy::Type result = type(0);
    end();
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(errc::invalid_header, context_ + ".npy header: " + what);
  }

  void skip_spaces() {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
  }

  bool accept(char c) {
    skip_spaces();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (accept(c)) return;
    fail(std::string("expected '")
             .append(1, c)
             .append("' before ")
             .append(text_.empty() ? "its end" : in_quotes(text_.substr(0, 12))));
  }

  void end() {
    skip_spaces();
    if (!text_.empty()) fail("there is more after its end: " + in_quotes(text_.substr(0, 12)));
  }

  std::string_view string_literal() {
    skip_spaces();
    if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) fail("expected a string");
    const char quote = text_.front();
    const std::size_t close = text_.find(quote, 1);
    if (close == std::string_view::npos) fail("a string does not end");
    const std::string_view content = text_.substr(1, close - 1);
    for (const char c : content) {
      if (c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
        fail("a string has an escape or control character in it");
    }
    text_.remove_prefix(close + 1);
    return content;
  }

  bool boolean() {
    skip_spaces();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.starts_with(word)) {
        text_.remove_prefix(word.size());
        return value;
      }
    }
    fail("'fortran_order' is neither True nor False");
  }

  std::size_t number() {
    skip_spaces();
    std::size_t value = 0;
    const auto [rest, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc{} || value > max_bytes)
      fail("expected a dimension between 0 and 2^63 - 1 before " + in_quotes(text_.substr(0, 12)));
    const auto digits = static_cast<std::size_t>(rest - text_.data());
    if (digits > 1 && text_.front() == '0') fail("a dimension starts with a 0");
    text_.remove_prefix(digits);
    return value;
  }

  Shape tuple() {
    Shape result;
    expect('(');
    bool comma = true;
    while (!accept(')')) {
      if (!comma) fail("expected ',' in a shape");
      result.push_back(number());
      comma = accept(',');
    }
    if (result.size() == 1 && !comma) fail("a shape of one dimension needs a comma: (5,)");
    return result;
  }

  npy::Type type(int depth) {
    skip_spaces();
    if (text_.empty() || text_.front() != '[') {
      return plain(string_literal());
    }
    if (depth >= npy::max_depth) fail("structs are nested deeper than " + std::to_string(npy::max_depth));
    npy::Type result{"[", 0};
    std::vector<std::string_view> names;
    expect('[');
    while (!accept(']')) {
      const std::string entry = field(depth, names, result.itemsize);
      result.descr += (result.descr.size() > 1 ? ", " : "") + entry;
      if (!accept(',')) {
        expect(']');
        break;
      }
    }
    if (names.empty()) fail("a struct has no members");
    if (result.itemsize == 0) fail("a struct has no bytes");
    result.descr += "]";
    return result;
  }

  /// One `('name', descr)` or `('name', descr, shape)`; adds its bytes to `itemsize`.
  std::string field(int depth, std::vector<std::string_view>& names, std::size_t& itemsize) {
    expect('(');
    const std::string_view name = string_literal();
    if (name.find('\'') != std::string_view::npos) fail("a member's name has a quote in it");
    expect(',');
    const npy::Type member = type(depth + 1);
    Shape shape;
    if (accept(',')) {
      shape = tuple();
      if (shape.empty()) fail("the shape of the member " + in_quotes(name) + " is empty");
    }
    expect(')');
    if (name.empty()) {
      if (!member.descr.starts_with("|V")) fail("a member has no name");
    } else {
      for (const std::string_view other : names) {
        if (other == name) fail("two members are named " + in_quotes(name));
      }
      names.push_back(name);
    }
    const auto bytes = byte_count(shape, member.itemsize);
    const auto sum = bytes ? checked_add(itemsize, *bytes) : std::nullopt;
    if (!sum) fail("a struct does not fit into memory");
    itemsize = *sum;
    std::string text = "('" + std::string(name) + "', ";
    text += member.descr.front() == '[' ? member.descr : "'" + member.descr + "'";
    if (!shape.empty()) text += ", " + format_tuple(shape);
    return text + ")";
  }

  npy::Type plain(std::string_view text) const {
    auto refuse = [&](const char* why) { fail("the type " + in_quotes(text.substr(0, 24)) + " " + why); };
    if (text.size() > 1 && text[1] == 'O') refuse("holds Python objects, which cannot be shared");
    if (text.size() < 3) refuse("is not a byte order, a kind and a size");
    const char order = text[0];
    const char kind = text[1];
    std::size_t size = 0;
    const auto [rest, error] = std::from_chars(text.data() + 2, text.data() + text.size(), size);
    if (error != std::errc{} || rest != text.data() + text.size() || text[2] == '0') refuse("has no valid size");
    const auto one_of = [size](std::initializer_list<std::size_t> sizes) {
      for (const std::size_t s : sizes) {
        if (s == size) return true;
      }
      return false;
    };
    bool good = false;
    switch (kind) {
      case 'b':
        good = size == 1;
        break;
      case 'i':
      case 'u':
        good = one_of({1, 2, 4, 8});
        break;
      case 'f':
        good = one_of({2, 4, 8, 12, 16});
        break;
      case 'c':
        good = one_of({8, 16, 24, 32});
        break;
      case 'S':
      case 'V':
        good = size <= max_bytes;
        break;
      case 'U':
        good = size <= max_bytes / 4;
        break;
      default:
        break;
    }
    if (!good) refuse("is not one that can be shared");
    const bool ordered = kind != 'S' && kind != 'V' && !(size == 1 && kind != 'U');
    if (ordered ? order != '<' && order != '>' : order != '|') refuse("has the wrong byte order mark");
    return {std::string(text), kind == 'U' ? 4 * size : size};
  }

  std::string_view text_;
  Context context_;
};

}  // namespace ndshm::detail

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::npy {

/// Reads a whole header of exactly header_bytes() bytes. Throws errc::invalid_header, naming the rule that is broken.
inline Header parse(std::string_view bytes, Context context = {}) {
  const std::size_t total = header_bytes(bytes, context);
  auto fail = [&](const char* what) { throw Error(errc::invalid_header, context + ".npy header: " + what); };
  if (bytes.size() != total) fail("its length differs from its length field");
  if (bytes.back() != '\n') fail("it does not end in a newline");
  const std::size_t fixed = bytes[6] == 1 ? 10 : 12;
  return NpyParser(bytes.substr(fixed, total - fixed - 1), context).header();
}

/// Reads one descr, plain types without quotes: `<f8`, `[('x', '<f4')]`. Throws errc::invalid_header.
inline Type parse_descr(std::string_view descr, Context context = {}) {
  if (descr.size() > max_text)
    throw Error(errc::invalid_header, context + "the element type is longer than 10,000 characters");
  return NpyParser(descr, context).whole_type();
}

}  // namespace ndshm::detail::npy
