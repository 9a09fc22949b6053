// SPDX-License-Identifier: BSL-1.0
// progress_line.hpp: what a progress bar says, in as many columns as there are. Text alone: prints nothing and makes no
// system call. Includes the standard library.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <ndshm/core/config.hpp>
#include <ndshm/pool/progress_state.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// One character of UTF-8 text: its bytes, none for what is no UTF-8, and the columns that a terminal gives it.
struct Character {
  std::size_t bytes = 0;
  std::size_t columns = 0;
};

/// Columns as East Asian Width (Unicode's UAX 11) has them, in ranges as coarse as a title needs.
inline std::size_t columns_of(char32_t code) {
  const auto in = [&](char32_t first, char32_t last) { return code >= first && code <= last; };
  if (in(0x300, 0x36f) || in(0x200b, 0x200f) || in(0x20d0, 0x20ff) || in(0xfe00, 0xfe0f)) return 0;
  const bool is_wide = in(0x1100, 0x115f) || in(0x2e80, 0xa4cf) || in(0xac00, 0xd7a3) || in(0xf900, 0xfaff) ||
                       in(0xfe30, 0xfe6f) || in(0xff00, 0xff60) || in(0xffe0, 0xffe6) || in(0x1f300, 0x1faff) ||
                       in(0x20000, 0x3fffd);
  return is_wide ? 2 : 1;
}

/// Returns the first character of a text that is not empty.
inline Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, 1};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {};
  char32_t code = lead & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    code = (code << 6U) | (byte(i) & 0x3fU);
  }
  return {bytes, columns_of(code)};
}

/// Returns the text with ? for control characters and for bytes that are no UTF-8: nothing in it moves the cursor.
inline std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Character character = first_character(text);
    const auto lead = static_cast<unsigned char>(text[0]);
    // The control characters of ISO 6429: C0, DEL, and C1, which UTF-8 writes as 0xc2 0x80 to 0xc2 0x9f.
    const bool is_control = lead < 0x20 || lead == 0x7f ||
                            (lead == 0xc2 && character.bytes == 2 && static_cast<unsigned char>(text[1]) < 0xa0);
    if (character.bytes == 0 || is_control) {
      result += '?';
    } else {
      result.append(text.substr(0, character.bytes));
    }
    text.remove_prefix(std::max<std::size_t>(1, character.bytes));
  }
  return result;
}

/// Returns the columns of printable text.
inline std::size_t width_of(std::string_view text) {
  std::size_t columns = 0;
  for (; !text.empty(); text.remove_prefix(std::max<std::size_t>(1, first_character(text).bytes))) {
    columns += first_character(text).columns;
  }
  return columns;
}

/// Returns as many whole characters of printable text as fit into the columns.
inline std::string cut_to(std::string_view text, std::size_t columns) {
  std::size_t end = 0;
  while (end < text.size()) {
    const Character next = first_character(text.substr(end));
    if (next.columns > columns) break;
    columns -= next.columns;
    end += std::max<std::size_t>(1, next.bytes);
  }
  return std::string(text.substr(0, end));
}

/// `8 s`, `1:05`, `2:03:00`.
inline std::string format_clock(std::chrono::seconds time) {
  const auto seconds = time.count();
  std::array<char, 48> text{};
  if (seconds < 60) {
    std::snprintf(text.data(), text.size(), "%lld s", static_cast<long long>(seconds));
  } else if (seconds < 3600) {
    std::snprintf(text.data(), text.size(), "%lld:%02lld", static_cast<long long>(seconds / 60),
                  static_cast<long long>(seconds % 60));
  } else {
    std::snprintf(text.data(), text.size(), "%lld:%02lld:%02lld", static_cast<long long>(seconds / 3600),
                  static_cast<long long>(seconds / 60 % 60), static_cast<long long>(seconds % 60));
  }
  return text.data();
}

/// The figures of a progress, each as text; empty where there is nothing to say.
struct ProgressFigures {
  std::string percent{};  // ` 50%`
  std::string count{};    // `60/120`, or `60 tasks` where there is no total
  std::string failed{};   // `10 failed`
  std::string rate{};     // `20 tasks/s`, the mean since the beginning
  std::string time{};     // `3 s left`, or `6 s` at the end and where there is no total
};

