// SPDX-License-Identifier: BSL-1.0
// pnm.cpp: the images of the example image_filter: what is written is read back, and each rule has a file that breaks
// it.
#include "../examples/pnm.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace std::string_literals;

namespace {

template <class Sample>
std::vector<Sample> samples_of(const std::string& file) {
  const pnm::Header header = pnm::parse(file, "test");
  std::vector<Sample> samples(header.samples());
  pnm::decode<Sample>(file, header, samples, "test");
  return samples;
}

/// What is said of a file; nothing when it is read.
std::string complaint(const std::string& file) {
  try {
    if (pnm::parse(file, "test").sample_bytes() == 1) {
      samples_of<std::uint8_t>(file);
    } else {
      samples_of<std::uint16_t>(file);
    }
  } catch (const pnm::Error& error) {
    return error.what();
  }
  return {};
}

template <class Sample>
void check_round_trip(const pnm::Header& header) {
  std::vector<Sample> samples(header.samples());
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<Sample>(i * 7919 % (header.maximum + 1));
  const std::string file = pnm::encode<Sample>(header, samples);
  pnm::Header read = pnm::parse(file, "test");
  CHECK(file.size() == read.bytes + samples.size() * sizeof(Sample));
  read.bytes = header.bytes;
  CHECK(read == header);
  CHECK(samples_of<Sample>(file) == samples);
}

}  // namespace

TEST_CASE("images of one and three channels, of 8 and 16 bits, are read as they were written") {
  for (const std::size_t channels : {1U, 3U}) {
    for (const std::uint32_t maximum : {1U, 100U, 255U}) check_round_trip<std::uint8_t>({5, 7, channels, maximum});
    for (const std::uint32_t maximum : {256U, 1023U, 65535U})
      check_round_trip<std::uint16_t>({5, 7, channels, maximum});
  }
}

TEST_CASE("headers are read as the format allows them to be written") {
  const std::vector<std::uint8_t> two{'a', 'b'};
  CHECK(samples_of<std::uint8_t>("P5 2 1 255\nab") == two);
  CHECK(samples_of<std::uint8_t>("P5\n# by hand\n2#wide\n# and\n\t1\r\n#low\n#\n255 ab") == two);
  CHECK(samples_of<std::uint8_t>("P5 002 1 255 abP5 2 1 255 cd") == two);                    // the first of two images
  CHECK(samples_of<std::uint8_t>("P5 2 1 255\n#b") == std::vector<std::uint8_t>{'#', 'b'});  // no comment any more
  CHECK(samples_of<std::uint8_t>("P5 2 1 255\n\n ") == std::vector<std::uint8_t>{'\n', ' '});
  CHECK(samples_of<std::uint16_t>("P5 1 1 65535\n\x12\x34") == std::vector<std::uint16_t>{0x1234});
}

TEST_CASE("a malformed file is refused, with what is wrong") {
  const auto is_refused = [](const std::string& file, const std::string& part) {
    INFO(complaint(file));
    CHECK(complaint(file).starts_with("\"test\": "));
    CHECK(complaint(file).find(part) != std::string::npos);
  };
  is_refused("", "starts with neither P6 nor P5");
  is_refused("P", "starts with neither P6 nor P5");
  is_refused("\x89PNG\r\n", "convert it, with pngtopnm");
  is_refused("P3 1 1 255 1 2 3", "samples as text (P3); make it binary");
  is_refused("P5", "it ends before its width, after 2 bytes");
  is_refused("P5 2 ", "it ends before its height");
  is_refused("P5 2 1 # 255", "it ends before its maximum");
  is_refused("P52 1 255\nab", "something else than numbers in its header, at byte 2");
  is_refused("P5 2 1 25x ab", "one space or newline");
  is_refused("P5 2 1 255", "one space or newline");
  is_refused("P5 2x1 255\nab", "something else than numbers in its header, at byte 4");
  is_refused("P5 x 1 255\nab", "its width is no number, at byte 3");
  is_refused("P5 -2 1 255\nab", "its width is no number, at byte 3");
  is_refused("P5 0 1 255\n", "its width is 0, it has to be 1 to ");
  is_refused("P5 2 0 255\n", "its height is 0");
  is_refused("P5 2 1 0\nab", "its maximum is 0, it has to be 1 to 65535");
  is_refused("P5 2 1 65536\nabcd", "its maximum is 65536, it has to be 1 to 65535");
  is_refused("P5 99999999999999999999999999999999999 1 255\nab",
             "its width is 99999999999999999999, it has to be 1 to 1000000");
  is_refused("P5 2 1 255\na", "it has 1 bytes of samples, not those of 2 x 1 x 1 samples of 1 bytes; copy it again");
  is_refused("P6 2 1 255\nabcde", "it has 5 bytes of samples, not those of 2 x 1 x 3");
  is_refused("P5 2 1 256\nabc", "it has 3 bytes of samples, not those of 2 x 1 x 1 samples of 2 bytes");
  is_refused("P6 1000000 1000000 65535\n",
             "it has 0 bytes of samples, not those of 1000000 x 1000000 x 3 samples of 2 bytes");
  is_refused("P5 2 1 97\nab", "sample 1 is 98, above the maximum of 97");
  is_refused("P5 1 1 300\n\x01\x2d"s, "sample 0 is 301, above the maximum of 300");
}

TEST_CASE("a header that is cut off anywhere is refused") {
  const std::string file = "P6 # a comment\n2 # another\n1\n255\nabcdef";
  for (std::size_t size = 0; size < file.size(); ++size) {
    INFO(size);
    CHECK_FALSE(complaint(file.substr(0, size)).empty());
  }
  CHECK(complaint(file).empty());
}

TEST_CASE("files that cannot be read or written are named") {
  const auto error_of_call = [](auto call) -> std::string {
    try {
      call();
    } catch (const pnm::Error& error) {
      return error.what();
    }
    return {};
  };
  for (const std::string name : {"/no/such/file.ppm", "/"}) {
    CHECK(error_of_call([&] { pnm::read_file(name); }).starts_with("\"" + name + "\": it cannot be read"));
    CHECK(error_of_call([&] { pnm::write_file(name, "abc"); }).starts_with("\"" + name + "\": its 3 bytes cannot"));
  }
}

TEST_CASE("samples are not put where they do not fit") {
  const std::string file = "P5 2 1 255\nab";
  const pnm::Header header = pnm::parse(file, "test");
  std::vector<std::uint8_t> three(3);
  std::vector<std::uint16_t> wide(2);
  CHECK_THROWS_AS(pnm::decode<std::uint8_t>(file, header, three, "test"), std::invalid_argument);
  CHECK_THROWS_AS(pnm::decode<std::uint16_t>(file, header, wide, "test"), std::invalid_argument);
}
