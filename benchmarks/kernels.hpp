// SPDX-License-Identifier: BSL-1.0
// kernels.hpp: work that several programs do, the peer that measures MPI among them. Includes the standard library
// alone.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace measure {

/// About 0.3 ms of dependent arithmetic.
inline double compute(std::size_t task) {
  auto x = static_cast<double>(task);
  for (int i = 0; i < 100'000; ++i) x = x * 0.999999 + 1.0;
  return x;
}

/// The elements once each: the sum, by so many independent additions that memory sets the pace.
inline double read_all(std::span<const double> elements) {
  std::array<double, 16> sums{};
  const std::size_t whole = elements.size() / sums.size() * sums.size();
  for (std::size_t i = 0; i < whole; i += sums.size()) {
    for (std::size_t lane = 0; lane < sums.size(); ++lane) sums[lane] += elements[i + lane];
  }
  double sum = 0;
  for (const double each : sums) sum += each;
  for (std::size_t i = whole; i < elements.size(); ++i) sum += elements[i];
  return sum;
}

}  // namespace measure
