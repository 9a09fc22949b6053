// SPDX-License-Identifier: BSL-1.0
// options.hpp: the choices a caller has when an array is created or attached. Plain structs for designated
// initialisers; every default is the safe one. Includes the standard library alone.
#pragma once

#include <chrono>
#include <ndshm/core/config.hpp>
#include <type_traits>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// How long a named segment lives.
enum class Lifetime {
  shared,     ///< until the last process has detached, however that process ends
  persistent  ///< until ndshm::remove(name); reboots and systemd's RemoveIPC end it too
};

/// When memory is reserved. Lazy is for sparse arrays, and for large ones that many workers fill.
enum class Reserve {
  eager,  ///< by create(), which fails where there is not enough; mapped too, so that filling it meets no page faults
  lazy    ///< page by page, on first touch; a full /dev/shm is a SIGBUS at the touch
};

/// Whether huge pages are used.
enum class HugePages {
  advise,  ///< where the system has them switched on for shared memory
  never    ///< nowhere
};

/// Whose segments are attached.
enum class Owner {
  me,     ///< only those that this user created
  anyone  ///< those of other users too, as far as their mode lets this user in: such a user can change or cut the data
};

/// Who finds the name of a segment. It makes a difference on Windows alone: other systems show it to the whole machine.
enum class Scope {
  session,  ///< the processes of one log-in session (`Local\`)
  machine   ///< every session (`Global\`); to create it takes the privilege of a service or an administrator
};

/// How long to wait at most: any std::chrono duration, 10s or 250ms. A bare number would not say its unit.
class Timeout {
 public:
  /// No waiting at all.
  constexpr Timeout() noexcept = default;
  /// Makes a time-out of a duration; one that is too long to be counted in nanoseconds means for ever.
  template <class Rep, class Period>
  constexpr Timeout(std::chrono::duration<Rep, Period> limit) noexcept  // NOLINT(google-explicit-constructor)
      : limit_(std::chrono::duration<double>(limit) < std::chrono::duration<double>((std::chrono::nanoseconds::max)())
                   ? std::chrono::duration_cast<std::chrono::nanoseconds>(limit)
                   : (std::chrono::nanoseconds::max)()) {}
  /// Refuses a number without a unit, at compile time.
  template <class Number>
  requires std::is_arithmetic_v<Number>
  constexpr Timeout(Number) noexcept {  // NOLINT(google-explicit-constructor)
    static_assert(!std::is_arithmetic_v<Number>, "ndshm: a time-out has a unit: std::chrono::seconds(10), or 10s");
  }
  /// Returns the duration.
  constexpr operator std::chrono::nanoseconds() const noexcept {  // NOLINT(google-explicit-constructor)
    return limit_;
  }

 private:
  std::chrono::nanoseconds limit_{0};
};

/// How create(), copy_of() and create_or_attach() make an array.
struct CreateOptions {
  ndshm::Lifetime lifetime = ndshm::Lifetime::shared;      ///< of a named array
  ndshm::Reserve reserve = ndshm::Reserve::eager;          ///< when memory is reserved
  ndshm::HugePages huge_pages = ndshm::HugePages::advise;  ///< whether huge pages are used
  unsigned mode = 0600;  ///< permission bits; at least 0600, at most 0666; the umask plays no part
  ndshm::Scope scope = ndshm::Scope::session;  ///< which log-in sessions find the name (Windows)
};

/// How attach() looks for an array.
struct AttachOptions {
  /// How long to wait for a name that is still to come. Zero and less: not at all.
  Timeout timeout{};
  ndshm::Owner owner = ndshm::Owner::me;       ///< whose segments are attached
  ndshm::Scope scope = ndshm::Scope::session;  ///< where to look; create_or_attach looks where it would create
};

}  // namespace ndshm
