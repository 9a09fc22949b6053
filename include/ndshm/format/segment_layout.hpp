// SPDX-License-Identifier: BSL-1.0
// segment_layout.hpp: where header, elements and control page of a segment lie. Includes npy_header.hpp; no operating
// system.
#pragma once

#include <cstddef>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/npy_header.hpp>
#include <optional>
#include <string>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// Where the parts of a segment lie, in bytes from its start.
struct SegmentLayout {
  std::size_t header_bytes;
  std::size_t data_bytes;
  std::size_t data_end;        // header_bytes + data_bytes
  std::size_t control_offset;  // on a page of its own on every system: the largest page is 64 KiB
  std::size_t total_bytes;
  Strides strides;  // of the elements
};

inline constexpr std::size_t control_alignment = std::size_t{64} * 1024;
inline constexpr std::size_t control_bytes = 4096;

/// Nothing where the segment would be larger than an address can say.
inline std::optional<SegmentLayout> layout_of(const npy::Header& header, std::size_t header_bytes) {
  const auto data = byte_count(header.shape, header.itemsize);
  const auto end = data ? checked_add(header_bytes, *data) : std::nullopt;
  const auto control = end ? checked_round_up(*end, control_alignment) : std::nullopt;
  const auto total = control ? checked_add(*control, control_bytes) : std::nullopt;
  if (!total) return std::nullopt;
  return SegmentLayout{header_bytes, *data,  *end,
                       *control,     *total, contiguous_strides(header.shape, header.itemsize, header.fortran_order)};
}

/// The same for a segment that is to be made. Throws errc::invalid_shape.
inline SegmentLayout layout_to_make(const npy::Header& header, std::size_t header_bytes, Context context) {
  if (const auto layout = layout_of(header, header_bytes)) return *layout;
  throw Error(errc::invalid_shape, context + "the shape " + format_tuple(header.shape) + " of " +
                                       std::to_string(header.itemsize) + "-byte elements does not fit into memory");
}

}  // namespace ndshm::detail
