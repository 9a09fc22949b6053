// SPDX-License-Identifier: BSL-1.0
// progress.hpp: how far a run of a worker pool is, and a bar that shows it on a terminal. Includes the standard library
// and platform/, no xtensor.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/platform.hpp>
#include <optional>
#include <string>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// How far a run is.
struct Progress {
  std::size_t done = 0;                 ///< tasks
  std::size_t failed = 0;               ///< tasks
  std::optional<std::size_t> total;     ///< tasks; none where the jobs cannot be counted beforehand
  std::chrono::nanoseconds elapsed{0};  ///< since the run began
  bool is_over = false;                 ///< the last call of this run

  /// Between 0 and 1; 0 without a total.
  double fraction() const {
    if (!total) return 0;
    return *total == 0 ? 1 : static_cast<double>(done + failed) / static_cast<double>(*total);
  }
};

/// Called in the thread that runs the tasks, at most about ten times a second, and once at the end.
using ProgressCallback = std::function<void(const Progress&)>;

namespace detail {

/// `rows [==========          ]  50%  1000/2000  3 failed  12 s`
inline std::string progress_line(const std::string& title, const Progress& progress) {
  constexpr std::size_t width = 30;
  const std::size_t over = progress.done + progress.failed;
  std::string line = title.empty() ? "" : title + " ";
  if (progress.total) {
    const auto full = std::min(width, static_cast<std::size_t>(progress.fraction() * static_cast<double>(width)));
    const auto percent = static_cast<int>(progress.fraction() * 100);
    line += "[" + std::string(full, '=') + std::string(width - full, ' ') + "] ";
    line += std::string(percent < 10 ? 2 : percent < 100 ? 1 : 0, ' ') + std::to_string(percent) + "%  ";
  }
  line += std::to_string(over);
  if (progress.total) line += "/" + std::to_string(*progress.total);
  if (progress.failed > 0) line += "  " + std::to_string(progress.failed) + " failed";
  return line + "  " + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(progress.elapsed).count()) +
         " s";
}

}  // namespace detail

/// A callback that keeps one line on the terminal up to date: RunOptions{.progress = progress_bar("rows")}. Writes to
/// standard error, and nothing at all where that is no terminal.
inline ProgressCallback progress_bar(std::string title = {}) {
  if (!detail::os::is_terminal(stderr)) return [](const Progress&) {};
  return [title = std::move(title)](const Progress& progress) {
    // To the start of the line, and its rest cleared.
    std::fprintf(stderr, "\r%s\033[K%s", detail::progress_line(title, progress).c_str(), progress.is_over ? "\n" : "");
    std::fflush(stderr);
  };
}

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE
