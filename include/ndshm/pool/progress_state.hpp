// SPDX-License-Identifier: BSL-1.0
// progress_state.hpp: how far a run of a worker pool is. Includes the standard library.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <ndshm/core/config.hpp>
#include <optional>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// How far a run is.
struct Progress {
  std::size_t done = 0;                 ///< tasks
  std::size_t failed = 0;               ///< tasks
  std::optional<std::size_t> total{};   ///< tasks; none where the jobs cannot be counted beforehand
  std::chrono::nanoseconds elapsed{0};  ///< since the run began
  bool is_over = false;                 ///< the last call of this run

  /// Returns a number between 0 and 1; 0 without a total.
  double fraction() const {
    if (!total) return 0;
    return *total == 0 ? 1 : static_cast<double>(done + failed) / static_cast<double>(*total);
  }
};

/// Called in the thread that runs the tasks, at most about ten times a second, and once at the end.
using ProgressCallback = std::function<void(const Progress&)>;

}  // namespace ndshm
