// SPDX-License-Identifier: BSL-1.0
// new_uuid.hpp: the random UUID of a new segment. Includes control_page.hpp and platform/.
#pragma once

#include <boost/uuid/uuid.hpp>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/format/control_page.hpp>
#include <ndshm/platform/platform.hpp>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// A UUID of version 4 (RFC 9562, 5.4), never nil. Throws errc::system_error where the system has no random bytes.
inline Uuid new_uuid(Context context) {
  Uuid uuid{};
  auto* const bytes = uuid.begin();
  if (!os::random_bytes(bytes, uuid.size())) {
    throw os::refused(os::last_error(), context, "random bytes for its UUID");
  }
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0fU) | 0x40U);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3fU) | 0x80U);
  return uuid;
}

}  // namespace ndshm::detail
