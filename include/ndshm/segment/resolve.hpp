// SPDX-License-Identifier: BSL-1.0
// resolve.hpp: which object a handle means, and whether it still is that one. The one place that asks. Includes format/
// and platform/, no xtensor.
#pragma once

#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/name.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/format/control_page.hpp>
#include <ndshm/format/description.hpp>
#include <ndshm/format/handle.hpp>
#include <ndshm/format/npy_header.hpp>
#include <ndshm/format/place.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/segment/attach.hpp>
#include <ndshm/segment/mapping_table.hpp>
#include <ndshm/segment/segment.hpp>
#include <ndshm/segment/sweep.hpp>
#include <string>
#include <utility>
#include <variant>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// Opens the object at a place that is no name: one that can be mapped without harm, not yet one that is a segment.
/// Throws errc::not_a_segment, read_only, permission_denied, not_found, invalid_handle.
inline os::Object open_place(const Place& place, Access access, Context context) {
  struct Open {
    Access access = Access::read_only;
    Context context;

    os::Object operator()(const ProcessPlace& at) const {
      return os::open_process_descriptor(at.pid, at.descriptor, access, context);
    }
    os::Object operator()(const DescriptorPlace& at) const {
      return os::open_descriptor(at.descriptor, access, context);
    }
    os::Object operator()(const NamedPlace&) const {
      throw Error(errc::invalid_handle, context + "a named array has no descriptor", "attach it by its name");
    }
    os::Object operator()(const InheritedPlace& at) const {
      throw Error(
          errc::invalid_handle,
          context + ("the handle refers to descriptor " + std::to_string(at.index) + " of those given to a child"),
          "take it from ndshm::inherited(index)");
    }
    os::Object operator()(const MessagePlace& at) const {
      throw Error(errc::invalid_handle,
                  context + ("the handle refers to descriptor " + std::to_string(at.index) + " of a message"),
                  "take it from ndshm::receive_handle(socket)");
    }
  };
  os::Object object = std::visit(Open{access, context}, place);
  if (access == Access::read_write && object.is_frozen()) throw frozen(context);
  return object;
}

inline Error stale_handle(Context context) {
  return {errc::stale_handle, context + "another segment has replaced the one that the handle refers to",
          "keep the array until the handle has been used, or get a new handle from the process that has the array"};
}

/// Opens the object that a handle without a name means, with the access that the handle grants, to be handed on. Throws
/// errc::stale_handle if another one has taken its place, and what open_place throws.
inline os::Object resolve_object(const Handle& handle, Context context) {
  const Access access = handle.is_read_only() ? Access::read_only : Access::read_write;
  os::Object object = open_place(handle.place(), access, context);
  if (uuid_of(describe(object, context).control) != handle.uuid()) throw stale_handle(context);
  return object;
}

/// The segment has to be the one that a handle means, and to have what the handle says of it.
inline void require_meant(const Segment& segment, const Handle& handle, Context context) {
  if (segment.uuid() != handle.uuid()) throw stale_handle(context);
  const npy::Header& header = segment.header();
  if (header.descr != handle.dtype() ||
      !fits(handle.shape(), handle.strides(), header.itemsize, handle.offset(), segment.data_bytes())) {
    throw Error(errc::invalid_handle,
                context + "the handle reaches beyond the segment, or gives it another element type");
  }
}

/// Returns the segment that a handle means, mapped. Throws errc::stale_handle, invalid_handle, read_only, and what
/// attaching throws.
inline std::shared_ptr<Segment> resolve(const Handle& handle, Access access, AttachOptions options, Context context) {
  const auto* const named = std::get_if<NamedPlace>(&handle.place());
  SegmentName name;
  if (named != nullptr) {
    // What names no directory means the system's own, whatever NDSHM_DIR says here.
    name = {named->name, named->directory.empty() ? std::string(os::default_directory) : named->directory,
            named->scope};
  }
  auto segment = MappingTable::instance().find({handle.uuid(), access, name.directory, name.text});
  if (segment) {
    // Although it is mapped for writing already: as in every other process.
    if (access == Access::read_write && segment->is_frozen()) throw frozen(context);
  } else if (named != nullptr) {
    options.scope = named->scope;
    segment = attach_segment(name, access, options, context);
  } else {
    segment = attach_segment(open_place(handle.place(), access, context), context);
  }
  require_meant(*segment, handle, context);
  return segment;
}

}  // namespace ndshm::detail
