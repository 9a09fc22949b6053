// SPDX-License-Identifier: BSL-1.0
// portable/wake.hpp: waiting for other processes on any POSIX system: pipes. Weaker than linux/: a process that stands
// still (SIGSTOP) when its parent ends, ends when it is resumed. Nothing outside platform/ includes it.
#pragma once

#include <ndshm/core/context.hpp>
#include <ndshm/platform/portable/process.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <ndshm/platform/unix/wake.hpp>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

inline void open_event(Descriptor& waiting, Descriptor& notifying, Context context) {
  auto [reading, writing] = make_pipe(context);
  waiting = std::move(reading);
  notifying = std::move(writing);
}

/// A pipe that nobody writes to, whose other end only this process holds.
inline void watch_this_process(Descriptor& watched, Descriptor& held, Context context) {
  auto [reading, writing] = make_pipe(context);
  watched = std::move(reading);
  held = std::move(writing);
}

inline void continue_with_parent() {}

}  // namespace ndshm::detail::os
