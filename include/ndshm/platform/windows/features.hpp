// SPDX-License-Identifier: BSL-1.0
// windows/features.hpp: what Windows can do. Nothing outside platform/ includes it.
#pragma once

#include <ndshm/core/config.hpp>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

template <class>
inline constexpr bool has_fork = false;
inline constexpr bool has_persistence = false;
inline constexpr bool can_list = false;

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os
