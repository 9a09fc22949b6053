// SPDX-License-Identifier: BSL-1.0
// shape.hpp: what may be written as a shape, and how many dimensions it has. A shape is checked here once and is a
// ndshm::Shape from then on. Includes format/ and xtensor.hpp.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <ndshm/array/xtensor.hpp>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/format/element.hpp>
#include <ndshm/format/npy_header.hpp>
#include <string>
#include <type_traits>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// A number of dimensions that is still to be deduced from the shape.
inline constexpr std::size_t deduced_rank = static_cast<std::size_t>(-1);

/// `{}` as a shape: no dimensions.
struct ScalarShape {};

namespace detail {

template <class S>
struct FixedRank : std::integral_constant<std::size_t, deduced_rank> {};
template <>
struct FixedRank<ScalarShape> : std::integral_constant<std::size_t, 0> {};
template <class Integer, std::size_t N>
struct FixedRank<std::array<Integer, N>> : std::integral_constant<std::size_t, N> {};
template <std::size_t... X>
struct FixedRank<xt::fixed_shape<X...>> : std::integral_constant<std::size_t, sizeof...(X)> {};

/// The rank of an array of N dimensions (or deduced) made in the shape S.
template <std::size_t N, class S>
constexpr std::size_t rank_for() {
  constexpr std::size_t rank = N != deduced_rank ? N : FixedRank<S>::value;
  static_assert(rank != deduced_rank,
                "ndshm: this shape does not say its number of dimensions; write it: create<T, N>, copy_of<N>");
  return rank != deduced_rank ? rank : 0;
}

}  // namespace detail

/// A type of shapes of N dimensions, or of any number if N is deduced: std::array, std::vector, what shape() of an
/// expression returns. Braced lists are shapes too.
template <class S, std::size_t N>
concept ShapeLike = std::same_as<S, ScalarShape> ||(requires(const S& shape) {
  requires std::integral<std::decay_t<decltype(*shape.begin())>>;
  requires !std::same_as<std::decay_t<decltype(*shape.begin())>, char>;
  shape.size();
} && (N == deduced_rank || detail::FixedRank<S>::value == deduced_rank || detail::FixedRank<S>::value == N));

namespace detail {

/// Throws errc::rank_mismatch or invalid_shape.
template <std::size_t N, class S>
Shape shape_of(const S& lengths, Context context) {
  Shape shape;
  if constexpr (!std::is_same_v<S, ScalarShape>) {
    if (std::size(lengths) != N) {
      throw Error(
          errc::rank_mismatch,
          context + ("the shape has " + std::to_string(std::size(lengths)) + " dimensions, not " + std::to_string(N)),
          "give one length for each dimension");
    }
    shape.reserve(N);
    for (const auto& length : lengths) {
      const Extent extent(length);
      if (extent.negative) {
        throw Error(errc::invalid_shape,
                    context + ("dimension " + std::to_string(shape.size()) + " is " +
                               std::to_string(static_cast<std::ptrdiff_t>(extent.value)) + ", which is negative"));
      }
      shape.push_back(extent.value);
    }
  }
  return shape;
}

/// What the header of an array of that shape says.
template <class T, layout L>
npy::Header header_of(Shape shape) {
  static_assert(!std::is_const_v<T>, "ndshm: an array is created writable; attach<const T, N> maps it read-only");
  static_assert(L == layout::row_major || L == layout::column_major,
                "ndshm: an array is created row_major or column_major");
  // As NumPy has it: Fortran order is said only of what is not in C order too.
  bool fortran_order = L == layout::column_major && !is_empty(shape);
  std::size_t long_axes = 0;
  for (const std::size_t extent : shape) long_axes += extent > 1 ? 1 : 0;
  fortran_order = fortran_order && long_axes > 1;
  return {descr<T>(), sizeof(T), fortran_order, std::move(shape)};
}

}  // namespace detail
}  // namespace ndshm
