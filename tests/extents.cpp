// SPDX-License-Identifier: BSL-1.0
#include <cstdint>
#include <limits>
#include <ndshm/core/extents.hpp>

#include "catch.hpp"

using namespace ndshm::detail;
using ndshm::Shape;
using ndshm::Strides;

namespace {
constexpr std::size_t big = std::numeric_limits<std::size_t>::max();
constexpr std::ptrdiff_t lowest = std::numeric_limits<std::ptrdiff_t>::min();
}  // namespace

TEST_CASE("products and sums never wrap") {
  CHECK(checked_multiply(3, 4) == 12U);
  CHECK(checked_multiply(0, big) == 0U);
  CHECK(checked_multiply(max_bytes, 1) == max_bytes);
  CHECK_FALSE(checked_multiply(max_bytes, 2));
  CHECK_FALSE(checked_multiply(std::size_t{1} << 32, std::size_t{1} << 32));
  CHECK_FALSE(checked_multiply(big, 1));
  CHECK(checked_add(max_bytes - 1, 1) == max_bytes);
  CHECK_FALSE(checked_add(max_bytes, 1));
  CHECK_FALSE(checked_add(big, 1));
  CHECK_FALSE(checked_add(1, big));
  CHECK(checked_round_up(0, 64) == 0U);
  CHECK(checked_round_up(1, 64) == 64U);
  CHECK(checked_round_up(64, 64) == 64U);
  CHECK_FALSE(checked_round_up(max_bytes, 64));
}

TEST_CASE("the bytes of a shape are counted, or refused") {
  CHECK(byte_count(Shape{}, 8) == 8U);
  CHECK(byte_count(Shape{2000, 10}, 8) == 160000U);
  CHECK(byte_count(Shape{3, 0, 5}, 8) == 0U);
  CHECK(byte_count(Shape{std::size_t{1} << 33}, 8) == std::size_t{1} << 36);
  CHECK_FALSE(byte_count(Shape{std::size_t{1} << 60}, 8));
  CHECK_FALSE(byte_count(Shape{std::size_t{1} << 32, std::size_t{1} << 32}, 1));
  // A stride would wrap although the array is empty; NumPy refuses it as well.
  CHECK_FALSE(byte_count(Shape{0, std::size_t{1} << 40, std::size_t{1} << 40}, 1));
}

TEST_CASE("strides of contiguous arrays are counted in bytes") {
  CHECK(contiguous_strides(Shape{2, 3, 4}, 8, false) == Strides{96, 32, 8});
  CHECK(contiguous_strides(Shape{2, 3, 4}, 8, true) == Strides{8, 16, 48});
  CHECK(contiguous_strides(Shape{}, 8, false).empty());
}

TEST_CASE("contiguity ignores axes of length 1 and empty arrays") {
  CHECK(is_contiguous(Shape{2, 3}, Strides{24, 8}, 8, false));
  CHECK_FALSE(is_contiguous(Shape{2, 3}, Strides{24, 8}, 8, true));
  CHECK(is_contiguous(Shape{2, 3}, Strides{8, 16}, 8, true));
  CHECK(is_contiguous(Shape{1, 3}, Strides{0, 8}, 8, false));
  CHECK(is_contiguous(Shape{1, 3}, Strides{0, 8}, 8, true));
  CHECK(is_contiguous(Shape{0, 3}, Strides{1, 1}, 8, false));
  CHECK_FALSE(is_contiguous(Shape{3}, Strides{-8}, 8, false));
  CHECK(is_contiguous(Shape{}, Strides{}, 8, true));
}

TEST_CASE("a strided array fits when its lowest and highest byte do") {
  CHECK(fits(Shape{2, 3}, Strides{24, 8}, 8, 0, 48));
  CHECK_FALSE(fits(Shape{2, 3}, Strides{24, 8}, 8, 0, 47));
  CHECK_FALSE(fits(Shape{2, 3}, Strides{24, 8}, 8, 8, 48));
  CHECK(fits(Shape{3}, Strides{-8}, 8, 16, 24));
  CHECK_FALSE(fits(Shape{3}, Strides{-8}, 8, 8, 24));
  CHECK(fits(Shape{0}, Strides{lowest}, 8, 24, 24));
  CHECK_FALSE(fits(Shape{0}, Strides{8}, 8, 25, 24));
  CHECK(fits(Shape{1}, Strides{lowest}, 8, 16, 24));
  CHECK_FALSE(fits(Shape{2}, Strides{lowest}, 8, 0, 24));
  CHECK_FALSE(fits(Shape{3, 3}, Strides{std::numeric_limits<std::ptrdiff_t>::max() / 2, 8}, 8, 0, max_bytes));
  CHECK_FALSE(
      fits(Shape{3, 3},
           Strides{std::numeric_limits<std::ptrdiff_t>::max() / 2 - 8, std::numeric_limits<std::ptrdiff_t>::max() / 2},
           8, 0, max_bytes));
}
