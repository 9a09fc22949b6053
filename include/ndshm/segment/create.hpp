// SPDX-License-Identifier: BSL-1.0
// create.hpp: making a segment, complete before anybody can see it. Includes format/ and platform/, no xtensor.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/core/crash_point.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/name.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/control_page.hpp>
#include <ndshm/format/description.hpp>
#include <ndshm/format/npy_header.hpp>
#include <ndshm/format/segment_layout.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/segment/mapping_table.hpp>
#include <ndshm/segment/new_uuid.hpp>
#include <ndshm/segment/reserve.hpp>
#include <ndshm/segment/segment.hpp>
#include <ndshm/segment/sweep.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// `<f8 (2000, 10), made by process 4711 at 2026-11-28 12:30:00 UTC`: what has a name, for messages. Empty where that
/// cannot be told.
inline std::string owner_of_name(const os::ObjectName& name) {
  try {
    const auto object = os::peek_named(name);
    if (!object) return {};
    const Description description = describe(*object, {});
    return description.header.descr + " " + format_tuple(description.header.shape) + ", created by process " +
           std::to_string(description.control.creator_pid) + " at " + format_utc(description.control.created_ns);
  } catch (const Error&) {
    return {};
  }
}

/// Calls `attempt` until it returns something that is true; in between sweeps the name, which only a stale segment
/// loses. Throws errc::already_exists when a living segment has it.
template <class Attempt>
auto with_free_name(const SegmentName& name, Context context, Attempt attempt) {
  os::Backoff backoff(std::chrono::seconds(1));
  for (;;) {
    if (auto result = attempt()) return result;
    // Absent: somebody else removed it, or has not finished yet. In use: look again, its last holder may just be
    // leaving.
    const Swept swept = sweep_name(object_of(name));
    if (swept == Swept::in_use) {
      if (auto result = attempt()) return result;
      const std::string owner = owner_of_name(object_of(name));
      throw Error(
          errc::already_exists,
          context + (owner.empty()
                         ? "the name belongs to a segment that is being created, or to something that is not a segment"
                         : "the name belongs to a segment: " + owner),
          "attach it, use create_or_attach, or choose another name" +
              (os::has_persistence ? "; ndshm::remove(" + in_quotes(name.text) + ") ends a persistent one" : ""));
    }
    if (swept == Swept::absent && !backoff.wait()) {
      throw Error(errc::already_exists, context + "the name belongs to a segment that another process is creating");
    }
  }
}

inline void check_options(const SegmentName& name, const CreateOptions& options, Context context) {
  if ((options.mode & 0600U) != 0600U || (options.mode & ~0666U) != 0) {
    throw Error(errc::invalid_argument, context + "the mode has to be between 0600 and 0666");
  }
  if (options.lifetime != Lifetime::persistent) return;
  if (name.text.empty()) {
    throw Error(errc::invalid_argument, context + "an anonymous array cannot be persistent", "give it a name");
  }
  if (!os::has_persistence) {
    throw Error(errc::unsupported, context + "on Windows no segment outlives the last process that holds it",
                "write the array to a file (xt::dump_npy)");
  }
}

inline ControlPage make_control(const CreateOptions& options, Context context) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return make_control(new_uuid(context), os::process_id(),
                      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()),
                      options.lifetime == Lifetime::persistent);
}

/// Returns a new segment of zeros; anonymous if `name` is empty. `initialise(data, layout)` may write the elements
/// before anybody can see them. Throws what create() throws; nothing is left then.
template <class Initialise>
std::shared_ptr<Segment> create_segment(const SegmentName& name, npy::Header header, const CreateOptions& options,
                                        Context context, Initialise initialise) {
  const bool named = !name.text.empty();
  check_options(name, options, context);
  const std::string bytes = npy::format(header);
  const SegmentLayout layout = layout_to_make(header, bytes.size(), context);
  if (named && MappingTable::instance().is_time_to_sweep()) sweep_all();
  // Header and control page are written at once, so they are reserved in any case: an error here is no SIGBUS there.
  const bool eager = options.reserve == Reserve::eager;
  const MemoryDemand demand{eager ? layout.data_end : layout.header_bytes, named,
                            eager && options.huge_pages == HugePages::advise};
  require_room(demand, context);

  auto unpublished = with_free_name(name, context, [&]() -> std::optional<os::UnpublishedObject> {
    if (!named) return os::prepare_anonymous(layout.total_bytes, options.mode, context);
    return os::prepare_named(object_of(name), layout.total_bytes, options, context);
  });
  auto region = os::map(unpublished->descriptor(), Access::read_write, layout.total_bytes, context);
  auto* const start = static_cast<std::byte*>(region.get_address());
  reserve_memory(*unpublished, start, layout, demand, context);
  NDSHM_CRASH_POINT("create: reserved");

  std::memcpy(start, bytes.data(), bytes.size());
  NDSHM_CRASH_POINT("create: header written");
  initialise(start + layout.header_bytes, layout);
  const ControlPage control = make_control(options, context);
  std::memcpy(start + layout.control_offset, &control, sizeof control);
  NDSHM_CRASH_POINT("create: control written");

  if (named) with_free_name(name, context, [&] { return unpublished->publish(object_of(name), context); });
  NDSHM_CRASH_POINT("create: published");
  return holding(object_of(name), [&] {
    return Segment::share(std::make_shared<Segment>(std::move(*unpublished).finish(context), name,
                                                    Description{std::move(header), layout, control},
                                                    std::move(region)));
  });
}

}  // namespace ndshm::detail
