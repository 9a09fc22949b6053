// SPDX-License-Identifier: BSL-1.0
// progress.cpp: what a progress bar says, in as many columns as there are, and that lines of others stand above it.
// Shown to a terminal that the test plays itself, behind a pseudo-terminal.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "system.hpp"

#include <ndshm/pool/progress.hpp>

using ndshm::Progress;
using ndshm::detail::cut_to;
using ndshm::detail::plain_progress_line;
using ndshm::detail::printable;
using ndshm::detail::progress_line;
using ndshm::detail::width_of;
using namespace std::chrono_literals;

namespace {

const Progress half{50, 10, 120, 3s, false};

/// A terminal, as far as a progress bar and lines of text need one: what is on its screen. Sequences that it does not
/// know fail the test.
class Screen {
 public:
  Screen(std::size_t width, std::size_t height) : width_(width), rows_(height) {}

  void resize(std::size_t width) { width_ = width; }

  void write(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\033') {
        i += escape(text.substr(i + 1));
      } else if (text[i] == '\n') {
        down();
      } else if (text[i] == '\r') {
        column_ = 0;
      } else {
        if (column_ == width_) {
          down();
          column_ = 0;
        }
        std::string& row = rows_[row_];
        row.resize(std::max(row.size(), column_ + 1), ' ');
        row[column_++] = text[i];
      }
    }
  }

  /// All that was ever shown, without blank lines at the end and blanks at the ends of lines.
  std::vector<std::string> lines() const {
    std::vector<std::string> result = scrolled_;
    result.insert(result.end(), rows_.begin(), rows_.end());
    for (std::string& line : result) line.erase(line.find_last_not_of(' ') + 1);
    while (!result.empty() && result.back().empty()) result.pop_back();
    return result;
  }

 private:
  /// The bytes of the sequence behind ESC.
  std::size_t escape(std::string_view text) {
    if (text.starts_with("[J")) {
      rows_[row_].resize(std::min(rows_[row_].size(), column_));
      for (std::size_t i = row_ + 1; i < rows_.size(); ++i) rows_[i].clear();
      return 2;
    }
    if (text.starts_with("[A")) return row_ -= row_ > 0 ? 1 : 0, 2;
    if (text.starts_with("[B")) return row_ += row_ + 1 < rows_.size() ? 1 : 0, 2;
    if (text.starts_with("D")) return down(), 1;
    if (text.starts_with("7")) return saved_row_ = row_, saved_column_ = column_, 1;
    if (text.starts_with("8")) return row_ = saved_row_, column_ = saved_column_, 1;
    FAIL("an unknown sequence: " << text);
    return 0;
  }
  void down() {
    if (++row_ < rows_.size()) return;
    --row_;
    scrolled_.push_back(rows_.front());
    rows_.erase(rows_.begin());
    rows_.emplace_back();
  }

  std::size_t width_;
  std::vector<std::string> rows_;
  std::vector<std::string> scrolled_;
  std::size_t row_ = 0;
  std::size_t column_ = 0;
  std::size_t saved_row_ = 0;
  std::size_t saved_column_ = 0;
};

/// A pseudo-terminal; its far end is what a program takes for a terminal.
class Terminal {
 public:
  explicit Terminal(unsigned short width) : near_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    if (near_ < 0 || ::grantpt(near_) != 0 || ::unlockpt(near_) != 0) return;
    const char* const name = ::ptsname(near_);
    if (name == nullptr) return;
    // Not as the controlling terminal, whose end would be the end of this process.
    const int far = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (far < 0) return;
    stream_ = ::fdopen(far, "r+");
    resize(width);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    if (stream_ != nullptr) std::fclose(stream_);
    if (near_ >= 0) ::close(near_);
  }

  explicit operator bool() const { return stream_ != nullptr; }
  std::FILE* stream() const { return stream_; }
  void resize(unsigned short width) const {
    winsize size{};
    size.ws_row = 24;
    size.ws_col = width;
    ::ioctl(::fileno(stream_), TIOCSWINSZ, &size);
  }
  /// Prints as a worker does: past the bar.
  void print(const std::string& text) const {
    std::fputs(text.c_str(), stream_);
    std::fflush(stream_);
  }
  /// What has been written to it since the last call.
  std::string read() const {
    std::string text;
    std::array<char, 4096> bytes{};
    pollfd entry{near_, POLLIN, 0};
    while (::poll(&entry, 1, 0) == 1 && (entry.revents & POLLIN) != 0) {
      const ssize_t count = ::read(near_, bytes.data(), bytes.size());
      if (count <= 0) break;
      text.append(bytes.data(), static_cast<std::size_t>(count));
    }
    return text;
  }

 private:
  int near_;
  std::FILE* stream_ = nullptr;
};

