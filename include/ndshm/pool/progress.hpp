// SPDX-License-Identifier: BSL-1.0
// progress.hpp: a bar that shows on a terminal how far a run of a worker pool is, and lines where there is none.
// Includes progress_line.hpp and platform/, no xtensor.
//
// Workers are other processes that print to the same terminal without asking. The bar therefore stands one line below
// the cursor, which stays where it was: what is printed next goes above the bar. Each time it is drawn, everything
// below the cursor is erased first. Sequences: ECMA-48 (ED, IND, CUU, CUD) and DEC's save and restore of the cursor.
#pragma once

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <ndshm/core/config.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/pool/progress_line.hpp>
#include <ndshm/pool/progress_state.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// What progress_bar() shows, and where.
struct ProgressBarOptions {
  std::string title{};         ///< UTF-8
  std::FILE* stream = stderr;  ///< where it is shown
  /// Where the stream is no terminal (or TERM is dumb): a line for each 10 % of the tasks, or each minute where that
  /// comes first, and one at the end. false: nothing.
  bool lines_without_terminal = true;
};

namespace detail {

/// Shows one run after the other; not copied, because it knows what is on the terminal.
class ProgressBar {
 public:
  explicit ProgressBar(const ProgressBarOptions& options)
      : stream_(options.stream),
        title_(printable(options.title)),
        prints_lines_(options.lines_without_terminal),
        is_terminal_(os::is_terminal(options.stream) && !is_dumb()),
        process_(os::process_id()) {}
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  /// A bar whose run was left by an exception is erased.
  ~ProgressBar() {
    if (is_drawn_ && os::process_id() == process_) write("\033[J");
  }

  void show(const Progress& progress) {
    if (is_terminal_) {
      draw(progress);
    } else if (prints_lines_) {
      print(progress);
    }
  }

 private:
  static bool is_dumb() {
    const char* const terminal = std::getenv("TERM");
    return terminal != nullptr && std::string_view(terminal) == "dumb";
  }

  /// Asked each time, because a terminal can be resized.
  std::size_t width() const {
    if (const std::size_t columns = os::terminal_width(stream_); columns > 0) return columns;
    const char* const text = std::getenv("COLUMNS");
    const std::string_view digits = text == nullptr ? "" : text;
    std::size_t columns = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), columns);
    return columns > 0 ? columns : 80;
  }

  void draw(const Progress& progress) {
    const std::size_t columns = width();
    // The last column stays free: some terminals go on to the next line when it is written to.
    const std::string line = progress_line(title_, progress, columns - 1);
    is_drawn_ = !progress.is_over;
    if (progress.is_over) {
      // At the start of a line: so many blanks run into the next one unless the cursor is at the start already.
      return write(std::string(columns - 1, ' ') + "\r\033[J" + line + "\n");
    }
    // Erase what is below the cursor; make room for one more line; and there, with the cursor saved, draw.
    write("\033[J\033D\033[A\0337\033[B\r" + line + "\0338");
  }

  void print(const Progress& progress) {
    const auto tenth = static_cast<int>(progress.fraction() * 10);
    if (!progress.is_over && tenth <= last_tenth_ && progress.elapsed - last_printed_ < std::chrono::minutes(1)) return;
    last_tenth_ = progress.is_over ? 0 : tenth;
    last_printed_ = progress.is_over ? std::chrono::nanoseconds(0) : progress.elapsed;
    write(plain_progress_line(title_, progress) + "\n");
  }

  /// All at once, so that nothing of another process comes in between.
  void write(const std::string& text) const {
    std::fwrite(text.data(), 1, text.size(), stream_);
    std::fflush(stream_);
  }

  std::FILE* stream_;
  std::string title_;
  bool prints_lines_;
  bool is_terminal_;
  std::uint64_t process_;
  bool is_drawn_ = false;
  int last_tenth_ = 0;
  std::chrono::nanoseconds last_printed_{0};
};

}  // namespace detail

/// Returns a callback that shows how far a run is: RunOptions{.progress = progress_bar({.title = "rows"})}. On a
/// terminal it is a bar as wide as that, with the tasks that are over, those that failed, the rate and the remaining
/// time, drawn about ten times a second and left behind at the end. Lines that workers print stand above it; of a line
/// that is not the first one between two draws, what is shorter than the bar may have the bar's rest behind it. Where
/// there is no terminal it prints lines, see ProgressBarOptions. Used for several runs, one after the other, it begins
/// anew with each. The stream has to outlive it. Throws: nothing of its own.
inline ProgressCallback progress_bar(const ProgressBarOptions& options) {
  return [bar = std::make_shared<detail::ProgressBar>(options)](const Progress& progress) { bar->show(progress); };
}

/// Does the same, on standard error: progress_bar("rows").
inline ProgressCallback progress_bar(std::string title = {}) {
  return progress_bar(ProgressBarOptions{.title = std::move(title)});
}

}  // namespace ndshm
