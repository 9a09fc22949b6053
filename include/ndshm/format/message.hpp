// SPDX-License-Identifier: BSL-1.0
// message.hpp: the bytes of a message that hands an array over. No operating system.
//
// A message is the magic `ndshm>1\n`, the length of what follows as 4 bytes, lowest first, and a handle's text; with
// its first byte travels the descriptor of an anonymous array, which the text calls `message=0`. Nothing beyond a
// message's end is ever read, so that messages may follow each other, and anything else may follow them.
#pragma once

#include <cstddef>
#include <limits>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/name.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/npy_header.hpp>
#include <string>
#include <string_view>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

inline constexpr std::string_view message_magic = "ndshm>1\n";
inline constexpr std::size_t message_prefix_bytes = message_magic.size() + 4;

/// Bytes of the longest text of a handle that names an array of this library, or a view of one with as many dimensions.
/// A header of 10,000 characters has no room for more than a third as many dimensions.
inline constexpr std::size_t max_message_text = [] {
  constexpr std::size_t number = std::numeric_limits<std::size_t>::digits10 + 2;  // with a sign or a comma each
  constexpr std::size_t escaped = 3;                                              // %XX
  constexpr std::size_t words =
      std::string_view("ndshm1:dir=:scope=machine:name=:uuid=:type=:shape=:strides=:offset=:access=rw").size();
  return words + escaped * (max_name_bytes_anywhere + max_directory_bytes) + 36 + escaped * npy::max_text +
         2 * number * (npy::max_text / 3) + number;
}();

inline std::string message_of(const std::string& text, Context context) {
  if (text.size() > max_message_text) {
    throw Error(errc::invalid_argument, context + "the handle has " + std::to_string(text.size()) +
                                            " characters, a message takes " + std::to_string(max_message_text));
  }
  std::string bytes(message_magic);
  for (std::size_t i = 0, rest = text.size(); i < 4; ++i, rest /= 256) bytes += static_cast<char>(rest % 256);
  return bytes + text;
}

/// Bytes of the text that a message has, or announces.
inline std::size_t text_bytes(std::string_view bytes, Context context) {
  if (!message_magic.starts_with(bytes.substr(0, message_magic.size()))) {
    throw Error(errc::invalid_handle, context + "what was received is not a message of ndshm::send: it starts with " +
                                          in_quotes(bytes.substr(0, message_magic.size())));
  }
  if (bytes.size() < message_prefix_bytes) {
    throw Error(errc::invalid_handle,
                context + "the message ends after " + std::to_string(bytes.size()) + " bytes, before its length");
  }
  std::size_t length = 0;
  for (std::size_t i = message_prefix_bytes; i-- > message_magic.size();) {
    length = length * 256 + static_cast<unsigned char>(bytes[i]);
  }
  if (length > max_message_text) {
    throw Error(errc::invalid_handle, context + "the message announces a text of " + std::to_string(length) +
                                          " bytes, a handle has at most " + std::to_string(max_message_text));
  }
  return length;
}

}  // namespace ndshm::detail
