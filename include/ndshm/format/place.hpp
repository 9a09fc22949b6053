// SPDX-License-Identifier: BSL-1.0
// place.hpp: where a handle says that its segment is. What a descriptor's number counts is a type of its own each time,
// so that none can be taken for another. No operating system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ndshm/core/config.hpp>
#include <ndshm/core/options.hpp>
#include <string>
#include <variant>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// A segment that is attached by its name.
struct NamedPlace {
  std::string name;              ///< without a prefix of the system
  std::string directory{};       ///< of the name; empty: the system's own, whatever NDSHM_DIR says to the reader
  Scope scope = Scope::session;  ///< which log-in sessions find the name (Windows)
  friend bool operator==(const NamedPlace&, const NamedPlace&) = default;
};

/// A descriptor of a process of the same user.
struct ProcessPlace {
  std::uint64_t pid = 0;  ///< its process id
  int descriptor = -1;    ///< the number that it has there
  friend bool operator==(const ProcessPlace&, const ProcessPlace&) = default;
};

/// A descriptor of the process that reads the handle, by its number.
struct DescriptorPlace {
  int descriptor = -1;  ///< its number
  friend bool operator==(const DescriptorPlace&, const DescriptorPlace&) = default;
};

/// A descriptor that ndshm::spawn() hands over, counted from 0: only inherited() knows its number.
struct InheritedPlace {
  std::size_t index = 0;  ///< among those handed over
  friend bool operator==(const InheritedPlace&, const InheritedPlace&) = default;
};

/// A descriptor that comes with the message which the handle is read from, counted from 0.
struct MessagePlace {
  std::size_t index = 0;  ///< among those of the message
  friend bool operator==(const MessagePlace&, const MessagePlace&) = default;
};

/// Where a segment is.
using Place = std::variant<NamedPlace, ProcessPlace, DescriptorPlace, InheritedPlace, MessagePlace>;

}  // namespace ndshm
