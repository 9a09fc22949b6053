// SPDX-License-Identifier: BSL-1.0
// control.hpp: the bytes of a segment as a whole: where header, elements and control page lie, and what the control
// page says. Includes npy.hpp and Boost.UUID; no operating system. Everything that is read from shared memory is copied
// first and only the copy is looked at.
#pragma once

#include <algorithm>
#include <array>
#include <boost/uuid/uuid.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ndshm/error.hpp>
#include <ndshm/npy.hpp>
#include <ndshm/version.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace ndshm {

/// Identifies one segment for ever: a name can be used again, a UUID is not. (RFC 9562, version 4.)
using Uuid = boost::uuids::uuid;

}  // namespace ndshm

namespace ndshm::detail {

/// Where the parts of a segment lie, in bytes from its start.
struct SegmentLayout {
  std::size_t header_bytes;
  std::size_t data_bytes;
  std::size_t data_end;        // header_bytes + data_bytes
  std::size_t control_offset;  // on a page of its own on every system: the largest page is 64 KiB
  std::size_t total_bytes;
};

inline constexpr std::size_t control_alignment = std::size_t{64} * 1024;
inline constexpr std::size_t control_bytes = 4096;

/// Nothing where the segment would be larger than an address can say.
inline std::optional<SegmentLayout> layout_of(const npy::Header& header, std::size_t header_bytes) {
  const auto data = byte_count(header.shape, header.itemsize);
  const auto end = data ? checked_add(header_bytes, *data) : std::nullopt;
  const auto control = end ? checked_round_up(*end, control_alignment) : std::nullopt;
  const auto total = control ? checked_add(*control, control_bytes) : std::nullopt;
  if (!total) return std::nullopt;
  return SegmentLayout{header_bytes, *data, *end, *control, *total};
}

/// The same for a segment that is to be made. Throws errc::invalid_shape.
inline SegmentLayout layout_to_make(const npy::Header& header, std::size_t header_bytes, const std::string& subject) {
  if (const auto layout = layout_of(header, header_bytes)) return *layout;
  throw Error(errc::invalid_shape, subject + "the shape " + format_tuple(header.shape) + " of " +
                                       std::to_string(header.itemsize) + "-byte elements does not fit into memory");
}

/// The first bytes of the control page. What follows, up to control_bytes, belongs to locks and events.
struct ControlPage {
  std::array<char, 8> magic;
  std::uint32_t format;
  std::uint32_t byte_order;
  std::uint32_t abi;
  std::uint32_t flags;
  std::array<std::uint8_t, 16> uuid;
  std::uint64_t creator_pid;
  std::uint64_t created_ns;  // since 1970
  std::uint32_t library_version;
  std::uint32_t reserved;
};
static_assert(std::is_trivially_copyable_v<ControlPage> && sizeof(ControlPage) == 64);

inline constexpr std::array<char, 8> control_magic{'N', 'D', 'S', 'H', 'M', 'c', 't', 'l'};
inline constexpr std::uint32_t control_format = 1;
inline constexpr std::uint32_t control_byte_order = 0x01020304;
/// Sizes that two programs have to agree on: pointer, long double, and the control page itself.
inline constexpr std::uint32_t control_abi =
    static_cast<std::uint32_t>(sizeof(void*) | sizeof(long double) << 8 | sizeof(ControlPage) << 16);
inline constexpr std::uint32_t flag_persistent = 1;
inline constexpr std::uint32_t known_flags = flag_persistent;

inline ControlPage make_control(const Uuid& uuid, std::uint64_t pid, std::uint64_t now_ns, bool persistent) {
  ControlPage page{};
  page.magic = control_magic;
  page.format = control_format;
  page.byte_order = control_byte_order;
  page.abi = control_abi;
  page.flags = persistent ? flag_persistent : 0;
  std::copy(uuid.begin(), uuid.end(), page.uuid.begin());
  page.creator_pid = pid;
  page.created_ns = now_ns;
  page.library_version = NDSHM_VERSION_MAJOR * 10'000 + NDSHM_VERSION_MINOR * 100 + NDSHM_VERSION_PATCH;
  return page;
}

inline Uuid uuid_of(const ControlPage& page) {
  Uuid uuid{};
  std::copy(page.uuid.begin(), page.uuid.end(), uuid.begin());
  return uuid;
}

/// Throws errc::damaged or errc::incompatible. `page` is a private copy.
inline void check_control(const ControlPage& page, const std::string& subject) {
  const auto incompatible = [&](const std::string& what) {
    throw Error(errc::incompatible, subject + what, "rebuild both programs with the same version of ndshm");
  };
  if (page.magic != control_magic) throw Error(errc::damaged, subject + "its control page has no magic");
  if (page.byte_order != control_byte_order) incompatible("it was made on a machine of another byte order");
  if (page.format != control_format) {
    incompatible("its format is version " + std::to_string(page.format) + ", this program knows version " +
                 std::to_string(control_format));
  }
  if (page.abi != control_abi) {
    incompatible("it was made for ABI " + std::to_string(page.abi) + ", this program has " +
                 std::to_string(control_abi));
  }
  if ((page.flags & ~known_flags) != 0 || page.reserved != 0)
    incompatible("its control page has flags from a later version");
  if (std::all_of(page.uuid.begin(), page.uuid.end(), [](std::uint8_t byte) { return byte == 0; })) {
    throw Error(errc::damaged, subject + "its control page has no UUID");
  }
}

/// What a segment says of itself, checked.
struct Description {
  npy::Header header;
  SegmentLayout layout;
  ControlPage control;
};

/// Reads and checks a segment of `size` bytes through `read(offset, destination, bytes)`, which returns false when it
/// could not fill the destination. Looks at private copies only. Throws errc::not_a_segment, damaged or incompatible.
template <class Read>
Description describe(std::size_t size, Read read, const std::string& subject) {
  const auto foreign = [&](const std::string& why) {
    return Error(errc::not_a_segment, subject + "what is there is not a segment of ndshm (" + why + ")");
  };
  constexpr std::size_t usual = 384;  // almost every header, in one read
  std::string bytes(std::min(usual, size), '\0');
  if (bytes.size() < npy::preamble_bytes || !read(std::size_t{0}, bytes.data(), bytes.size())) {
    throw foreign(std::to_string(size) + " bytes are too few for a header");
  }
  npy::Header header;
  try {
    const std::size_t total = npy::header_bytes(bytes);
    if (total > size) throw foreign("its header ends after its " + std::to_string(size) + " bytes");
    const std::size_t known = bytes.size();
    bytes.resize(total);
    if (total > known && !read(known, bytes.data() + known, total - known)) throw foreign("its header cannot be read");
    header = npy::parse(bytes);
    if (npy::format(header) != bytes) throw foreign("its header is not in canonical form");
  } catch (const Error& error) {
    if (error.condition() != errc::invalid_header) throw;
    throw foreign(std::string(error.facts()));
  }
  const auto layout = layout_of(header, bytes.size());
  if (!layout || layout->total_bytes > size) {
    throw Error(errc::damaged,
                subject + "its header asks for " +
                    (layout ? std::to_string(layout->total_bytes) + " bytes, it has " + std::to_string(size)
                            : "a size that does not fit into memory"));
  }
  Description result{std::move(header), *layout, {}};
  if (!read(result.layout.control_offset, reinterpret_cast<char*>(&result.control), sizeof(ControlPage))) {
    throw Error(errc::damaged, subject + "its control page cannot be read");
  }
  check_control(result.control, subject);
  return result;
}

}  // namespace ndshm::detail
