// SPDX-License-Identifier: BSL-1.0
// portable/socket.hpp: sockets through which bytes go with a descriptor. macOS has no MSG_CMSG_CLOEXEC. Nothing outside
// platform/ includes it.
#pragma once

#include <ndshm/platform/unix/socket.hpp>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

using Socket = unix_only::BasicSocket<0>;

}  // namespace ndshm::detail::os
