// SPDX-License-Identifier: BSL-1.0
// linux/wake.hpp: what Linux has for waiting that other systems have not. Sources: eventfd(2), pidfd_open(2), prctl(2).
// Nothing outside platform/ includes it.
#pragma once

#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ndshm/core/context.hpp>
#include <ndshm/platform/linux/process.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <ndshm/platform/unix/wake.hpp>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

inline void open_event(Descriptor& waiting, Descriptor&, Context context) {
  waiting = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!waiting) throw refused(last_error(), context, "eventfd");
}

inline void watch_this_process(Descriptor& watched, Descriptor& held, Context context) {
#ifdef SYS_pidfd_open
  watched = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (watched) return;
#endif
  // A pipe that nobody writes to, whose other end only this process holds.
  auto [reading, writing] = make_pipe(context);
  watched = std::move(reading);
  held = std::move(writing);
}

inline void continue_with_parent() {
  // A stopped process cannot end itself. This signal comes when the thread that started it ends, with its process or
  // before it, and does nothing to a process that is not stopped.
  ::prctl(PR_SET_PDEATHSIG, SIGCONT);
}

}  // namespace ndshm::detail::os
