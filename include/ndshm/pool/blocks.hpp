// SPDX-License-Identifier: BSL-1.0
// blocks.hpp: cutting index ranges into pieces of work: blocks of rows, tiles of N dimensions, one share per worker.
// Includes error.hpp and extents.hpp; no operating system, no xtensor.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/text.hpp>
#include <string>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// The indices from begin up to, not including, end: what xt::range takes.
struct Range {
  std::size_t begin = 0;  ///< the first index
  std::size_t end = 0;    ///< the index behind the last one

  /// Returns the number of indices.
  constexpr std::size_t size() const noexcept { return end - begin; }
  /// Returns whether there is no index.
  constexpr bool empty() const noexcept { return begin == end; }
  friend constexpr bool operator==(const Range&, const Range&) = default;
};

/// A box of indices: one range for each axis.
template <std::size_t N>
using Tile = std::array<Range, N>;

namespace detail {

/// A list that is computed: element i is `at(i)`. Takes no memory, however long it is.
template <class At>
class ComputedList {
 public:
  class iterator {
   public:
    using value_type = decltype(std::declval<const At&>()(std::size_t{}));
    using difference_type = std::ptrdiff_t;
    using reference = value_type;
    using pointer = void;
    using iterator_category = std::input_iterator_tag;

    iterator() = default;
    iterator(const ComputedList* list, std::size_t index) : list_(list), index_(index) {}
    value_type operator*() const { return (*list_)[index_]; }
    iterator& operator++() {
      ++index_;
      return *this;
    }
    iterator operator++(int) {
      iterator before = *this;
      ++index_;
      return before;
    }
    friend bool operator==(const iterator& a, const iterator& b) { return a.index_ == b.index_; }

   private:
    const ComputedList* list_ = nullptr;
    std::size_t index_ = 0;
  };

  ComputedList(std::size_t size, At at) : size_(size), at_(std::move(at)) {}
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  auto operator[](std::size_t index) const { return at_(index); }
  iterator begin() const { return {this, 0}; }
  iterator end() const { return {this, size_}; }

 private:
  std::size_t size_;
  At at_;
};

constexpr std::size_t pieces(std::size_t size, std::size_t piece) { return size / piece + (size % piece != 0 ? 1 : 0); }

constexpr Range piece_of(std::size_t size, std::size_t piece, std::size_t index) {
  const std::size_t begin = index * piece;
  return {begin, begin + (std::min)(piece, size - begin)};
}

}  // namespace detail

/// Returns the indices 0 to size cut into ranges of `block` indices; the last one may be shorter. blocks(2000, 100) is
/// a list of 20 ranges, which are computed as they are read. Throws: errc::invalid_argument for blocks of no indices.
inline auto blocks(std::size_t size, std::size_t block) {
  if (block == 0) throw Error(errc::invalid_argument, "blocks: a block must have at least 1 index");
  return detail::ComputedList(detail::pieces(size, block),
                              [=](std::size_t index) { return detail::piece_of(size, block, index); });
}

/// Returns a box of the given shape cut into tiles, in row-major order; those at the far edges may be smaller.
/// tiles<2>({480, 640}, {64, 64}) is a list of 8 * 10 tiles, which are computed as they are read. Throws:
/// errc::invalid_argument for tiles of no indices, errc::invalid_shape for more tiles than can be counted.
template <std::size_t N>
auto tiles(const std::array<std::size_t, N>& shape, const std::array<std::size_t, N>& tile) {
  std::array<std::size_t, N> counts{};
  for (std::size_t axis = 0; axis < N; ++axis) {
    if (tile[axis] == 0) {
      throw Error(errc::invalid_argument, "tiles: a tile of the shape " + detail::format_tuple(tile) + " is empty");
    }
    counts[axis] = detail::pieces(shape[axis], tile[axis]);
  }
  const auto count = detail::byte_count(counts, 1);
  if (!count) throw Error(errc::invalid_shape, "tiles: too many tiles " + detail::format_tuple(counts));
  return detail::ComputedList(*count, [=](std::size_t index) {
    Tile<N> result{};
    for (std::size_t axis = N; axis-- > 0;) {
      result[axis] = detail::piece_of(shape[axis], tile[axis], index % counts[axis]);
      index /= counts[axis];
    }
    return result;
  });
}

/// Returns what worker `part` of `parts` gets of the indices 0 to size, when each gets one range and their sizes differ
/// by at most 1. Throws: errc::invalid_argument unless part < parts.
inline Range share_of(std::size_t size, std::size_t part, std::size_t parts) {
  if (part >= parts) {
    throw Error(errc::invalid_argument,
                "share_of: there is no part " + std::to_string(part) + " of " + std::to_string(parts));
  }
  const auto begin_of = [&](std::size_t i) { return size / parts * i + (std::min)(i, size % parts); };
  return {begin_of(part), begin_of(part + 1)};
}

}  // namespace ndshm
