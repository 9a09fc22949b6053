// SPDX-License-Identifier: BSL-1.0
// pnm.hpp: reads and writes images in the binary PPM (P6, three channels) and PGM (P5, one) formats, with samples of 8
// and 16 bits. The formats: https://netpbm.sourceforge.net/doc/ppm.html and pgm.html. Includes the standard library
// alone; tests/pnm.cpp gives it malformed files.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace pnm {

/// What stands before the samples.
struct Header {
  std::size_t width = 0;
  std::size_t height = 0;
  std::size_t channels = 1;   ///< 1: grey, P5; 3: red, green, blue, P6
  std::uint32_t maximum = 0;  ///< the sample that stands for full intensity, 1 to 65535
  std::size_t bytes = 0;      ///< of the header, when it was read from a file

  std::size_t sample_bytes() const noexcept { return maximum < 256 ? 1 : 2; }
  std::size_t samples() const noexcept { return width * height * channels; }
  friend bool operator==(const Header&, const Header&) = default;
};

/// Thrown for files that cannot be read or written. Says which file, what is wrong with the figures, and what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {

inline std::string to_string(const Header& header) {
  return std::to_string(header.width) + " x " + std::to_string(header.height) + " x " +
         std::to_string(header.channels) + " samples of " + std::to_string(header.sample_bytes()) + " bytes";
}

class HeaderParser {
 public:
  HeaderParser(std::string_view file, const std::string& name) : file_(file), name_(name) {}

  Header header() {
    Header result;
    result.channels = channels();
    result.width = number("width", largest_side);
    result.height = number("height", largest_side);
    result.maximum = static_cast<std::uint32_t>(number("maximum", 65535));
    if (at_ == file_.size() || !is_space(file_[at_])) fail("one space or newline has to stand after the maximum");
    result.bytes = at_ + 1;
    require_samples(result);
    return result;
  }

 private:
  static constexpr std::size_t largest_side = 1'000'000;

  [[noreturn]] void fail(const std::string& what) const { throw Error("\"" + name_ + "\": " + what); }

  static bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  std::size_t channels() {
    const std::string_view magic = file_.substr(0, 2);
    at_ = 2;
    if (magic == "P5") return 1;
    if (magic == "P6") return 3;
    if (magic == "P2" || magic == "P3") {
      fail("it has its samples as text (" + std::string(magic) + "); make it binary: pnmtopnm old > new");
    }
    fail("it starts with neither P6 nor P5, it is no binary PPM or PGM image; convert it, with pngtopnm or magick");
  }

  /// Skips white space and comments, of which there has to be some.
  void skip_space() {
    const std::size_t start = at_;
    while (at_ < file_.size() && (is_space(file_[at_]) || file_[at_] == '#')) {
      if (file_[at_] == '#') {
        at_ = std::min(file_.find_first_of("\r\n", at_), file_.size());
      } else {
        ++at_;
      }
    }
    if (at_ == start && at_ < file_.size())
      fail("there is something else than numbers in its header, at byte " + std::to_string(at_));
  }

  /// The number that comes next, 1 to `most`.
  std::size_t number(const std::string& what, std::size_t most) {
    skip_space();
    const std::size_t start = at_;
    std::size_t value = 0;
    for (; at_ < file_.size() && is_digit(file_[at_]); ++at_) {
      value = std::min(value * 10 + static_cast<std::size_t>(file_[at_] - '0'), most + 1);
    }
    if (start == file_.size()) {
      fail("it ends before its " + what + ", after " + std::to_string(start) + " bytes; copy it again");
    }
    if (at_ == start) fail("its " + what + " is no number, at byte " + std::to_string(start));
    if (value == 0 || value > most) {
      fail("its " + what + " is " + std::string(file_.substr(start, std::min<std::size_t>(at_ - start, 20))) +
           ", it has to be 1 to " + std::to_string(most) + "; is it an image?");
    }
    return value;
  }

  /// The file has to have as many bytes as it says.
  void require_samples(const Header& header) const {
    const std::uint64_t wanted = std::uint64_t{header.width} * header.height * header.channels * header.sample_bytes();
    const std::size_t there = file_.size() - header.bytes;
    if (there < wanted) {
      fail("it has " + std::to_string(there) + " bytes of samples, not those of " + to_string(header) +
           "; copy it again");
    }
  }

  std::string_view file_;
  const std::string& name_;
  std::size_t at_ = 0;
};

}  // namespace detail

/// The whole file. Throws Error.
inline std::string read_file(const std::string& name) {
  const std::ifstream in(name, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  if (!in || !bytes) throw Error("\"" + name + "\": it cannot be read, or is empty; is the name right?");
  return bytes.str();
}

/// Reads the header of a file's bytes and checks that all samples are there. Of a file with several images the first
/// one is read. `name` is for messages. Throws Error.
inline Header parse(std::string_view file, const std::string& name) {
  return detail::HeaderParser(file, name).header();
}

/// Puts the samples of a file whose header was parsed into `samples`, row by row, the channels of a pixel side by side.
/// Sample: std::uint8_t for a maximum below 256, std::uint16_t otherwise. Throws Error for one that is above the
/// maximum.
template <class Sample>
void decode(std::string_view file, const Header& header, std::span<Sample> samples, const std::string& name) {
  static_assert(std::is_same_v<Sample, std::uint8_t> || std::is_same_v<Sample, std::uint16_t>);
  if (sizeof(Sample) != header.sample_bytes() || samples.size() != header.samples()) {
    throw std::invalid_argument("pnm::decode: room for " + std::to_string(samples.size()) + " samples of " +
                                std::to_string(sizeof(Sample)) + " bytes, not for " + detail::to_string(header));
  }
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(file[header.bytes + i]); };
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if constexpr (sizeof(Sample) == 1) {
      samples[i] = byte(i);
    } else {
      samples[i] = static_cast<Sample>(byte(2 * i) << 8 | byte(2 * i + 1));  // big-endian
    }
    if (samples[i] > header.maximum) {
      throw Error("\"" + name + "\": sample " + std::to_string(i) + " is " + std::to_string(samples[i]) +
                  ", above the maximum of " + std::to_string(header.maximum) + "; one of them is wrong");
    }
  }
}

/// The bytes of a file with these samples.
template <class Sample>
std::string encode(const Header& header, std::span<const Sample> samples) {
  std::string file = (header.channels == 3 ? "P6\n" : "P5\n") + std::to_string(header.width) + " " +
                     std::to_string(header.height) + "\n" + std::to_string(header.maximum) + "\n";
  file.reserve(file.size() + samples.size_bytes());
  for (const Sample sample : samples) {
    if constexpr (sizeof(Sample) == 2) file += static_cast<char>(sample >> 8);
    file += static_cast<char>(sample & 0xff);
  }
  return file;
}

/// Writes a whole file. Throws Error.
inline void write_file(const std::string& name, std::string_view bytes) {
  std::ofstream out(name, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out)
    throw Error("\"" + name + "\": its " + std::to_string(bytes.size()) + " bytes cannot be written; is there room?");
}

}  // namespace pnm
