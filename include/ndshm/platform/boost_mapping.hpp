// SPDX-License-Identifier: BSL-1.0
// boost_mapping.hpp: maps memory objects by Boost.Interprocess, for the platform files. Nothing outside platform/
// includes it. On Windows behind windows.h.
#pragma once

#include <boost/interprocess/detail/os_file_functions.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <ndshm/platform/types.hpp>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

/// What Boost.Interprocess maps: an object and how to map it.
class Mappable {
 public:
  Mappable(boost::interprocess::mapping_handle_t handle, Access access) : handle_(handle), access_(access) {}
  boost::interprocess::mapping_handle_t get_mapping_handle() const { return handle_; }
  boost::interprocess::mode_t get_mode() const {
    return access_ == Access::read_only ? boost::interprocess::read_only : boost::interprocess::read_write;
  }

 private:
  boost::interprocess::mapping_handle_t handle_;
  Access access_;
};

/// Maps `bytes` from `offset` on; where the system refuses, throws what `refusal(its code)` returns.
template <class Refusal>
boost::interprocess::mapped_region map(const Mappable& mappable, std::size_t offset, std::size_t bytes,
                                       Refusal refusal) {
  try {
    return {mappable, mappable.get_mode(), static_cast<boost::interprocess::offset_t>(offset), bytes};
  } catch (const boost::interprocess::interprocess_exception& error) {
    throw refusal(error.get_native_error());
  }
}

}  // namespace ndshm::detail::os
