// SPDX-License-Identifier: BSL-1.0
// linux/socket.hpp: sockets through which bytes go with a descriptor. Nothing outside platform/ includes it.
#pragma once

#include <sys/socket.h>

#include <ndshm/platform/unix/socket.hpp>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

using Socket = unix_only::BasicSocket<MSG_CMSG_CLOEXEC>;

}  // namespace ndshm::detail::os
