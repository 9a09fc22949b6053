// SPDX-License-Identifier: BSL-1.0
// blocks.cpp: ranges, tiles and shares cover every index exactly once.
#include <numeric>
#include <vector>

#include "catch.hpp"

#include <ndshm/pool/blocks.hpp>

using ndshm::errc;
using ndshm::Range;

TEST_CASE("blocks cover the indices in order, the last one may be shorter") {
  const auto list = ndshm::blocks(10, 4);
  CHECK(list.size() == 3);
  CHECK(std::vector<Range>(list.begin(), list.end()) == std::vector<Range>{{0, 4}, {4, 8}, {8, 10}});
  CHECK(list[2] == Range{8, 10});
  CHECK(ndshm::blocks(0, 4).empty());
  CHECK(ndshm::blocks(4, 4).size() == 1);
  CHECK(ndshm::blocks(3, SIZE_MAX)[0] == Range{0, 3});
  CHECK(ndshm::blocks(SIZE_MAX, 1).size() == SIZE_MAX);
  CHECK(ndshm::blocks(SIZE_MAX, SIZE_MAX - 1)[1] == Range{SIZE_MAX - 1, SIZE_MAX});
  CHECK_ERROR(static_cast<void>(ndshm::blocks(10, 0)), errc::invalid_argument, "at least 1 index");
}

TEST_CASE("tiles cover a box of any number of dimensions exactly once") {
  const auto list = ndshm::tiles<3>({5, 4, 7}, {2, 4, 3});
  CHECK(list.size() == 3 * 1 * 3);
  std::vector<int> covered(5 * 4 * 7);
  for (const auto& tile : list) {
    for (std::size_t i = tile[0].begin; i < tile[0].end; ++i) {
      for (std::size_t j = tile[1].begin; j < tile[1].end; ++j) {
        for (std::size_t k = tile[2].begin; k < tile[2].end; ++k) ++covered.at((i * 4 + j) * 7 + k);
      }
    }
  }
  CHECK(covered == std::vector<int>(covered.size(), 1));
  CHECK(list[1] == ndshm::Tile<3>{Range{0, 2}, Range{0, 4}, Range{3, 6}});
  CHECK(ndshm::tiles<2>({0, 5}, {2, 2}).empty());
  CHECK(ndshm::tiles<0>({}, {}).size() == 1);
  CHECK_ERROR(static_cast<void>(ndshm::tiles<2>({4, 4}, {2, 0})), errc::invalid_argument, "(2, 0)");
  CHECK_ERROR(static_cast<void>(ndshm::tiles<2>({SIZE_MAX, 4}, {1, 1})), errc::invalid_shape, "too many tiles");
}

TEST_CASE("shares are disjoint, in order, and differ by at most one") {
  for (const std::size_t size : {0U, 1U, 7U, 8U, 100U}) {
    for (const std::size_t parts : {1U, 3U, 8U}) {
      std::size_t next = 0;
      for (std::size_t part = 0; part < parts; ++part) {
        const Range share = ndshm::share_of(size, part, parts);
        CHECK(share.begin == next);
        CHECK((share.size() == size / parts || share.size() == size / parts + 1));
        next = share.end;
      }
      CHECK(next == size);
    }
  }
  CHECK(ndshm::share_of(SIZE_MAX, 6, 7).end == SIZE_MAX);
  CHECK_ERROR(ndshm::share_of(10, 3, 3), errc::invalid_argument, "no part 3 of 3");
}
