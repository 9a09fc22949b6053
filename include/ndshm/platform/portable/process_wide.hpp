// SPDX-License-Identifier: BSL-1.0
// portable/process_wide.hpp: what the shared objects of a process have in common. Nothing outside platform/ includes
// it. macOS coalesces inline variables of all shared objects that do not hide them; where another system does not, each
// shared object has its own.
#pragma once

#include <ndshm/platform/process_wide.hpp>
#if defined(__linux__)
#include <ndshm/platform/unix/process_wide.hpp>
#else

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

inline void* share_in_process(const char*, void* mine) noexcept { return mine; }

}  // namespace ndshm::detail::os
#endif
