// SPDX-License-Identifier: BSL-1.0
// mapping.hpp: what keeps bytes mapped, and no more: all that an array's storage has to own. Knows neither names nor
// headers. Includes platform/.
#pragma once

#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <ndshm/platform/platform.hpp>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

using os::Access;

class Segment;

/// Elements that are mapped as long as this object lives.
class Mapping {
 public:
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  virtual ~Mapping() = default;

  std::byte* data() const noexcept { return data_; }
  /// Bytes of the elements.
  std::size_t data_bytes() const noexcept { return data_bytes_; }
  /// The segment that the elements lie in; nullptr for others.
  virtual const Segment* segment() const noexcept { return nullptr; }

 protected:
  /// The elements stand `offset` bytes into the region.
  Mapping(boost::interprocess::mapped_region region, std::size_t offset, std::size_t data_bytes) noexcept
      : region_(std::move(region)),
        data_(static_cast<std::byte*>(region_.get_address()) + offset),
        data_bytes_(data_bytes) {}

  void unmap() noexcept { region_ = {}; }

 private:
  boost::interprocess::mapped_region region_;
  std::byte* data_;
  std::size_t data_bytes_;
};

}  // namespace ndshm::detail
