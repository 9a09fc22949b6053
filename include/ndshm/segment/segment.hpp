// SPDX-License-Identifier: BSL-1.0
// segment.hpp: one memory object of the operating system, mapped, from the moment in which it is held to the last
// detach. Knows bytes and geometry, not element types. Includes format/ and platform/, no xtensor. create.hpp and
// attach.hpp make one.
//
// The promises: a segment has a name only when it is complete; nobody removes it while a process has it attached; the
// last process to detach removes it; a segment that killed processes left behind is stale: nobody attaches it, and the
// next sweep removes it. In one process each segment is mapped once per kind of access.
#pragma once

#include <boost/interprocess/mapped_region.hpp>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/core/crash_point.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/name.hpp>
#include <ndshm/format/control_page.hpp>
#include <ndshm/format/description.hpp>
#include <ndshm/format/npy_header.hpp>
#include <ndshm/format/place.hpp>
#include <ndshm/format/segment_layout.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/segment/mapping.hpp>
#include <ndshm/segment/mapping_table.hpp>
#include <ndshm/segment/sweep.hpp>
#include <string>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

inline Error frozen(Context context) {
  return {errc::read_only, context + "the array is frozen: nobody can map it for writing any more",
          "attach<const T, N>"};
}

class Segment final : public Mapping {
 public:
  /// Takes ownership of an object that is held and mapped.
  Segment(os::Object object, SegmentName name, Description description, boost::interprocess::mapped_region region)
      : Mapping(std::move(region), description.layout.header_bytes, description.layout.data_bytes),
        object_(std::move(object)),
        name_(std::move(name)),
        description_(std::move(description)),
        key_(uuid(), access(), name_.directory, name_.text) {
    object_.mapped(is_named());
  }

  ~Segment() override {
    MappingTable::instance().forget(key_);
    NDSHM_CRASH_POINT("detach: begin");
    unmap();
    NDSHM_CRASH_POINT("detach: unmapped");
    { const os::Object closing = std::move(object_); }
    NDSHM_CRASH_POINT("detach: closed");
    if (is_named()) sweep_name(object_of(name_));
  }

  /// Adds a segment to those of this process. Returns it, or the one that another thread added meanwhile.
  static std::shared_ptr<Segment> share(const std::shared_ptr<Segment>& segment) {
    return MappingTable::instance().add(segment->key_, segment);
  }

  const Segment* segment() const noexcept override { return this; }
  const npy::Header& header() const noexcept { return description_.header; }
  const SegmentLayout& layout() const noexcept { return description_.layout; }
  bool is_named() const noexcept { return !name_.text.empty(); }
  const std::string& name() const noexcept { return name_.text; }
  Uuid uuid() const noexcept { return uuid_of(description_.control); }
  Access access() const noexcept { return object_.access(); }
  bool is_read_only() const noexcept { return access() == Access::read_only; }
  const os::Object& object() const noexcept { return object_; }
  /// Whether nobody can map it for writing any more.
  bool is_frozen() const { return !is_named() && object_.is_frozen(); }
  /// Makes every new mapping read-only. Throws: errc::unsupported if the segment has a name, or the system cannot do
  /// it.
  void freeze(Context context) const {
    if (!is_named()) return object_.freeze(context);
    throw Error(errc::unsupported, context + "a named array cannot be frozen",
                "omit the name (copy_of(array)), or let others attach<const T, N>");
  }
  /// What a program without this library opens.
  std::string path(Context context) const {
    return is_named() ? os::path_of_name(object_of(name_), context)
                      : os::path_of_descriptor(object_.descriptor(), context);
  }
  /// Where another process finds it.
  Place place() const {
    if (is_named()) {
      const bool usual = name_.directory == os::default_directory;
      return NamedPlace{name_.text, usual ? std::string() : name_.directory, name_.scope};
    }
    return ProcessPlace{os::process_id(), object_.descriptor()};
  }

 private:
  os::Object object_;
  SegmentName name_;
  Description description_;
  MappingTable::Key key_;
};

}  // namespace ndshm::detail