#define REQUIRE_TERMINAL(terminal) \
  if (!(terminal)) SKIP_TEST("there are no pseudo-terminals here")

/// What a progress bar prints where there is no terminal.
class File {
 public:
  std::FILE* stream() const { return stream_.get(); }
  std::string read() const {
    std::string text;
    std::rewind(stream());
    for (int c = std::fgetc(stream()); c != EOF; c = std::fgetc(stream())) text += static_cast<char>(c);
    return text;
  }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream_{std::tmpfile(), std::fclose};
};

/// Sets TERM or COLUMNS until its end.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* const before = std::getenv(name)) before_ = before;
    set_variable(name, value);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { set_variable(name_, before_ ? before_->c_str() : nullptr); }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

}  // namespace

// ---- the line

TEST_CASE("a bar fills the width; what has no room is left out, the least important first") {
  CHECK(progress_line("rows", half, 79) ==
        "rows [=============             ]  50%  60/120  10 failed  20 tasks/s  3 s left");
  CHECK(progress_line("rows", half, 60) == "rows [=========          ]  50%  60/120  10 failed  3 s left");
  CHECK(progress_line("rows", half, 45) == "[====     ]  50%  60/120  10 failed  3 s left");
  CHECK(progress_line("rows", half, 39) == "rows  50%  60/120  10 failed  3 s left");
  CHECK(progress_line("rows", half, 34) == " 50%  60/120  10 failed  3 s left");
  CHECK(progress_line("rows", half, 24) == " 50%  60/120  10 failed");
  CHECK(progress_line("rows", half, 16) == " 50%  10 failed");
  CHECK(progress_line("rows", half, 9) == " 50%");
  CHECK(progress_line("rows", half, 2) == " 5");
  CHECK(progress_line("rows", half, 0).empty());
}

