// SPDX-License-Identifier: BSL-1.0
// description.hpp: what a segment says of itself as a whole, read through any way of reading and checked. No operating
// system.
#pragma once

#include <algorithm>
#include <cstddef>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/format/control_page.hpp>
#include <ndshm/format/npy_header.hpp>
#include <ndshm/format/npy_parser.hpp>
#include <ndshm/format/segment_layout.hpp>
#include <string>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// What a segment says of itself, checked.
struct Description {
  npy::Header header;
  SegmentLayout layout;
  ControlPage control;
};

/// Reads and checks a segment of `size` bytes through `read(offset, destination, bytes)`, which returns false when it
/// could not fill the destination. Looks at private copies only. Throws errc::not_a_segment, damaged or incompatible.
template <class Read>
Description describe(std::size_t size, Read read, Context context) {
  const auto foreign = [&](const std::string& why) {
    return Error(errc::not_a_segment, context + "it is not a segment of ndshm (" + why + ")");
  };
  constexpr std::size_t usual = 384;  // almost every header, in one read
  std::string bytes((std::min)(usual, size), '\0');
  if (bytes.size() < npy::preamble_bytes || !read(std::size_t{0}, bytes.data(), bytes.size())) {
    throw foreign(std::to_string(size) + " bytes are too few for a header");
  }
  npy::Header header;
  try {
    const std::size_t total = npy::header_bytes(bytes);
    if (total > size) throw foreign("its header ends after its " + std::to_string(size) + " bytes");
    const std::size_t known = bytes.size();
    bytes.resize(total);
    if (total > known && !read(known, bytes.data() + known, total - known)) throw foreign("its header cannot be read");
    header = npy::parse(bytes);
    if (npy::format(header) != bytes) throw foreign("its header is not in canonical form");
  } catch (const Error& error) {
    if (error.condition() != errc::invalid_header) throw;
    throw foreign(std::string(error.facts()));
  }
  const auto layout = layout_of(header, bytes.size());
  if (!layout || layout->total_bytes > size) {
    throw Error(errc::damaged,
                context + "its header asks for " +
                    (layout ? std::to_string(layout->total_bytes) + " bytes, but it has " + std::to_string(size)
                            : "a size that does not fit into memory"));
  }
  Description result{std::move(header), *layout, {}};
  if (!read(result.layout.control_offset, reinterpret_cast<char*>(&result.control), sizeof(ControlPage))) {
    throw Error(errc::damaged, context + "its control page cannot be read");
  }
  check_control(result.control, context);
  return result;
}

}  // namespace ndshm::detail
