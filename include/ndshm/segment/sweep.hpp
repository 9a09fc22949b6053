// SPDX-License-Identifier: BSL-1.0
// sweep.hpp: removing what dead processes left, and reading what an object says of itself. Includes format/ and
// platform/.
#pragma once

#include <cstddef>
#include <exception>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/name.hpp>
#include <ndshm/format/control_page.hpp>
#include <ndshm/format/description.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/segment/mapping_table.hpp>
#include <string>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

using os::Swept;

/// As the platform takes a name.
inline os::ObjectName object_of(const SegmentName& name) noexcept { return {name.text, name.directory, name.scope}; }

/// What an object says of itself, checked.
inline Description describe(const os::Object& object, Context context) {
  return describe(
      object.size(), [&](std::size_t offset, void* to, std::size_t bytes) { return object.read(offset, to, bytes); },
      context);
}

inline os::Kind kind_of(const Description& description) {
  return is_persistent(description.control) ? os::Kind::persistent : os::Kind::shared;
}

/// Removes the segment of that name if no process holds it, it is one of ours and not persistent. Never throws: this is
/// the end of every life.
inline Swept sweep_name(const os::ObjectName& name) noexcept {
  try {
    return os::sweep_named(name, [](const os::Object& object) {
      try {
        return kind_of(describe(object, Context("sweep")));
      } catch (const Error&) {
        return os::Kind::foreign;
      }
    });
  } catch (const std::exception&) {
    return Swept::in_use;  // out of descriptors or memory: nothing is lost, the next sweep tries again
  }
}

/// Removes every dead segment of this user; returns how many.
inline std::size_t sweep_all() {
  std::size_t removed = 0;
  std::size_t in_use = 0;
  for (const std::string& name : os::names()) {
    const Swept swept = sweep_name({.name = name});
    removed += swept == Swept::removed ? 1 : 0;
    in_use += swept == Swept::in_use ? 1 : 0;
  }
  MappingTable::instance().swept(in_use);
  return removed;
}

/// Runs `work`, which holds the segment of that name for a while. Where it fails, it may have kept the last holder from
/// removing the segment, so that is made up for.
template <class Work>
auto holding(const os::ObjectName& name, Work work) {
  try {
    return work();
  } catch (...) {
    if (!name.name.empty()) sweep_name(name);
    throw;
  }
}

}  // namespace ndshm::detail
