// SPDX-License-Identifier: BSL-1.0
// registry.hpp: the named segments of this machine as a whole: which there are, removing persistent ones, sweeping what
// dead processes left. Includes format/ and platform/, no xtensor.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/name.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/format/control_page.hpp>
#include <ndshm/format/description.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/segment/segment.hpp>
#include <ndshm/segment/sweep.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// One named segment, as list() returns it.
struct SegmentInfo {
  std::string name;           ///< as create() takes it
  Uuid uuid;                  ///< identifies the segment for ever
  std::string dtype;          ///< as in a .npy header: `<f8`
  Shape shape;                ///< elements along each dimension
  bool fortran_order;         ///< whether the first index varies fastest
  std::size_t nbytes;         ///< of the elements
  Lifetime lifetime;          ///< when the segment is removed
  bool in_use;                ///< whether a process has attached it; one that is neither in use nor persistent is stale
  std::uint64_t creator_pid;  ///< the process that created it
  std::chrono::system_clock::time_point created;  ///< when that was
};

/// Returns the named segments that this user may read, stale ones too, sorted by name. Files that are no segments are
/// left out. Throws: errc::unsupported on Windows.
inline std::vector<SegmentInfo> list() {
  if (!detail::os::can_list) {
    throw Error(errc::unsupported, "list: Windows cannot list named memory",
                "ask for a single name with ndshm::exists(name)");
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
                        detail::is_persistent(control) ? Lifetime::persistent : Lifetime::shared,
                        detail::os::is_held(*object, {.name = name}), control.creator_pid,
                        std::chrono::system_clock::time_point(since_1970)});
    } catch (const Error&) {  // not a segment, or one of another version
    }
  }
  std::sort(result.begin(), result.end(), [](const SegmentInfo& a, const SegmentInfo& b) { return a.name < b.name; });
  return result;
}

/// Returns whether attach(name, {.scope = where}) would find a segment: one that a process holds, or a persistent one.
/// Throws: errc::invalid_name, not_a_segment, damaged or incompatible.
inline bool exists(std::string_view name, Scope where = Scope::session) {
  const detail::Context context("exists", name);
  detail::check_name(name, detail::os::max_name_bytes, context);
  const auto object = detail::os::peek_named({.name = name, .scope = where});
  if (!object) return false;
  return detail::is_persistent(detail::describe(*object, context).control) ||
         detail::os::is_held(*object, {.name = name});
}

/// What remove() did.
enum class Removal {
  not_found,  ///< there is no segment of that name
  removed,    ///< the name is free, and its memory with it
  deferred    ///< processes use the segment: it stays until the last of them detaches, and that one removes it
};

/// Ends a segment: a persistent one is persistent no longer, and what nobody uses is removed. A segment that is in use
/// stays attached where it is. Returns what became of it. Throws: errc::invalid_name, not_a_segment, damaged,
/// incompatible or permission_denied, and then removes nothing.
inline Removal remove(std::string_view name) {
  const detail::Context context("remove", name);
  detail::check_name(name, detail::os::max_name_bytes, context);
  const bool found = detail::holding({.name = name}, [&] {
    const auto living = [](const detail::os::Object&) { return detail::os::Kind::persistent; };
    const auto held = detail::os::open_named({.name = name}, detail::Access::read_write, {}, living, context);
    if (!held) return false;
    const detail::Description description = detail::describe(held->object, context);
    if (!detail::is_persistent(description.control)) return true;
    const std::uint32_t flags = description.control.flags & ~detail::flag_persistent;
    const std::size_t offset = description.layout.control_offset + offsetof(detail::ControlPage, flags);
    if (!held->object.write(offset, &flags, sizeof flags))
      throw detail::os::refused(detail::os::last_error(), context, "write");
    return true;
  });
  const detail::os::Swept swept = detail::sweep_name({.name = name});
  if (!found) return Removal::not_found;
  return swept == detail::os::Swept::in_use ? Removal::deferred : Removal::removed;
}

/// Does the same. It takes a literal, for which std::remove(const char*) would be as good a match: in a program that is
/// `using namespace ndshm`, remove("weights") does not compile, instead of deleting a file of that name.
inline Removal remove(const char* name) { return remove(std::string_view(name)); }

/// Removes what processes of this user left behind when they were killed. Returns how many segments. Never removes one
/// that is alive or persistent. create() does this by itself in passing, and when memory runs out.
inline std::size_t sweep() { return detail::sweep_all(); }

}  // namespace ndshm
