// SPDX-License-Identifier: BSL-1.0
// geometry.hpp: from a checked geometry in bytes to an array of xtensor's, and the check that what is there is what T,
// N and L ask for. Includes shared_array.hpp.
#pragma once

#include <cstddef>
#include <memory>
#include <ndshm/array/shared_array.hpp>
#include <ndshm/array/xtensor.hpp>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/element.hpp>
#include <ndshm/format/npy_header.hpp>
#include <ndshm/segment/mapping.hpp>
#include <ndshm/segment/segment.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

struct ArrayAccess {
  /// The array of this geometry (checked; strides and offset in bytes) over `data`, which `mapping` keeps mapped.
  template <class T, std::size_t N, layout L>
  static SharedArray<T, N, L> make(std::shared_ptr<const Mapping> mapping, std::byte* data, ShapeView shape,
                                   StridesView strides, std::size_t offset, bool creator) {
    using Array = SharedArray<T, N, L>;
    typename Array::shape_type extents{};
    typename Array::strides_type steps{};
    for (std::size_t axis = 0; axis < N; ++axis) {
      extents[axis] = shape[axis];
      steps[axis] = strides[axis] / static_cast<std::ptrdiff_t>(sizeof(T));
    }
    layout order = L;
    if constexpr (L == layout::dynamic) {
      if (is_contiguous(shape, strides, sizeof(T), false)) {
        order = layout::row_major;
      } else if (is_contiguous(shape, strides, sizeof(T), true)) {
        order = layout::column_major;
      }
    }
    T* const first = reinterpret_cast<T*>(data + offset);
    typename Array::storage_type storage(std::move(mapping), first, *byte_count(shape, 1));
    return Array(extents, steps, std::move(storage), order, creator);
  }
};

constexpr std::string_view layout_word(layout order) {
  return order == layout::row_major ? "row_major" : order == layout::column_major ? "column_major" : "dynamic";
}

/// `attach<double, 2, ndshm::layout::column_major>`: what would have worked.
inline std::string attach_call(std::string_view descr, std::size_t rank, layout order, bool read_only) {
  std::string text = "attach<" + std::string(read_only ? "const " : "") + cpp_name(descr) + ", " + std::to_string(rank);
  if (order != layout::row_major) text += ", ndshm::layout::" + std::string(layout_word(order));
  return text + ">";
}

/// The strided buffer that is asked for has to be there, with this type, rank and layout.
template <class T, std::size_t N, layout L>
void require_geometry(std::string_view type, std::size_t itemsize, ShapeView shape, StridesView strides,
                      Context context) {
  const auto lies_in = [&](layout order) {
    return order == layout::dynamic || is_contiguous(shape, strides, itemsize, order == layout::column_major);
  };
  const auto refuse = [&](errc code, const std::string& facts) {
    layout order = L;
    for (const layout other : {layout::row_major, layout::column_major, layout::dynamic}) {
      if (!lies_in(order)) order = other;
    }
    throw Error(code, context + facts, attach_call(type, shape.size(), order, std::is_const_v<T>));
  };
  const std::string& wanted = descr<std::remove_const_t<T>>();
  if (type != wanted) refuse(errc::type_mismatch, "its elements are " + std::string(type) + ", not " + wanted);
  if (shape.size() != N) {
    refuse(errc::rank_mismatch, "it has " + std::to_string(shape.size()) + " dimensions " + format_tuple(shape) +
                                    ", not " + std::to_string(N));
  }
  if (!lies_in(L)) {
    refuse(errc::layout_mismatch, "its elements are not in " + std::string(layout_word(L)) + " order");
  }
}

/// All of a segment as an array.
template <class T, std::size_t N, layout L>
SharedArray<T, N, L> whole_array(std::shared_ptr<Segment> segment, Context context, bool creator) {
  const npy::Header& header = segment->header();
  const Strides& strides = segment->layout().strides;
  require_geometry<T, N, L>(header.descr, header.itemsize, header.shape, strides, context);
  std::byte* const data = segment->data();
  return ArrayAccess::make<T, N, L>(segment, data, header.shape, strides, 0, creator);
}

}  // namespace ndshm::detail
