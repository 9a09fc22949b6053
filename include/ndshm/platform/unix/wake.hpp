// SPDX-License-Identifier: BSL-1.0
// unix/wake.hpp: waiting for other processes on POSIX systems, for the files of linux/ and portable/: events that wake
// a process, sleeping until one of several things happens, and ending with one's parent. Nothing outside platform/
// includes it. Sources: poll(2), pthread_create(3).
#pragma once

#include <poll.h>
#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's, for ::kill and the masks
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/process_wide.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

// What linux/wake.hpp and portable/wake.hpp give to this file.

/// Opens a WakeEvent's descriptors: the one to wait at, and the one to notify through where that is another.
void open_event(Descriptor& waiting, Descriptor& notifying, Context context);
/// Opens what is readable once this process has ended, and what only this process may hold until then.
void watch_this_process(Descriptor& watched, Descriptor& held, Context context);
/// Sees to it that a stopped process goes on when its parent ends, so that it can end itself, where the system can.
void continue_with_parent();

/// Wakes one process. Ringing it again before it is heard changes nothing. Its descriptors can be inherited.
class WakeEvent {
 public:
  WakeEvent() = default;
  explicit WakeEvent(Context context) { open_event(waiting_, notifying_, context); }
  /// One that was inherited: the descriptor to wait at or to notify through; -1 for what is not needed.
  WakeEvent(int waiting, int notifying) : waiting_(waiting), notifying_(notifying) {}

  int wait_descriptor() const noexcept { return waiting_.get(); }
  int notify_descriptor() const noexcept { return notifying_ ? notifying_.get() : waiting_.get(); }

  /// Safe in a signal handler.
  void notify() const noexcept {
    const int before = errno;
    const std::uint64_t one = 1;  // what an eventfd takes; as good as any bytes for a pipe
    [[maybe_unused]] const auto written = ::write(notify_descriptor(), &one, sizeof one);
    errno = before;
  }
  /// Forgets that it has been notified.
  void drain() const noexcept {
    std::array<char, 512> bytes{};
    while (retry_on_signal([&] { return ::read(wait_descriptor(), bytes.data(), bytes.size()); }) ==
           static_cast<ssize_t>(bytes.size())) {
    }
  }

 private:
  Descriptor waiting_;
  Descriptor notifying_;  // none where one descriptor does both
};

/// Sleeps until one of the descriptors has something to read, a signal was handled, or the limit (none: for ever) is
/// over. Then `ready[i]` tells of descriptors[i]; negative ones are left out.
inline void sleep_until_readable(std::span<const int> descriptors, std::vector<bool>& ready,
                                 std::optional<std::chrono::nanoseconds> limit) {
  // Not kept for the next call: a thread may come here while it ends.
  std::array<pollfd, 64> few{};
  std::vector<pollfd> many(descriptors.size() > few.size() ? descriptors.size() : 0);
  const std::span<pollfd> entries =
      many.empty() ? std::span<pollfd>(few).first(descriptors.size()) : std::span<pollfd>(many);
  std::transform(descriptors.begin(), descriptors.end(), entries.begin(), [](int descriptor) {
    return pollfd{descriptor, POLLIN, 0};
  });
  int milliseconds = -1;
  if (limit) {
    const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(*limit).count();
    milliseconds = static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(rounded_up, 0, 60'000));
  }
  const int count = ::poll(entries.data(), static_cast<nfds_t>(entries.size()), milliseconds);
  ready.assign(entries.size(), false);
  for (std::size_t i = 0; count > 0 && i < entries.size(); ++i) ready[i] = entries[i].revents != 0;
}

/// Sleeps until the event is notified, and drains it.
inline void wait(const WakeEvent& event) {
  pollfd entry{event.wait_descriptor(), POLLIN, 0};
  while (::poll(&entry, 1, -1) < 0 && errno == EINTR) {
  }
  event.drain();
}

/// What a child needs to notice the end of the process that makes this: on Linux a pidfd of it; elsewhere a pipe that
/// nobody writes to, whose other end only that process holds.
class ParentWatch {
 public:
  ParentWatch() = default;
  explicit ParentWatch(Context context) { watch_this_process(watched_, held_, context); }
  int descriptor() const noexcept { return watched_.get(); }
  /// In a forked child, which must not hold what only the parent may hold.
  void close_in_child() noexcept { held_.close(); }
  /// What ends a child with this process even if it does not look: there is nothing of that kind.
  static constexpr int job() { return -1; }

 private:
  Descriptor watched_;
  Descriptor held_;
};

namespace unix_only {

/// The threads that watch for the end of this process's parent, whichever of its shared objects started them.
struct Watchers {
  std::atomic<std::size_t> count = 0;
  std::atomic<bool> at_fork = false;  // whether a fork sets the count to 0 in the child
};

inline Watchers& watchers() { return one_in_process<Watchers>("watchers"); }

struct Watched {
  int descriptor;
  pid_t parent;
};

inline bool is_pipe(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode);
}

/// Where the descriptor is that of a pipe, other children of the parent may hold it too: the parent's id tells then.
inline void* watch_parent(void* argument) {
  const Watched watched = *static_cast<const Watched*>(argument);
  pollfd entry{watched.descriptor, POLLIN, 0};
  const int turn = is_pipe(watched.descriptor) ? 50 : -1;  // ms
  while (::poll(&entry, 1, turn) <= 0 && ::getppid() == watched.parent) {
  }
  ::kill(::getpid(), SIGKILL);
  return nullptr;
}

}  // namespace unix_only

/// Ends this process, at once and whatever it is doing, when the process behind the descriptor ends. Costs a thread
/// that sleeps; it takes no lock and handles no signal, so that forking beside it is harmless. On the portable path a
/// process that stands still (SIGSTOP) ends when it is resumed.
inline void exit_with_parent(int watched, std::uint64_t parent, Context context) {
  continue_with_parent();
  static unix_only::Watched argument;  // a process has one parent
  argument = {watched, static_cast<pid_t>(parent)};
  if (::getppid() != argument.parent) {
    pollfd entry{watched, POLLIN, 0};
    if (::poll(&entry, 1, 0) != 0) ::kill(::getpid(), SIGKILL);  // it was faster
    throw Error(errc::unsupported,
                context + "process " + std::to_string(parent) + ", which owns the pool, is not the parent of this one",
                "start the worker program directly, or from a script that ends with exec");
  }
  sigset_t all{};
  sigset_t before{};
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  pthread_t thread{};
  const int error = ::pthread_create(&thread, nullptr, unix_only::watch_parent, &argument);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) throw refused(error_of(error), context, "pthread_create");
  ::pthread_detach(thread);
  ++unix_only::watchers().count;
  if (!unix_only::watchers().at_fork.exchange(true)) {
    ::pthread_atfork(nullptr, nullptr, [] { unix_only::watchers().count = 0; });
  }
}

/// Threads of this process that exit_with_parent() started: they do not stand in the way of a fork.
inline std::size_t count_watchers() { return unix_only::watchers().count; }

}  // namespace ndshm::detail::os
