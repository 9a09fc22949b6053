// SPDX-License-Identifier: BSL-1.0
// attach.hpp: attach, by name and by handle. Includes shared_array.hpp and segment/.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <ndshm/array/geometry.hpp>
#include <ndshm/array/shared_array.hpp>
#include <ndshm/array/xtensor.hpp>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/name.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/format/handle.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/segment/attach.hpp>
#include <ndshm/segment/mapping.hpp>
#include <ndshm/segment/resolve.hpp>
#include <ndshm/segment/segment.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

template <class T>
constexpr Access access_for = std::is_const_v<T> ? Access::read_only : Access::read_write;

/// Returns the strided buffer that a handle means, in the segment that `find(context)` returns.
template <class T, std::size_t N, layout L, class Find>
SharedArray<T, N, L> attach_by(const Handle& handle, Context context, Find find) {
  require_geometry<T, N, L>(handle.dtype(), handle.itemsize(), handle.shape(), handle.strides(), context);
  if (handle.is_read_only() && !std::is_const_v<T>) {
    throw Error(errc::read_only, context + "the handle grants read access only",
                attach_call(handle.dtype(), N, L, true));
  }
  const std::shared_ptr<Segment> segment = find(context);
  return ArrayAccess::make<T, N, L>(segment, segment->data(), handle.shape(), handle.strides(), handle.offset(), false);
}

}  // namespace ndshm::detail

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// Returns the array of that name, as another process created it: attach<T, N>(name). attach<const T, N> maps it
/// read-only, from a descriptor that cannot be made writable. L is the order that is expected; layout::dynamic accepts
/// every order. A process that attaches what it has mapped already shares the mapping.
/// Throws: errc::not_found if there is no such array, timed_out if there is none after options.timeout; type_mismatch,
/// rank_mismatch or layout_mismatch if the array is of another kind; permission_denied if the system, or the owner
/// check, refuses access; not_a_segment, damaged or incompatible if the object cannot be attached by this version.
template <class T, std::size_t N, layout L = layout::row_major>
SharedArray<T, N, L> attach(std::string_view name, const AttachOptions& options = {}) {
  const detail::Context context("attach", name);
  return detail::whole_array<T, N, L>(detail::attach_segment(detail::checked_name(name, options.scope, context),
                                                             detail::access_for<T>, options, context),
                                      context, false);
}

/// Returns the strided buffer that a handle describes: attach<T, N>(handle). It is a whole array, or a view of one with
/// L = layout::dynamic, or with another L if the view is contiguous.
/// Throws: as attach(name), and errc::stale_handle if another segment has replaced the one that the handle refers to,
/// errc::read_only if the handle grants read access only and T is not const.
template <class T, std::size_t N, layout L = layout::row_major>
SharedArray<T, N, L> attach(const Handle& handle, const AttachOptions& options = {}) {
  return detail::attach_by<T, N, L>(handle, detail::Context("attach", handle.name()), [&](detail::Context context) {
    return detail::resolve(handle, detail::access_for<T>, options, context);
  });
}

// What is often written in place of these, and what to write: a sentence instead of a page of templates.

template <class T>
SharedArray<T, 1> attach(std::string_view, const AttachOptions& = {}) {
  static_assert(sizeof(T) == 0, "ndshm: say the number of dimensions, too: attach<T, 2>(name)");
  std::abort();
}
template <class T>
SharedArray<T, 1> attach(const Handle&, const AttachOptions& = {}) {
  static_assert(sizeof(T) == 0, "ndshm: say the number of dimensions, too: attach<T, 2>(handle)");
  std::abort();
}
template <class... Nothing>
requires(sizeof...(Nothing) == 0) SharedArray<double, 1> attach(std::string_view, const AttachOptions& = {}) {
  static_assert(sizeof...(Nothing) > 0,
                "ndshm: say the type of the elements and the number of dimensions: attach<double, 2>(name)");
  std::abort();
}

}  // namespace ndshm
