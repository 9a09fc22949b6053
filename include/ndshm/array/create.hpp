// SPDX-License-Identifier: BSL-1.0
// create.hpp: create, copy_of and create_or_attach. Includes shared_array.hpp and segment/.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <ndshm/array/geometry.hpp>
#include <ndshm/array/shape.hpp>
#include <ndshm/array/shared_array.hpp>
#include <ndshm/array/xtensor.hpp>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/name.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/element.hpp>
#include <ndshm/format/npy_header.hpp>
#include <ndshm/format/segment_layout.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/segment/attach.hpp>
#include <ndshm/segment/create.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// What an array is created under: a name as the caller gave it, or none.
using NameArgument = std::optional<std::string_view>;

/// Creates a segment whose elements `initialise` writes before any other process can see it.
template <class T, std::size_t N, layout L, class S, class Initialise>
SharedArray<T, N, L> create(const NameArgument& name, const S& lengths, const CreateOptions& options,
                            std::string_view operation, Initialise initialise) {
  if constexpr (ElementCheck<std::remove_const_t<T>>::shareable) {
    const Context context(operation, name.value_or(std::string_view{}));
    const SegmentName checked = name ? checked_name(*name, options.scope, context) : SegmentName{};
    const npy::Header header = header_of<T, L>(shape_of<N>(lengths, context));
    const auto write = [&](std::byte* data, const SegmentLayout& layout) {
      initialise(ArrayAccess::make<T, N, L>(nullptr, data, header.shape, layout.strides, 0, true));
    };
    return whole_array<T, N, L>(create_segment(checked, header, options, context, write), context, true);
  } else {
    std::abort();  // never compiled: ElementCheck has said why
  }
}

template <class T, std::size_t N, layout L, class S>
SharedArray<T, N, L> create(const NameArgument& name, const S& lengths, const CreateOptions& options) {
  return create<T, N, L>(name, lengths, options, "create", [](const SharedArray<T, N, L>&) {});
}

/// Returns whether a segment of that name can be attached within a second.
inline bool appears(const SegmentName& name, AttachOptions options) {
  try {
    options.timeout = std::chrono::seconds(1);
    attach_segment(name, Access::read_write, options, {});
    return true;
  } catch (const Error&) {
    return false;
  }
}

template <class T, std::size_t N, layout L, class S>
SharedArray<T, N, L> create_or_attach(std::string_view name, const S& lengths, const CreateOptions& create_options,
                                      AttachOptions attach_options) {
  if constexpr (ElementCheck<std::remove_const_t<T>>::shareable) {
    attach_options.scope = create_options.scope;
    const Context context("create_or_attach", name);
    const SegmentName checked = checked_name(name, create_options.scope, context);
    const npy::Header header = header_of<T, L>(shape_of<N>(lengths, context));
    os::Backoff backoff(std::max<std::chrono::nanoseconds>(attach_options.timeout, std::chrono::seconds(10)));
    for (;;) {
      if (auto segment = try_attach_segment(checked, Access::read_write, attach_options, context)) {
        auto array = whole_array<T, N, L>(std::move(segment), context, false);
        if (std::equal(header.shape.begin(), header.shape.end(), array.shape().begin())) return array;
        throw Error(
            errc::shape_mismatch,
            context + ("it has the shape " + format_tuple(array.shape()) + ", not " + format_tuple(header.shape)),
            "attach<T, N>(name) attaches it as it is; choose another name for another array");
      }
      try {
        const auto leave_zeros = [](std::byte*, const SegmentLayout&) {};
        return whole_array<T, N, L>(create_segment(checked, header, create_options, context, leave_zeros), context,
                                    true);
      } catch (const Error& error) {
        const bool lost_race = error.condition() == errc::already_exists && backoff.wait();
        // Another process may have taken the memory for this very array and still be filling it: it gets a second.
        const bool overtaken = error.condition() == errc::out_of_memory && appears(checked, attach_options);
        if (!lost_race && !overtaken) throw;
      }
    }
  } else {
    std::abort();  // never compiled: ElementCheck has said why
  }
}

template <std::size_t N, layout L, class E>
auto copy_of(const NameArgument& name, const E& expression, const CreateOptions& options) {
  using T = std::remove_const_t<typename E::value_type>;
  constexpr std::size_t rank = rank_for<N, typename E::shape_type>();
  return create<T, rank, L>(name, expression.shape(), options, "copy_of",
                            [&](SharedArray<T, rank, L> array) { array.assign(expression); });
}

