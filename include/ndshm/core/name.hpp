// SPDX-License-Identifier: BSL-1.0
// name.hpp: what a segment may be called, the same rules on every system but for the length. Includes error.hpp.
#pragma once

#include <cstddef>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/core/text.hpp>
#include <string>
#include <string_view>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// No system allows longer names than this: a file name of 255 bytes less the prefix of the library.
inline constexpr std::size_t max_name_bytes_anywhere = 249;

/// Nor longer paths of directories than this (PATH_MAX of Linux).
inline constexpr std::size_t max_directory_bytes = 4096;

/// Which segment is meant: a name that has been checked, and where it counts. Anonymous segments have none.
struct SegmentName {
  std::string text{};
  std::string directory{};
  Scope scope = Scope::session;
};

/// Throws errc::invalid_name. `context` starts the message.
inline void check_name(std::string_view name, std::size_t longest, Context context) {
  const auto fail = [&](const std::string& why, std::string_view remedy = {}) {
    throw Error(errc::invalid_name, context + why, remedy);
  };
  if (name.empty()) fail("the name is empty", "omit it for an anonymous array");
  if (const std::size_t slash = name.rfind('/'); slash != std::string_view::npos) {
    // Where the system shows segments as files these have a prefix: `/dev/shm/ndshm.weights`.
    std::string_view file = name.substr(slash + 1);
    const bool is_path = slash > 0 && (file.starts_with("ndshm.") || file.starts_with("ndshm_"));
    if (is_path) file.remove_prefix(std::string_view("ndshm.").size());
    fail(is_path ? "this is the path of a segment" : "the name has a '/' in it",
         "write " + in_quotes(file.empty() ? "weights" : file));
  }
  if (name.find('\\') != std::string_view::npos) fail("the name has a backslash in it, which Windows does not allow");
  if (name.find('\0') != std::string_view::npos) fail("the name has a NUL in it");
  if (name.starts_with("ndshm1:")) fail("this is the text of a handle", "attach<T, N>(ndshm::Handle::parse(text))");
  if (name.size() > longest) {
    fail("the name has " + std::to_string(name.size()) + " bytes; at most " + std::to_string(longest) + " are allowed");
  }
}

}  // namespace ndshm::detail
