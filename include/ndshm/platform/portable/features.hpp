// SPDX-License-Identifier: BSL-1.0
// portable/features.hpp: what any POSIX system can do. Nothing outside platform/ includes it.
#pragma once

#include <ndshm/core/config.hpp>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

template <class>
inline constexpr bool has_fork = true;
inline constexpr bool has_persistence = true;
inline constexpr bool can_list = true;

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os
