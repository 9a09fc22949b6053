// SPDX-License-Identifier: BSL-1.0
// registry.hpp: the named segments of this machine as a whole: which there are, removing persistent ones, sweeping what
// dead processes left. Includes segment.hpp, no xtensor.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ndshm/segment/segment.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// What list() says of one named segment.
struct SegmentInfo {
  std::string name;
  Uuid uuid;
  std::string dtype;  ///< as in a .npy header: `<f8`
  std::vector<std::size_t> shape;
  bool fortran_order;
  std::size_t nbytes;  ///< of the elements
  ndshm::Lifetime lifetime;
  bool in_use;  ///< whether a process holds it; one that is neither in use nor persistent is dead
  std::uint64_t creator_pid;
  std::chrono::system_clock::time_point created;
};

/// The named segments that this user may read, dead ones too, sorted by name. Files that are not segments are left out.
/// Throws errc::unsupported on Windows.
inline std::vector<SegmentInfo> list() {
  if (!detail::os::can_list) {
    throw Error(errc::unsupported, "list: Windows does not tell which named memory there is",
                "ndshm::exists(name) asks for one name");
  }
  detail::os::require_directory(detail::os::directory(), detail::Context("list"));
  std::vector<SegmentInfo> result;
  for (const std::string& name : detail::os::names()) {
    const auto object = detail::os::peek_named({.name = name, .scope = Scope::machine});
    if (!object) continue;
    try {
      const detail::Description description = detail::describe(*object, detail::Context("list"));
      const detail::ControlPage& control = description.control;
      const auto since_1970 =
          std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::nanoseconds(control.created_ns));
      result.push_back({name, detail::uuid_of(control), description.header.descr, description.header.shape,
                        description.header.fortran_order, description.layout.data_bytes,
                        detail::is_persistent(description) ? Lifetime::persistent : Lifetime::shared,
                        detail::os::is_held(*object, {name}), control.creator_pid,
                        std::chrono::system_clock::time_point(since_1970)});
    } catch (const Error&) {  // not a segment, or one of another version
    }
  }
  std::sort(result.begin(), result.end(), [](const SegmentInfo& a, const SegmentInfo& b) { return a.name < b.name; });
  return result;
}

/// Whether attach(name, {.scope = where}) would find a segment: one that a process holds, or a persistent one.
/// Throws errc::invalid_name, not_a_segment, damaged or incompatible.
inline bool exists(std::string_view name, Scope where = Scope::session) {
  const detail::Context context("exists", name);
  detail::check_name(name, detail::os::max_name_bytes, context);
  const auto object = detail::os::peek_named({.name = name, .scope = where});
  if (!object) return false;
  const bool persistent = detail::is_persistent(detail::describe(*object, context));
  return persistent || detail::os::is_held(*object, {name});
}

/// Ends a persistent segment: removes it, or lets the last process that holds it remove it. A segment that is in use is
/// never taken away from anybody. False where there is none of that name.
/// Throws errc::invalid_name, not_a_segment, damaged, incompatible or permission_denied, and then removes nothing.
inline bool remove(std::string_view name) {
  const detail::Context context("remove", name);
  detail::check_name(name, detail::os::max_name_bytes, context);
  const bool found = detail::holding(std::string(name), [&] {
    const auto living = [](const detail::os::Object&) { return detail::os::Kind::persistent; };
    const auto object = detail::os::open_named({name}, detail::Access::read_write, {}, living, context);
    if (!object) return false;
    const detail::Description description = detail::describe(*object, context);
    const std::uint32_t flags = description.control.flags & ~detail::flag_persistent;
    const std::size_t offset = description.layout.control_offset + offsetof(detail::ControlPage, flags);
    if (!object->write(offset, &flags, sizeof flags))
      throw detail::os::refused(detail::os::last_error(), context, "write");
    return true;
  });
  detail::sweep_name(name);
  return found;
}

/// Removes what processes of this user left behind when they were killed; returns how many segments. Never removes a
/// live or persistent one. create() does this by itself in passing, and when memory runs out.
inline std::size_t sweep() { return detail::sweep_all(); }

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE
