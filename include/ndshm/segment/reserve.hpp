// SPDX-License-Identifier: BSL-1.0
// reserve.hpp: taking memory for a segment that is being made, so that a machine that has too little says so here, with
// the figures, and not by a signal later. Includes format/ and platform/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/segment_layout.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/segment/sweep.hpp>
#include <string>
#include <system_error>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// What a segment that is being made wants of the system's memory.
struct MemoryDemand {
  std::size_t bytes;  // from the start of the segment
  bool named;         // its memory is that of the directory of names
  bool huge;          // in huge pages, where there are some
};

inline Error out_of_memory(std::size_t bytes, bool named, std::error_code error, Context context) {
  const os::Space space = os::space_of_names();
  const std::uint64_t available = os::available_memory();
  const std::string needs = context + ("needs " + format_bytes(bytes) + ", ");
  if (named && space.whole != 0 && bytes > space.free) {
    const std::uint64_t gib = ((space.whole - space.free + bytes) >> 30) + 1;
    std::string remedy = "omit the name (anonymous arrays do not live there), or use Reserve::lazy for a sparse array";
    // Room that the machine has no memory for would help nobody.
    if (bytes <= available) {
      remedy = "make it larger (docker run --shm-size=" + std::to_string(gib) + "g), " + remedy;
    } else {
      remedy = "the machine has " + format_bytes(available) +
               " of memory available: use a smaller array, or Reserve::lazy for a sparse one";
    }
    return {errc::out_of_memory, error,
            needs + std::string(os::directory()) + " has " + format_bytes(space.free) + " of " +
                format_bytes(space.whole) + " free",
            remedy};
  }
  return {
      errc::out_of_memory, error,
      needs + (available == UINT64_MAX ? "the system has less" : format_bytes(available) + " of memory is available"),
      "use a smaller array, or Reserve::lazy if only parts of it will be touched"};
}

/// Throws if that is clearly more than there is: reserving it would first starve every other process.
inline void require_room(const MemoryDemand& demand, Context context) {
  constexpr std::size_t large = std::size_t{1} << 26;  // less is not worth the question
  if (demand.bytes < large) return;
  const auto too_much = [&] {
    const os::Space space = os::space_of_names();
    return (demand.named && space.whole != 0 && demand.bytes > space.free) || demand.bytes > os::available_memory();
  };
  // Stale segments may hold just what is missing.
  if (too_much() && (sweep_all() == 0 || too_much())) throw out_of_memory(demand.bytes, demand.named, {}, context);
}

/// Reserves what is demanded and the control page, and maps both.
inline void reserve_memory(const os::UnpublishedObject& object, std::byte* address, const SegmentLayout& layout,
                           const MemoryDemand& demand, Context context) {
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  const std::size_t bytes = demand.bytes;
  const auto reserve = [&]() -> std::error_code {
    if (const auto error = os::reserve(object.descriptor(), layout.control_offset, control_bytes)) return error;
    if (demand.huge && bytes >= huge_page && os::huge_pages_are_on(demand.named)) {
      const std::error_code error = os::populate_huge(address, bytes);
      if (error != std::errc::not_supported) return error;
    }
    return os::reserve(object.descriptor(), 0, bytes);
  };
  std::error_code error = reserve();
  if (error && sweep_all() > 0) error = reserve();
  if (error == std::errc::no_space_on_device || error == std::errc::not_enough_memory) {
    os::discard(object.descriptor());  // or the message would count it as taken
    throw out_of_memory(bytes + control_bytes, demand.named, error, context);
  }
  if (error) throw os::refused(error, context, "reserving " + format_bytes(bytes));
  // Otherwise the first writer would meet a page fault every 4 KiB, which takes several times as long. If it is
  // refused, nothing but time is lost.
  os::populate(address, bytes);
  os::populate(address + layout.control_offset, control_bytes);
}

}  // namespace ndshm::detail
