// SPDX-License-Identifier: BSL-1.0
// npy_header.hpp: what a .npy header says, how long one is, and the one canonical form in which the library writes it.
// npy_parser.hpp reads them. No operating system and no xtensor in here. Source:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstddef>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/text.hpp>
#include <string>
#include <string_view>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::npy {

/// What a .npy header says.
struct Header {
  std::string descr;           ///< element type as NumPy writes it, without quotes: `<f8` or `[('x', '<f4')]`
  std::size_t itemsize = 0;    ///< bytes of one element
  bool fortran_order = false;  ///< the first index varies fastest
  Shape shape;                 ///< elements along each dimension; empty for a 0-d array
};

/// The most characters that NumPy reads as a header without being asked to trust the file.
inline constexpr std::size_t max_text = 10'000;

/// The bytes in front of which the length of a header is not known yet: magic, version, length.
inline constexpr std::size_t preamble_bytes = 12;

/// Deeper nesting of structs in structs than this is refused.
inline constexpr int max_depth = 32;

/// A descr and the size of what it describes.
struct Type {
  std::string descr;
  std::size_t itemsize = 0;
};

/// Bytes of the whole header, told by its first `preamble_bytes` bytes.
/// Throws errc::invalid_header when they are not the start of a .npy header. `context` starts the message.
inline std::size_t header_bytes(std::string_view preamble, Context context = {}) {
  auto fail = [&](const char* what) { throw Error(errc::invalid_header, context + ".npy header: " + what); };
  constexpr std::string_view magic = "\x93NUMPY";
  if (preamble.size() < preamble_bytes) fail("it is shorter than its own length field");
  if (!preamble.starts_with(magic)) fail("the magic is missing");
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(preamble[i])}; };
  const std::size_t major = byte(6);
  if (major < 1 || major > 3 || byte(7) != 0) fail("its version is not 1.0, 2.0 or 3.0");
  const std::size_t fixed = major == 1 ? 10 : 12;
  const std::size_t text =
      major == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  if (text > max_text) fail("it is longer than the 10,000 characters that NumPy reads");
  if (text == 0) fail("it is empty");
  return fixed + text;
}

/// The canonical header: version 1.0, keys in NumPy's order, 128 bytes in all, or the next multiple of 64 that the
/// readers of xtensor and cnpy take too (they read the low byte of the length as a signed number).
/// Throws errc::invalid_header when the description of a struct is longer than NumPy reads.
inline std::string format(const Header& header) {
  constexpr std::size_t fixed = 10;
  std::string bytes;
  bytes.reserve(128);
  bytes.append("\x93NUMPY\x01\x00\x00\x00", fixed);
  const bool is_struct = header.descr.front() == '[';
  bytes.append("{'descr': ").append(is_struct ? "" : "'").append(header.descr).append(is_struct ? "" : "'");
  bytes.append(header.fortran_order ? ", 'fortran_order': True" : ", 'fortran_order': False").append(", 'shape': ");
  append_tuple(bytes, header.shape);
  bytes.append(", }");
  std::size_t total = 128;
  while (total < bytes.size() + 1 || (total - fixed) % 256 >= 128) total += 64;
  if (total - fixed > max_text) {
    throw Error(errc::invalid_header,
                ".npy header: it needs " + std::to_string(bytes.size()) + " bytes, but NumPy reads at most 10,000",
                "describe fewer members of the struct");
  }
  bytes[8] = static_cast<char>((total - fixed) % 256);
  bytes[9] = static_cast<char>((total - fixed) / 256);
  bytes.resize(total - 1, ' ');
  return bytes += '\n';
}

}  // namespace ndshm::detail::npy
