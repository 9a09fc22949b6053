// SPDX-License-Identifier: BSL-1.0
// attach.hpp: mapping a segment that another process made, found by its name or through an object that is open.
// Includes format/ and platform/, no xtensor.
#pragma once

#include <algorithm>
#include <cctype>
#include <chrono>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/core/crash_point.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/name.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/control_page.hpp>
#include <ndshm/format/description.hpp>
#include <ndshm/format/segment_layout.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/segment/mapping_table.hpp>
#include <ndshm/segment/segment.hpp>
#include <ndshm/segment/sweep.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// Returns what the caller calls a segment, checked: once, where the library is entered. Throws errc::invalid_name.
inline SegmentName checked_name(std::string_view name, Scope scope, Context context) {
  check_name(name, os::max_name_bytes, context);
  return {std::string(name), std::string(os::directory()), scope};
}

/// The segment that this process has with that UUID, unless `object` is a copy of its bytes.
inline std::shared_ptr<Segment> require_same(std::shared_ptr<Segment> known, const os::Object& object,
                                             Context context) {
  if (known->object().is_same_as(object)) return known;
  throw Error(errc::damaged,
              context + "this process has mapped another segment with the same UUID, so this one is a copy");
}

/// Maps the object, which is held and says that of itself, or returns the segment that this process has mapped already.
inline std::shared_ptr<Segment> map_segment(os::Object object, Description description, const SegmentName& name,
                                            Context context) {
  const MappingTable::Key key(uuid_of(description.control), object.access(), name.directory, name.text);
  if (auto known = MappingTable::instance().find(key)) return require_same(std::move(known), object, context);
  NDSHM_CRASH_POINT("attach: described");
  const SegmentLayout& layout = description.layout;
  auto region = object.map(object.access() == Access::read_only ? layout.data_end : layout.total_bytes, context);
  NDSHM_CRASH_POINT("attach: mapped");
  const auto segment = std::make_shared<Segment>(std::move(object), name, std::move(description), std::move(region));
  return require_same(Segment::share(segment), segment->object(), context);
}

/// Returns the anonymous segment behind an object. Throws errc::not_a_segment, damaged, incompatible.
inline std::shared_ptr<Segment> attach_segment(os::Object object, Context context) {
  Description description = describe(object, context);
  return map_segment(std::move(object), std::move(description), {}, context);
}

/// Returns the segment of that name, or nullptr if there is none that lives.
inline std::shared_ptr<Segment> try_attach_segment(const SegmentName& name, Access access, const AttachOptions& options,
                                                   Context context) {
  return holding(object_of(name), [&]() -> std::shared_ptr<Segment> {
    std::optional<Description> description;
    const auto kind = [&](const os::Object& idle) { return kind_of(description.emplace(describe(idle, context))); };
    auto held = os::open_named(object_of(name), access, options, kind, context);
    if (!held) {
      sweep_name(object_of(name));
      return nullptr;
    }
    if (!held->was_idle) description = describe(held->object, context);
    return map_segment(std::move(held->object), std::move(*description), name, context);
  });
}

/// A name of this machine that differs from `name` in upper and lower case alone; empty where there is none.
inline std::string name_in_other_case(std::string_view name) {
  const auto same_letter = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  for (std::string& other : os::names()) {
    if (other == name) continue;  // no segment, or one that has just appeared
    if (std::equal(other.begin(), other.end(), name.begin(), name.end(), same_letter)) return std::move(other);
  }
  return {};
}

/// Returns the segment of that name; waits for it as long as the options say. Throws errc::not_found or timed_out.
inline std::shared_ptr<Segment> attach_segment(const SegmentName& name, Access access, const AttachOptions& options,
                                               Context context) {
  const auto start = std::chrono::steady_clock::now();
  const std::chrono::nanoseconds timeout = options.timeout;
  std::optional<os::NameWatch> watch;
  for (;;) {
    if (auto segment = try_attach_segment(name, access, options, context)) return segment;
    if (timeout <= std::chrono::nanoseconds(0)) {
      const std::string other = name_in_other_case(name.text);
      throw Error(errc::not_found, context + "there is no such segment",
                  other.empty() ? "is its creator still running? {.timeout = ...} waits for it"
                                : "there is one called " + in_quotes(other));
    }
    const std::chrono::nanoseconds left = timeout - (std::chrono::steady_clock::now() - start);
    if (left <= std::chrono::nanoseconds(0)) {
      throw Error(errc::timed_out, context + ("no such segment appeared within " +
                                              format_seconds(std::chrono::duration<double>(timeout).count())));
    }
    if (watch) {
      watch->wait(left);
    } else {
      watch.emplace(object_of(name));  // and one more look, for what came before it
    }
  }
}

}  // namespace ndshm::detail
