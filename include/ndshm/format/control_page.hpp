// SPDX-License-Identifier: BSL-1.0
// control_page.hpp: what the control page of a segment says, and whether it can be believed. No operating system.
// Everything that is read from shared memory is copied first and only the copy is looked at.
#pragma once

#include <algorithm>
#include <array>
#include <boost/uuid/uuid.hpp>
#include <cstddef>
#include <cstdint>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <string>
#include <type_traits>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// Identifies one segment for ever: a name can be used again, a UUID is not. (RFC 9562, version 4.)
using Uuid = boost::uuids::uuid;

}  // namespace ndshm

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

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
  page.library_version = NDSHM_VERSION;
  return page;
}

inline bool is_persistent(const ControlPage& page) noexcept { return (page.flags & flag_persistent) != 0; }

inline Uuid uuid_of(const ControlPage& page) noexcept {
  Uuid uuid{};
  std::copy(page.uuid.begin(), page.uuid.end(), uuid.begin());
  return uuid;
}

/// Throws errc::damaged or errc::incompatible. `page` is a private copy.
inline void check_control(const ControlPage& page, Context context) {
  const auto incompatible = [&](const std::string& what) {
    throw Error(errc::incompatible, context + what, "rebuild both programs with the same version of ndshm");
  };
  if (page.magic != control_magic) throw Error(errc::damaged, context + "its control page has no magic");
  if (page.byte_order != control_byte_order) incompatible("it was created on a machine with another byte order");
  if (page.format != control_format) {
    incompatible("its format is version " + std::to_string(page.format) + "; this program knows version " +
                 std::to_string(control_format));
  }
  if (page.abi != control_abi) {
    incompatible("it was made for ABI " + std::to_string(page.abi) + ", this program has " +
                 std::to_string(control_abi));
  }
  if ((page.flags & ~known_flags) != 0 || page.reserved != 0)
    incompatible("its control page has flags from a later version");
  if (std::all_of(page.uuid.begin(), page.uuid.end(), [](std::uint8_t byte) { return byte == 0; })) {
    throw Error(errc::damaged, context + "its control page has no UUID");
  }
}

}  // namespace ndshm::detail