/// False, whatever T is: for sentences about functions that nobody is to call.
template <class T>
inline constexpr bool never = false;

}  // namespace ndshm::detail

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// Returns a new array of zeros: create<T>(name, shape, options) one that other processes attach by its name,
/// create<T>(shape, options) one without a name, which is passed on by fork or by its handle and never outlives the
/// processes that use it.
///
/// The shape is `{rows, 10}` (integers of any types), a std::array such as the shape() of an expression, `{}` for an
/// array of no dimensions, or with create<T, N> any range of N integers. create<T, N, layout::column_major> makes
/// Fortran order. The memory is reserved at once, which costs as much as touching every page, unless options.reserve is
/// lazy. A call that throws leaves nothing behind.
/// Throws: errc::already_exists if the name is in use, out_of_memory if there is not enough memory, invalid_name or
/// invalid_shape if an argument breaks a rule, permission_denied if the system refuses access.
template <class T, std::size_t N, layout L = layout::row_major>
SharedArray<T, N, L> create(std::string_view name, const Extent (&shape)[N], const CreateOptions& options = {}) {
  return detail::create<T, N, L>(name, std::span(shape), options);
}
template <class T, std::size_t N, layout L = layout::row_major>
SharedArray<T, N, L> create(const Extent (&shape)[N], const CreateOptions& options = {}) {
  return detail::create<T, N, L>(std::nullopt, std::span(shape), options);
}
template <class T, std::size_t N = deduced_rank, layout L = layout::row_major, ShapeLike<N> S = ScalarShape>
auto create(std::string_view name, const S& shape, const CreateOptions& options = {}) {
  return detail::create<T, detail::rank_for<N, S>(), L>(name, shape, options);
}
template <class T, std::size_t N = deduced_rank, layout L = layout::row_major, ShapeLike<N> S = ScalarShape>
auto create(const S& shape, const CreateOptions& options = {}) {
  return detail::create<T, detail::rank_for<N, S>(), L>(std::nullopt, shape, options);
}

/// Returns the array of that name, attached if there is one, created if not: create_or_attach<T>(name, shape). If
/// several processes call it at the same time, exactly one creates the array, for which is_creator() is true; the
/// others wait until it is complete. Throws: errc::type_mismatch, rank_mismatch, layout_mismatch or shape_mismatch if
/// there is an array of another kind, and what create() and attach() throw.
template <class T, std::size_t N, layout L = layout::row_major>
SharedArray<T, N, L> create_or_attach(std::string_view name, const Extent (&shape)[N],
                                      const CreateOptions& create_options = {},
                                      const AttachOptions& attach_options = {}) {
  return detail::create_or_attach<T, N, L>(name, std::span(shape), create_options, attach_options);
}
template <class T, std::size_t N = deduced_rank, layout L = layout::row_major, ShapeLike<N> S = ScalarShape>
auto create_or_attach(std::string_view name, const S& shape, const CreateOptions& create_options = {},
                      const AttachOptions& attach_options = {}) {
  return detail::create_or_attach<T, detail::rank_for<N, S>(), L>(name, shape, create_options, attach_options);
}

/// Returns a new array with the elements of an xtensor expression: copy_of(name, expression) or copy_of(expression).
/// Others can attach it only when all elements have been written. copy_of<N> is for an expression whose rank is known
/// at run time only, such as an xt::xarray; copy_of<N, layout::column_major> makes Fortran order. Throws: what create()
/// throws, and what evaluating the expression throws.
template <std::size_t N = deduced_rank, layout L = layout::row_major, class E>
auto copy_of(std::string_view name, const xt::xexpression<E>& expression, const CreateOptions& options = {}) {
  return detail::copy_of<N, L>(name, expression.derived_cast(), options);
}
template <std::size_t N = deduced_rank, layout L = layout::row_major, class E>
auto copy_of(const xt::xexpression<E>& expression, const CreateOptions& options = {}) {
  return detail::copy_of<N, L>(std::nullopt, expression.derived_cast(), options);
}

// What is often written in place of these, and what to write: a sentence instead of a page of templates.

template <class T, std::integral... Lengths>
requires(sizeof...(Lengths) > 0) SharedArray<T, sizeof...(Lengths)> create(std::string_view, Lengths...) {
  static_assert(detail::never<T>, "ndshm: a shape stands in braces: create<T>(name, {2000, 10})");
  std::abort();
}
template <class T, std::integral... Lengths>
requires(sizeof...(Lengths) > 0) SharedArray<T, sizeof...(Lengths)> create(Lengths...) {
  static_assert(detail::never<T>, "ndshm: a shape stands in braces: create<T>({2000, 10})");
  std::abort();
}
template <std::size_t N>
SharedArray<double, N> create(std::string_view, const Extent (&)[N], const CreateOptions& = {}) {
  static_assert(N == deduced_rank, "ndshm: say the type of the elements: create<double>(name, {2000, 10})");
  std::abort();
}
template <std::size_t N>
SharedArray<double, N> create(const Extent (&)[N], const CreateOptions& = {}) {
  static_assert(N == deduced_rank, "ndshm: say the type of the elements: create<double>({2000, 10})");
  std::abort();
}
template <class T, std::size_t N, layout L = layout::row_major, class Option>
requires std::is_enum_v<Option> SharedArray<T, N, L> create(std::string_view, const Extent (&)[N], Option) {
  static_assert(detail::never<T>,
                "ndshm: options have names: create<T>(name, {2000, 10}, {.lifetime = ndshm::Lifetime::persistent})");
  std::abort();
}
template <class T, std::size_t N, layout L = layout::row_major, class Option>
requires std::is_enum_v<Option> SharedArray<T, N, L> create(const Extent (&)[N], Option) {
  static_assert(detail::never<T>,
                "ndshm: options have names: create<T>({2000, 10}, {.reserve = ndshm::Reserve::lazy})");
  std::abort();
}

}  // namespace ndshm
