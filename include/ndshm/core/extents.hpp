// SPDX-License-Identifier: BSL-1.0
// extents.hpp: shapes, strides and byte counts. Pure arithmetic in which every sum and product is checked: nothing here
// wraps. Shapes count elements, strides and offsets count bytes (NumPy's convention). Includes the standard library.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ndshm/core/config.hpp>
#include <optional>
#include <ranges>
#include <span>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// The lengths of an array along its dimensions, in elements.
using Shape = std::vector<std::size_t>;
/// The distances between neighbours along each dimension, in bytes, as NumPy counts them.
using Strides = std::vector<std::ptrdiff_t>;

/// One length of a shape, made from any integer, so that `{rows, 10}` may mix types. Counts elements.
struct Extent {
  std::size_t value = 0;  ///< elements
  bool negative = false;  ///< whether the integer was negative, which no shape may contain

  /// Makes a length of any integer.
  template <std::integral Integer>
  constexpr Extent(Integer length) noexcept  // NOLINT(google-explicit-constructor): shapes are written as numbers
      : value(static_cast<std::size_t>(length)), negative(std::cmp_less(length, 0)) {}
};

}  // namespace ndshm

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

using ShapeView = std::span<const std::size_t>;
using StridesView = std::span<const std::ptrdiff_t>;

/// The most bytes one array may have: pointers into it are subtracted.
inline constexpr std::size_t max_bytes = (std::numeric_limits<std::ptrdiff_t>::max)();

constexpr std::optional<std::size_t> checked_multiply(std::size_t a, std::size_t b) noexcept {
  if (a != 0 && b > max_bytes / a) return std::nullopt;
  return a * b;
}

constexpr std::optional<std::size_t> checked_add(std::size_t a, std::size_t b) noexcept {
  if (a > max_bytes || b > max_bytes - a) return std::nullopt;
  return a + b;
}

/// `value` rounded up to a multiple of `step`, or nothing where that does not fit.
constexpr std::optional<std::size_t> checked_round_up(std::size_t value, std::size_t step) noexcept {
  const auto sum = checked_add(value, step - 1);
  return sum ? std::optional{*sum / step * step} : std::nullopt;
}

inline bool is_empty(ShapeView shape) noexcept {
  for (const std::size_t extent : shape) {
    if (extent == 0) return true;
  }
  return false;
}

/// Bytes of a contiguous array, or nothing where they do not fit. As in NumPy the dimensions that are not zero have to
/// fit even when another one is: their product is a stride.
inline std::optional<std::size_t> byte_count(ShapeView shape, std::size_t itemsize) noexcept {
  std::optional<std::size_t> bytes = itemsize;
  for (const std::size_t extent : shape) {
    if (extent != 0) bytes = checked_multiply(*bytes, extent);
    if (!bytes) return std::nullopt;
  }
  return is_empty(shape) ? 0 : *bytes;
}

/// The strides of a contiguous array in C or Fortran order. The shape must have passed byte_count().
inline Strides contiguous_strides(ShapeView shape, std::size_t itemsize, bool fortran_order) {
  Strides strides(shape.size());
  auto stride = static_cast<std::ptrdiff_t>(itemsize);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::size_t axis = fortran_order ? i : shape.size() - 1 - i;
    strides[axis] = stride;
    if (shape[axis] != 0) stride *= static_cast<std::ptrdiff_t>(shape[axis]);
  }
  return strides;
}

/// Whether the elements lie densely in that order. The stride of an axis of length 1 does not matter, and an empty
/// array is contiguous in every order.
inline bool is_contiguous(ShapeView shape, StridesView strides, std::size_t itemsize, bool fortran_order) {
  if (is_empty(shape)) return true;
  auto dense = static_cast<std::ptrdiff_t>(itemsize);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::size_t axis = fortran_order ? i : shape.size() - 1 - i;
    if (shape[axis] != 1 && strides[axis] != dense) return false;
    dense *= static_cast<std::ptrdiff_t>(shape[axis]);
  }
  return true;
}

/// The bytes that a strided array touches, relative to its first element: [first, last). Both are 0 when it is empty.
struct Reach {
  std::ptrdiff_t first = 0;
  std::ptrdiff_t last = 0;
};

/// The reach of a strided array, or nothing where an address calculation would overflow.
inline std::optional<Reach> reach(ShapeView shape, StridesView strides, std::size_t itemsize) noexcept {
  if (is_empty(shape)) return Reach{};
  std::size_t below = 0;
  std::size_t above = itemsize;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const bool negative = strides[axis] < 0;
    const auto size = static_cast<std::size_t>(strides[axis]);
    const auto span = checked_multiply(negative ? std::size_t{0} - size : size, shape[axis] - 1);
    const auto sum = span ? checked_add(negative ? below : above, *span) : std::nullopt;
    if (!sum) return std::nullopt;
    (negative ? below : above) = *sum;
  }
  return Reach{-static_cast<std::ptrdiff_t>(below), static_cast<std::ptrdiff_t>(above)};
}

/// Whether a strided array that starts `offset` bytes into a buffer of `bytes` bytes stays inside it.
inline bool fits(ShapeView shape, StridesView strides, std::size_t itemsize, std::size_t offset, std::size_t bytes) {
  const auto touched = reach(shape, strides, itemsize);
  if (!touched || offset > bytes) return false;
  return static_cast<std::size_t>(-touched->first) <= offset &&
         static_cast<std::size_t>(touched->last) <= bytes - offset;
}

}  // namespace ndshm::detail
