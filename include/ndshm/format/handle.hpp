// SPDX-License-Identifier: BSL-1.0
// handle.hpp: Handle <-> text. A handle is everything that another process needs to map the same strided buffer: where
// the segment is, which one it is, and which elements of it are meant. Includes npy.hpp and control.hpp; no operating
// system.
#pragma once

#include <algorithm>
#include <boost/uuid/uuid_io.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/name.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/control_page.hpp>
#include <ndshm/format/handle_text.hpp>
#include <ndshm/format/npy_header.hpp>
#include <ndshm/format/npy_parser.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

class Handle {
 public:
  /// Where the segment is found: by its name, or by a descriptor, of the process `pid` or of the reader.
  struct Place {
    std::string name;                            ///< empty for an anonymous segment
    std::optional<std::uint64_t> pid;            ///< whose descriptor it is; none: the reader inherited it
    int descriptor = -1;                         ///< -1 for a named segment
    ndshm::Scope scope = ndshm::Scope::session;  ///< of the name
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

  static detail::npy::Type parse_type(std::string_view dtype) {
    try {
      detail::npy::Type type = detail::npy::parse_descr(dtype);
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
    if (!named && place_.scope != Scope::session) fail("only a name has a scope");
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
  detail::npy::Type type_;
  detail::Shape shape_;
  detail::Strides strides_;
  std::size_t offset_ = 0;
  bool read_only_ = false;
};

inline Handle Handle::parse(std::string_view text) {
  detail::HandleParser parser(text);
  Place place;
  if (parser.next_is("scope")) {
    if (parser.field("scope") != "machine") parser.fail("its scope is not machine");
    place.scope = Scope::machine;
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
    if (place_.scope == Scope::machine) text += "scope=machine:";
    text += "name=" + detail::percent_encoded(place_.name);
  } else {
    if (place_.pid) text += "pid=" + std::to_string(*place_.pid) + ":";
    text += "fd=" + std::to_string(place_.descriptor);
  }
  return text + ":uuid=" + boost::uuids::to_string(uuid_) + ":type=" + detail::percent_encoded(type_.descr) +
         ":shape=" + detail::comma_separated(shape_) + ":strides=" + detail::comma_separated(strides_) +
         ":offset=" + std::to_string(offset_) + ":access=" + (read_only_ ? "ro" : "rw");
}

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE
