// SPDX-License-Identifier: BSL-1.0
// windows/wake.hpp: waiting for other processes on Windows, for the worker pool. Nothing outside platform/ includes it.
// Sources: CreateEvent, WaitForMultipleObjects, RegisterWaitForSingleObject, "Job objects" of the Windows
// documentation.
#pragma once

#include <ndshm/platform/windows/errors.hpp>
// After windows.h.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ndshm/core/context.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

/// Wakes one process. Ringing it again before it is heard changes nothing. Its descriptors can be inherited.
class WakeEvent {
 public:
  WakeEvent() = default;
  explicit WakeEvent(Context context) : event_(::CreateEventW(nullptr, TRUE, FALSE, nullptr)) {
    if (!event_) throw refused(last_error(), context, "CreateEvent");
  }
  /// One that was inherited: the descriptor to wait at or to notify through; -1 for what is not needed.
  WakeEvent(int waiting, int notifying) : event_(handle_of(waiting == -1 ? notifying : waiting)) {}

  int wait_descriptor() const noexcept { return event_.get(); }
  int notify_descriptor() const noexcept { return event_.get(); }
  void notify() const noexcept { ::SetEvent(event_.handle()); }
  /// Forgets that it has been notified.
  void drain() const noexcept { ::ResetEvent(event_.handle()); }

 private:
  Descriptor event_;
};

namespace windows_only {

/// Sets an event when a handle is signalled: for what does not fit into one call of WaitForMultipleObjects.
class Relay {
 public:
  Relay(HANDLE watched, const Descriptor& event) {
    if (::RegisterWaitForSingleObject(
            &wait_, watched, [](void* told, BOOLEAN) { ::SetEvent(told); }, event.handle(), INFINITE,
            WT_EXECUTEONLYONCE) == 0) {
      throw refused(last_error(), Context("sleep"), "RegisterWaitForSingleObject");
    }
  }
  Relay(Relay&& other) noexcept : wait_(std::exchange(other.wait_, nullptr)) {}
  Relay& operator=(Relay&&) = delete;
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay() {
    if (wait_ != nullptr) ::UnregisterWaitEx(wait_, INVALID_HANDLE_VALUE);
  }

 private:
  HANDLE wait_ = nullptr;
};

inline bool is_signalled(HANDLE handle) { return ::WaitForSingleObject(handle, 0) == WAIT_OBJECT_0; }

}  // namespace windows_only

/// Sleeps until one of the descriptors is signalled or the limit (none: for ever) is over. Then `ready[i]` tells of
/// descriptors[i]; negative ones are left out.
inline void sleep_until_readable(std::span<const int> descriptors, std::vector<bool>& ready,
                                 std::optional<std::chrono::nanoseconds> limit) {
  using windows_only::Relay;
  DWORD turn = INFINITE;
  if (limit) {
    const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(*limit).count();
    turn = static_cast<DWORD>(std::clamp<std::chrono::milliseconds::rep>(rounded_up, 0, 60'000));
  }
  std::vector<HANDLE> handles;
  Descriptor others;  // outlives the relays, which set it
  std::vector<Relay> relays;
  constexpr std::size_t most = MAXIMUM_WAIT_OBJECTS;
  const auto count = static_cast<std::size_t>(
      std::count_if(descriptors.begin(), descriptors.end(), [](int descriptor) { return descriptor >= 0; }));
  if (count > most) {
    others = Descriptor(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
    if (!others) throw refused(last_error(), Context("sleep"), "CreateEvent");
    handles.push_back(others.handle());
    relays.reserve(count);
  }
  for (const int descriptor : descriptors) {
    if (descriptor < 0) continue;
    if (handles.size() < most) {
      handles.push_back(handle_of(descriptor));
    } else {
      relays.emplace_back(handle_of(descriptor), others);
    }
  }
  if (handles.empty()) {
    ::Sleep(turn);
  } else {
    ::WaitForMultipleObjects(static_cast<DWORD>(handles.size()), handles.data(), FALSE, turn);
  }
  ready.assign(descriptors.size(), false);
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    ready[i] = descriptors[i] >= 0 && windows_only::is_signalled(handle_of(descriptors[i]));
  }
}

/// Sleeps until the event is notified, and drains it.
inline void wait(const WakeEvent& event) {
  ::WaitForSingleObject(handle_of(event.wait_descriptor()), INFINITE);
  event.drain();
}

/// What ends the children that are started with its job together with this process, or with this object: a job that
/// the system closes with its last handle, which nobody else has. What they start themselves is not in it.
class ParentWatch {
 public:
  ParentWatch() = default;
  explicit ParentWatch(Context context) : job_(::CreateJobObjectW(nullptr, nullptr)) {
    if (!job_) throw refused(last_error(), context, "CreateJobObject");
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    if (::SetInformationJobObject(job_.handle(), JobObjectExtendedLimitInformation, &limits, sizeof limits) == 0) {
      throw refused(last_error(), context, "SetInformationJobObject");
    }
  }
  /// Nothing has to be watched.
  static constexpr int descriptor() { return -1; }
  void close_in_child() noexcept {}
  int job() const noexcept { return job_.get(); }

 private:
  Descriptor job_;
};

/// The job of the parent's ParentWatch sees to that.
inline void exit_with_parent(int, std::uint64_t, Context) {}

/// There is no fork that they could stand in the way of.
inline std::size_t count_watchers() { return 0; }

}  // namespace ndshm::detail::os