TEST_CASE("a line is never wider than it may be, and exactly so wide where there is a bar") {
  for (std::size_t width = 0; width < 200; ++width) {
    for (const std::size_t done : {std::size_t{0}, std::size_t{1}, std::size_t{99'999}, std::size_t{100'000}}) {
      for (const char* title : {"", "rows", "a title that is much longer than it should be", "日本語のタイトル"}) {
        const std::string line = progress_line(title, {done, 0, 100'000, 12'345s, done == 100'000}, width);
        if (width_of(line) > width || (line.find('[') != std::string::npos && width_of(line) != width)) {
          FAIL(width << " columns: " << line);
        }
      }
    }
  }
  SUCCEED("3,200 lines");
}

TEST_CASE("rate and remaining time are shown when there is something to tell them from") {
  CHECK(progress_line("", {0, 0, 8, 0s, false}, 40) == "[                            ]   0%  0/8");
  CHECK(progress_line("", {2, 0, 8, 1s, false}, 60) == "[======                     ]  25%  2/8  2 tasks/s  3 s left");
  CHECK(progress_line("", {2, 0, 8, 1000s, false}, 60) ==
        "[=====                ]  25%  2/8  0.002 tasks/s  50:00 left");
  CHECK(progress_line("", {8, 0, 8, 4000s, true}, 60) ==
        "[========================] 100%  8/8  0.002 tasks/s  1:06:40");
  CHECK(progress_line("", {1, 0, 1'000'000, 1s, false}, 70).find("277:46:39 left") != std::string::npos);
  CHECK(progress_line("", {1, 0, 1'000'000'000'000, 1s, false}, 70).find("left") == std::string::npos);
}

TEST_CASE("all is not done before the last task is over, and no tasks are done at once") {
  CHECK(progress_line("", {9999, 0, 10'000, 1s, false}, 80).find(" 99%") != std::string::npos);
  CHECK(progress_line("x", {0, 0, 0, 0s, true}, 80).find("100%  0/0") != std::string::npos);
}

TEST_CASE("without a total there is neither a bar nor a remaining time") {
  CHECK(progress_line("rows", {50, 0, std::nullopt, 5s, false}, 80) == "rows 50 tasks  10 tasks/s  5 s");
  CHECK(progress_line("rows", {50, 1, std::nullopt, 5s, false}, 14) == "51 tasks");
  CHECK(plain_progress_line("rows", {50, 0, std::nullopt, 5s, true}) == "rows: 50 tasks  10 tasks/s  5 s");
}

TEST_CASE("titles are cut between characters, and nothing in them moves the cursor") {
  CHECK(cut_to("äöü", 2) == "äö");
  CHECK(cut_to("日本語", 5) == "日本");
  CHECK(cut_to("e\u0301a", 1) == "e\u0301");  // the accent belongs to the e
  CHECK(width_of("日本 é 🦀") == 9);
  CHECK(printable("a\nb\x1b[2Jc\x7f") == "a?b?[2Jc?");
  CHECK(printable("\xc2\x9b"
                  "1") == "?1");  // a C1 control character
  CHECK(printable("\xff"
                  "a\xc3") == "?a?");
  CHECK(printable("\xe2\x82") == "??");
  CHECK(printable("\xc3"
                  "ab\xe2\x82"
                  "c") == "?ab??c");
  CHECK(printable("größe 日本") == "größe 日本");
  const Progress well{60, 0, 120, 3s, false};
  CHECK(progress_line("ääääääääääääääääääää", well, 60).starts_with("ääääääääääääääääääää ["));
  CHECK(progress_line("ääääääääääääääääääääää", well, 60).starts_with("ääääääääääääääääääää ["));
}

// ---- a terminal

TEST_CASE("a bar is as wide as its terminal, also after that was resized", "[terminal]") {
  const Terminal terminal(60);
  REQUIRE_TERMINAL(terminal);
  const auto bar = ndshm::progress_bar({.title = "rows", .stream = terminal.stream()});
  bar(half);
  CHECK(terminal.read().find(progress_line("rows", half, 59)) != std::string::npos);
  terminal.resize(100);
  bar(half);
  CHECK(terminal.read().find(progress_line("rows", half, 99)) != std::string::npos);
  terminal.resize(10);
  bar(half);
  CHECK(terminal.read().find("\r 50%\033") != std::string::npos);
  terminal.resize(1);
  bar(half);
  bar({120, 0, 120, 3s, true});
  // Where the system does not know, COLUMNS is asked, and else it is 80.
  terminal.resize(0);
  terminal.read();
  {
    const Variable columns("COLUMNS", "50");
    bar(half);
    CHECK(terminal.read().find(progress_line("rows", half, 49)) != std::string::npos);
  }
  const Variable columns("COLUMNS", nullptr);
  bar(half);
  CHECK(terminal.read().find(progress_line("rows", half, 79)) != std::string::npos);
}

TEST_CASE("lines that others print stand above the bar and whole, and the bar is left behind at the end",
          "[terminal]") {
  const Terminal terminal(60);
  REQUIRE_TERMINAL(terminal);
  for (const std::size_t height : {std::size_t{4}, std::size_t{24}}) {  // with and without scrolling
    Screen screen(60, height);
    const auto bar = ndshm::progress_bar({.title = "rows", .stream = terminal.stream()});
    terminal.print("before\n");
    for (std::size_t done = 0; done < 8; ++done) {
      const Progress progress{done, 0, 8, 1s, false};
      bar(progress);
      screen.write(terminal.read());
      CHECK(screen.lines().back() == progress_line("rows", progress, 59));
      terminal.print("worker " + std::to_string(done) + "\n");
    }
    bar({7, 0, 8, 1s, false});
    terminal.print("not a whole ");
    bar({7, 0, 8, 1s, false});
    terminal.print("line");
    const Progress over{8, 0, 8, 2s, true};
    bar(over);
    terminal.print("after\n");
    screen.write(terminal.read());
    CHECK(screen.lines() == std::vector<std::string>{"before", "worker 0", "worker 1", "worker 2", "worker 3",
                                                     "worker 4", "worker 5", "worker 6", "worker 7", "not a whole line",
                                                     progress_line("rows", over, 59), "after"});
  }
}

TEST_CASE("a bar whose run did not end is erased with it", "[terminal]") {
  const Terminal terminal(60);
  REQUIRE_TERMINAL(terminal);
  Screen screen(60, 24);
  {
    const auto bar = ndshm::progress_bar({.title = "rows", .stream = terminal.stream()});
    bar(half);
    screen.write(terminal.read());
    CHECK(screen.lines().size() == 2);
  }
  terminal.print("after\n");
  screen.write(terminal.read());
  CHECK(screen.lines() == std::vector<std::string>{"after"});
}

TEST_CASE("a bar that has ended can show another run, and leaves nothing to erase", "[terminal]") {
  const Terminal terminal(60);
  REQUIRE_TERMINAL(terminal);
  Screen screen(60, 24);
  {
    const auto bar = ndshm::progress_bar({.stream = terminal.stream()});
    bar({1, 0, 1, 1s, true});
    bar({0, 0, 2, 1s, false});
    bar({2, 0, 2, 1s, true});
  }
  screen.write(terminal.read());
  CHECK(screen.lines() == std::vector<std::string>{progress_line("", {1, 0, 1, 1s, true}, 59),
                                                   progress_line("", {2, 0, 2, 1s, true}, 59)});
}

TEST_CASE("a terminal that can do nothing gets lines", "[terminal]") {
  const Terminal terminal(60);
  REQUIRE_TERMINAL(terminal);
  const Variable dumb("TERM", "dumb");
  ndshm::progress_bar({.title = "rows", .stream = terminal.stream()})(half);
  CHECK(terminal.read() == "rows:  50%  60/120  10 failed  20 tasks/s  3 s left\r\n");
}

// ---- no terminal

TEST_CASE("where there is no terminal there is a line for each tenth") {
  const File file;
  const auto bar = ndshm::progress_bar({.title = "rows", .stream = file.stream()});
  for (std::size_t run = 0; run < 2; ++run) {  // the second run begins anew
    for (std::size_t done = 0; done <= 40; ++done) bar({done, 0, 40, done * 1s, false});
    bar({40, 0, 40, 40s, true});
  }
  const std::string text = file.read();
  CHECK(std::count(text.begin(), text.end(), '\n') == 2 * 11);
  CHECK(text.starts_with("rows:  10%  4/40  1 tasks/s  36 s left\nrows:  20%  8/40  1 tasks/s  32 s left\n"));
  CHECK(text.ends_with("rows: 100%  40/40  1 tasks/s  40 s\n"));
  CHECK(text.find('\033') == std::string::npos);
}

TEST_CASE("where there is no terminal and little progress there is a line each minute") {
  const File file;
  const auto bar = ndshm::progress_bar({.stream = file.stream()});
  for (int second = 0; second <= 180; ++second) bar({1, 0, std::nullopt, second * 1s, false});
  const std::string text = file.read();
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  CHECK(text.starts_with("1 task  0.017 tasks/s  1:00\n"));
}

TEST_CASE("a run of no tasks, or a very short one, is one line; and none where that is asked for") {
  const File file;
  ndshm::progress_bar({.title = "rows", .stream = file.stream()})({0, 0, 0, 0s, true});
  CHECK(file.read() == "rows: 100%  0/0  0 s\n");
  const File quiet;
  const auto none = ndshm::progress_bar({.stream = quiet.stream(), .lines_without_terminal = false});
  none(half);
  none({120, 0, 120, 100s, true});
  CHECK(quiet.read().empty());
}
