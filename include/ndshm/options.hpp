// SPDX-License-Identifier: BSL-1.0
// options.hpp: the choices a caller has when an array is created or attached. Plain structs for designated
// initialisers; every default is the safe one. Includes the standard library alone.
#pragma once

#include <chrono>
#include <optional>

namespace ndshm {

/// How long a named segment lives.
enum class lifetime {
  shared,     ///< until the last process lets go of it, however that process ends
  persistent  ///< until ndshm::remove(name); reboots and systemd's RemoveIPC end it too
};

/// When the memory is taken.
enum class reserve {
  eager,  ///< by create(), which fails where there is not enough
  lazy    ///< page by page, on first touch: for sparse arrays; a full /dev/shm is a SIGBUS at the touch
};

/// Whether huge pages are used where the system has them switched on for shared memory.
enum class huge_pages { advise, never };

/// Whose segments are attached.
enum class owner {
  me,     ///< only those that this user created
  anyone  ///< those of other users too, as far as their mode lets this user in: such a user can change or cut the data
};

/// For create().
struct CreateOptions {
  ndshm::lifetime lifetime = ndshm::lifetime::shared;  ///< of a named array
  ndshm::reserve reserve = ndshm::reserve::eager;
  ndshm::huge_pages huge_pages = ndshm::huge_pages::advise;
  unsigned mode = 0600;  ///< permission bits; at least 0600, at most 0666; the umask plays no part
};

/// For attach().
struct AttachOptions {
  /// How long to wait for a name that is still to come; none: not at all. Zero and less: not at all either.
  std::chrono::nanoseconds timeout{0};
  ndshm::owner owner = ndshm::owner::me;
};

}  // namespace ndshm