inline ProgressFigures figures_of(const Progress& progress) {
  ProgressFigures figures;
  const std::size_t over = progress.done + progress.failed;
  const double seconds = std::chrono::duration<double>(progress.elapsed).count();
  const double rate = seconds > 0 ? static_cast<double>(over) / seconds : 0;
  std::array<char, 48> text{};
  if (progress.total) {
    // Rounded down: not 100 before the last one is over.
    std::snprintf(text.data(), text.size(), "%3d%%", static_cast<int>(progress.fraction() * 100));
    figures.percent = text.data();
  }
  figures.count = std::to_string(over);
  figures.count += progress.total ? "/" + std::to_string(*progress.total) : over == 1 ? " task" : " tasks";
  if (progress.failed > 0) figures.failed = std::to_string(progress.failed) + " failed";
  if (rate > 0) {
    std::snprintf(text.data(), text.size(), rate < 10 ? "%.2g tasks/s" : "%.0f tasks/s", rate);
    figures.rate = text.data();
  }
  if (progress.is_over || !progress.total) {
    figures.time = format_clock(std::chrono::duration_cast<std::chrono::seconds>(progress.elapsed));
  } else if (rate > 0) {
    constexpr double most = 999.0 * 3600;  // what would take longer is not foreseen
    const double left = static_cast<double>(*progress.total - (std::min)(over, *progress.total)) / rate;
    if (left < most) figures.time = format_clock(std::chrono::seconds(std::llround(left))) + " left";
  }
  return figures;
}

/// What of a progress is shown, where not everything has room.
struct ProgressLayout {
  bool title, bar, count, failed, rate, time;
};

/// The figures that a layout has, one behind the other.
inline std::string join(const ProgressFigures& figures, const ProgressLayout& layout) {
  std::string text = figures.percent;
  const auto add = [&](bool is_shown, const std::string& figure) {
    if (!is_shown || figure.empty()) return;
    if (!text.empty()) text += "  ";
    text += figure;
  };
  add(layout.count || figures.percent.empty(), figures.count);
  add(layout.failed, figures.failed);
  add(layout.rate, figures.rate);
  add(layout.time, figures.time);
  return text;
}

/// Returns `rows [=======       ]  50%  60/120  10 failed  20 tasks/s  3 s left`: at most `width` columns, and exactly
/// that many where there is a bar. A title has a third of them at most.
inline std::string progress_line(std::string_view title, const Progress& progress, std::size_t width) {
  constexpr std::size_t least_bar = 10;
  constexpr std::array<ProgressLayout, 8> layouts{{{true, true, true, true, true, true},
                                                   {true, true, true, true, false, true},
                                                   {false, true, true, true, false, true},
                                                   {true, false, true, true, false, true},
                                                   {false, false, true, true, false, true},
                                                   {false, false, true, true, false, false},
                                                   {false, false, false, true, false, false},
                                                   {false, false, false, false, false, false}}};
  const ProgressFigures figures = figures_of(progress);
  const std::string heading = title.empty() ? "" : cut_to(title, std::max<std::size_t>(12, width / 3)) + " ";
  for (const ProgressLayout& layout : layouts) {
    const std::string end = join(figures, layout);
    const std::size_t used = (layout.title ? width_of(heading) : 0) + end.size();
    const bool has_bar = layout.bar && progress.total;
    if (used + (has_bar ? least_bar + 1 : 0) > width) continue;
    std::string line = layout.title ? heading : "";
    if (has_bar) {
      const std::size_t cells = width - used - 3;  // but for the brackets and a space
      const auto full = (std::min)(cells, static_cast<std::size_t>(progress.fraction() * static_cast<double>(cells)));
      line += "[" + std::string(full, '=') + std::string(cells - full, ' ') + "] ";
    }
    return line + end;
  }
  return cut_to(join(figures, layouts.back()), width);
}

/// Returns `rows:  50%  60/120  10 failed  20 tasks/s  3 s left`, for where there is no terminal.
inline std::string plain_progress_line(std::string_view title, const Progress& progress) {
  const std::string heading = title.empty() ? "" : std::string(title) + ": ";
  return heading + join(figures_of(progress), {true, false, true, true, true, true});
}

}  // namespace ndshm::detail
