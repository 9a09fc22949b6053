// SPDX-License-Identifier: BSL-1.0
// windows/socket.hpp: sockets on Windows cannot carry a handle. Nothing outside platform/ includes it.
#pragma once

#include <ndshm/platform/windows/errors.hpp>
// After windows.h.
#include <chrono>
#include <cstddef>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <string>
#include <string_view>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

/// There are no sockets that carry handles.
class Socket {
 public:
  Socket(int, std::chrono::nanoseconds, Context context) {
    throw Error(errc::unsupported, context + "sockets on Windows cannot carry a handle",
                "send the text of array.handle(): it names this process, from which the other one takes the array");
  }
  static constexpr bool is_stream() { return false; }
  static constexpr bool has_end() { return false; }
  void send(std::string_view, int) {}
  std::string receive(std::size_t) { return {}; }
  static constexpr std::size_t descriptors() { return 0; }
  static constexpr bool has_lost_descriptors() { return false; }
  Descriptor take_descriptor() { return {}; }
};

}  // namespace ndshm::detail::os
