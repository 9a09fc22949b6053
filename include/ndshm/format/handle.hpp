// SPDX-License-Identifier: BSL-1.0
// handle.hpp: Handle, everything that another process needs to map the same strided buffer: where the segment is, which
// one it is, and which elements of it are meant. place.hpp says where, handle_text.hpp how it is written. No operating
// system.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/name.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/control_page.hpp>
#include <ndshm/format/handle_text.hpp>
#include <ndshm/format/npy_header.hpp>
#include <ndshm/format/npy_parser.hpp>
#include <ndshm/format/place.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// What one process gives another so that it maps the same elements: a value that is written as text.
class Handle {
 public:
  /// The array of this geometry. Strides and offset count bytes.
  /// Throws: errc::invalid_handle if a part is impossible, or they do not fit together.
  Handle(Place place, const Uuid& uuid, std::string_view dtype, Shape shape, Strides strides, std::size_t offset,
         bool read_only)
      : Handle(detail::HandleFields{std::move(place), uuid, std::string(dtype), std::move(shape), std::move(strides),
                                    offset, read_only}) {}

  /// Returns the handle that a text says. Throws: errc::invalid_handle, naming the rule that is broken.
  static Handle parse(std::string_view text) { return Handle(detail::HandleReader(text).take()); }

  /// Returns the text: printable ASCII without spaces or quotes, fit for argv, a pipe, a socket, a configuration file.
  std::string to_string() const { return detail::HandleWriter(fields_).take(); }

  /// Returns the handle of the same array in another place. Throws: errc::invalid_handle if the place is impossible.
  Handle at(Place place) const {
    Handle copy = *this;
    copy.fields_.place = std::move(place);
    copy.check_place();
    return copy;
  }

  /// Returns the handle of the same array through a descriptor that the reader will have inherited under this number.
  /// Throws: errc::invalid_handle if the array has a name, and so needs no descriptor.
  Handle as_inherited(int descriptor) const {
    if (is_named()) fail("a named array is attached by its name, not through a descriptor");
    return at(DescriptorPlace{descriptor});
  }

  /// Returns the handle of the same array that grants reading only.
  Handle as_read_only() const {
    Handle copy = *this;
    copy.fields_.read_only = true;
    return copy;
  }

  /// Returns where the segment is found.
  const Place& place() const noexcept { return fields_.place; }
  /// Returns whether the segment is attached by its name.
  bool is_named() const noexcept { return std::holds_alternative<NamedPlace>(place()); }
  /// Returns the name; empty for a segment that has none.
  std::string_view name() const noexcept {
    const auto* const named = std::get_if<NamedPlace>(&place());
    return named != nullptr ? std::string_view(named->name) : std::string_view();
  }
  /// Returns the number of the descriptor through which the segment is attached; -1 where no number is told.
  int descriptor() const noexcept {
    if (const auto* const own = std::get_if<DescriptorPlace>(&place())) return own->descriptor;
    const auto* const theirs = std::get_if<ProcessPlace>(&place());
    return theirs != nullptr ? theirs->descriptor : -1;
  }
  /// Returns the process whose descriptor that is; nullopt if it is the reader's own, or there is none.
  std::optional<std::uint64_t> pid() const noexcept {
    const auto* const theirs = std::get_if<ProcessPlace>(&place());
    return theirs != nullptr ? std::optional(theirs->pid) : std::nullopt;
  }

  const Uuid& uuid() const noexcept { return fields_.uuid; }           ///< identifies the segment
  const std::string& dtype() const noexcept { return fields_.dtype; }  ///< as in a .npy header, `<f8`
  std::size_t itemsize() const noexcept { return itemsize_; }          ///< bytes
  const Shape& shape() const noexcept { return fields_.shape; }        ///< elements
  const Strides& strides() const noexcept { return fields_.strides; }  ///< bytes
  std::size_t offset() const noexcept { return fields_.offset; }       ///< bytes from the segment's first element
  bool is_read_only() const noexcept { return fields_.read_only; }     ///< whether it grants reading only

  friend bool operator==(const Handle& a, const Handle& b) { return a.to_string() == b.to_string(); }
  friend std::ostream& operator<<(std::ostream& out, const Handle& handle) { return out << handle.to_string(); }

 private:
  explicit Handle(detail::HandleFields fields) : fields_(std::move(fields)), itemsize_(itemsize_of(fields_.dtype)) {
    check_place();
    check_geometry();
  }

  [[noreturn]] static void fail(const std::string& what) { detail::throw_invalid_handle(what); }

  static std::size_t itemsize_of(std::string_view dtype) {
    try {
      const detail::npy::Type type = detail::npy::parse_descr(dtype);
      if (type.descr != dtype) fail("its type is not in canonical form");
      return type.itemsize;
    } catch (const Error& error) {
      if (error.condition() == errc::invalid_handle) throw;
      fail("its type: " + std::string(error.facts()));
    }
  }

  void check_place() const {
    if (const auto* const named = std::get_if<NamedPlace>(&place())) {
      try {
        detail::check_name(named->name, detail::max_name_bytes_anywhere, {});
      } catch (const Error& error) {
        fail(std::string(error.facts()));
      }
      if (!named->directory.empty() &&
          (named->directory.front() != '/' || named->directory.find('\0') != std::string::npos)) {
        fail("its directory " + detail::in_quotes(named->directory) + " is not an absolute path");
      }
    } else if (const auto* const theirs = std::get_if<ProcessPlace>(&place())) {
      if (theirs->pid == 0 || theirs->pid > (std::numeric_limits<std::uint32_t>::max)()) {
        fail("its process id is not between 1 and 4294967295");
      }
      if (theirs->descriptor < 0) fail("its descriptor is negative");
    } else if (const auto* const own = std::get_if<DescriptorPlace>(&place())) {
      if (own->descriptor < 0) fail("its descriptor is negative");
    }
  }

  void check_geometry() const {
    const auto& [place, uuid, dtype, shape, strides, offset, read_only] = fields_;
    if (uuid.is_nil()) fail("its UUID is nil");
    if (shape.size() != strides.size()) {
      fail("it has " + std::to_string(shape.size()) + " dimensions and " + std::to_string(strides.size()) + " strides");
    }
    const auto itemsize = static_cast<std::ptrdiff_t>(itemsize_);
    const auto splits_elements = [&](std::ptrdiff_t stride) { return stride % itemsize != 0; };
    if (std::any_of(strides.begin(), strides.end(), splits_elements) || offset % itemsize_ != 0) {
      fail("a stride or the offset is not a multiple of its " + std::to_string(itemsize) + "-byte elements");
    }
    if (!detail::byte_count(shape, itemsize_)) {
      fail("its shape " + detail::format_tuple(shape) + " does not fit into memory");
    }
    if (!detail::fits(shape, strides, itemsize_, offset, detail::max_bytes)) fail("its strides leave the array");
  }

  detail::HandleFields fields_;
  std::size_t itemsize_;
};

}  // namespace ndshm
