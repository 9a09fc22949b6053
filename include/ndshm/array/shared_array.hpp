// SPDX-License-Identifier: BSL-1.0
// shared_array.hpp: SharedArray<T, N, L>, an xtensor expression whose elements lie in shared memory. create.hpp and
// attach.hpp make one.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <ndshm/array/storage.hpp>
#include <ndshm/array/xtensor.hpp>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/control_page.hpp>
#include <ndshm/format/element.hpp>
#include <ndshm/format/handle.hpp>
#include <ndshm/fwd.hpp>
#include <ndshm/segment/segment.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace xt {

template <class T, std::size_t N, layout_type L>
struct xcontainer_inner_types<ndshm::SharedArray<T, N, L>> {
  using storage_type = ndshm::detail::SharedStorage<std::remove_reference_t<T>>;  // a reference is refused in words
  using reference = typename storage_type::reference;
  using const_reference = typename storage_type::const_reference;
  using size_type = typename storage_type::size_type;
  using shape_type = std::array<size_type, N>;
  using strides_type = get_strides_t<shape_type>;
  using backstrides_type = strides_type;
  using inner_shape_type = shape_type;
  using inner_strides_type = strides_type;
  using inner_backstrides_type = backstrides_type;
  // Said in full, because XTENSOR_DEFAULT_LAYOUT may differ from one translation unit to the next.
  using temporary_type =
      xtensor<std::remove_const_t<T>, N, L == layout_type::column_major ? L : layout_type::row_major>;
  static constexpr layout_type layout = L;
};

template <class T, std::size_t N, layout_type L>
struct xiterable_inner_types<ndshm::SharedArray<T, N, L>> : xcontainer_iterable_types<ndshm::SharedArray<T, N, L>> {};

}  // namespace xt

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

namespace detail {

struct ArrayAccess;  // how the free functions below make an array

}  // namespace detail

/// An N-dimensional array of T whose elements lie in shared memory, and an xtensor expression and container like any
/// other: arithmetic, reductions, xt::view, iterators, operator(), printing. It never reallocates: assigning an
/// expression of another shape throws, resize and reshape do not exist.
///
/// T       Element; const T is mapped read-only.
/// N       number of dimensions, 0 and more.
/// L       layout::row_major (C order), layout::column_major (Fortran order), or layout::dynamic (any strides).
///
/// The memory stays mapped as long as any array or view of this process uses it. Elements are shared between processes
/// without any ordering of their own: like threads, processes that write what others read need to synchronise.
template <class T, std::size_t N, layout L>
class SharedArray : private detail::ElementCheck<std::remove_const_t<T>>,  // its sentence comes before all else
                    public xt::xstrided_container<SharedArray<T, N, L>>,
                    public xt::xview_semantic<SharedArray<T, N, L>> {
  static_assert(L != layout::any, "ndshm: L is row_major, column_major or dynamic");

 public:
  using self_type = SharedArray;
  using container_base = xt::xstrided_container<self_type>;
  using semantic_base = xt::xview_semantic<self_type>;
  using storage_type = typename container_base::storage_type;
  using value_type = typename container_base::value_type;
  using reference = typename container_base::reference;
  using const_reference = typename container_base::const_reference;
  using pointer = typename container_base::pointer;
  using const_pointer = typename container_base::const_pointer;
  using size_type = typename container_base::size_type;
  using shape_type = typename container_base::shape_type;
  using strides_type = typename container_base::strides_type;
  using temporary_type = typename semantic_base::temporary_type;
  using expression_tag = xt::xtensor_expression_tag;
  static constexpr std::size_t rank = N;  ///< the number of dimensions

  /// Makes an empty array, attached to nothing. A moved-from array is the same.
  SharedArray() noexcept { clear(); }

  /// Not the way to make one; says so.
  template <std::size_t M>
  SharedArray(std::string_view, const Extent (&)[M]) {
    static_assert(M == 0, "ndshm: arrays are made by functions: create<T>(name, {2000, 10}), attach<T, N>(name)");
  }

  SharedArray(SharedArray&& other) noexcept
      : container_base(std::move(other)),
        semantic_base(std::move(other)),
        storage_(std::move(other.storage_)),
        creator_(other.creator_) {
    other.clear();
  }
  SharedArray& operator=(SharedArray&& other) noexcept {
    if (this == &other) return *this;
    container_base::operator=(std::move(other));
    storage_ = std::move(other.storage_);
    creator_ = other.creator_;
    other.clear();
    return *this;
  }

  // clang-format off
  SharedArray(const SharedArray& original) = delete;  // ndshm: write std::move(a) to hand the array on, ndshm::attach to share it, ndshm::copy_of(a) to copy its elements
  SharedArray& operator=(const SharedArray& original) = delete;  // ndshm: write xt::noalias(a) = b + 0 or a.assign(b) to copy the elements of b, std::move(b) to hand the array on
  // clang-format on
  ~SharedArray() = default;

  /// Evaluates an expression into the elements. As everywhere in xtensor, a temporary is made where the operands may
  /// overlap (always before xtensor 0.26); xt::noalias(a) = expression makes none.
  /// Throws: errc::shape_mismatch, with nothing changed, if the expression has not exactly this shape; what evaluating
  /// throws.
  template <class E>
  requires(!std::is_const_v<T>) SharedArray& operator=(const xt::xexpression<E>& expression) {
    require_shape_of(expression.derived_cast());
    semantic_base::operator=(expression);
    return *this;
  }

  /// Does the same without a temporary: what xt::noalias calls. A scalar fills the array. Throws: as operator=.
  template <class E>
  requires(!std::is_const_v<T>) SharedArray& assign(const xt::xexpression<E>& expression) {
    if constexpr (!xt::is_xscalar<E>::value) require_shape_of(expression.derived_cast());
    semantic_base::assign(expression);
    return *this;
  }

  /// Does what xt::noalias(a) += expression and its like ask for. Throws: as operator=.
  template <class E>
  requires(!std::is_const_v<T>) SharedArray& computed_assign(const xt::xexpression<E>& expression) {
    require_shape_of(expression.derived_cast());
    semantic_base::computed_assign(expression);
    return *this;
  }

  /// Does what a += scalar and its like ask for. Throws: what the function throws.
  template <class E, class F>
  requires(!std::is_const_v<T>) SharedArray& scalar_computed_assign(const E& scalar, F&& function) {
    semantic_base::scalar_computed_assign(scalar, std::forward<F>(function));
    return *this;
  }

  /// Sets every element to one value. Never throws.
  void fill(const value_type& value) requires(!std::is_const_v<T>) {
    std::fill(this->template begin<iteration_order>(), this->template end<iteration_order>(), value);
  }

  // What compilers print of a deleted function is its line, so the line says what to do.
  // clang-format off
  template <class E> requires(std::is_const_v<T>) SharedArray& operator=(const xt::xexpression<E>&) = delete;  // ndshm: this array is read-only; attach<T, N> without const to write to it
  template <class E> requires(std::is_const_v<T>) SharedArray& assign(const xt::xexpression<E>&) = delete;  // ndshm: this array is read-only; attach<T, N> without const to write to it
  template <class E> requires(std::is_const_v<T>) SharedArray& computed_assign(const xt::xexpression<E>&) = delete;  // ndshm: this array is read-only; attach<T, N> without const to write to it
  template <class E, class F> requires(std::is_const_v<T>) SharedArray& scalar_computed_assign(const E&, F&&) = delete;  // ndshm: this array is read-only; attach<T, N> without const to write to it
  void freeze() requires(std::is_const_v<T>) = delete;  // ndshm: this array is read-only; who has it writable can freeze it
  void fill(const value_type&) requires(std::is_const_v<T>) = delete;  // ndshm: this array is read-only; attach<T, N> without const to write to it
  template <class... Any> void resize(Any&&...) = delete;  // ndshm: a shared array keeps its shape; create another one and assign to it
  template <class Integer> void resize(std::initializer_list<Integer>, bool = false) = delete;  // ndshm: a shared array keeps its shape; create another one and assign to it
  template <class... Any> void reshape(Any&&...) = delete;  // ndshm: a shared array keeps its shape; xt::reshape_view(a, {...}) looks at it in another one
  template <class Integer> void reshape(std::initializer_list<Integer>, layout = L) = delete;  // ndshm: a shared array keeps its shape; xt::reshape_view(a, {...}) looks at it in another one
  // clang-format on

  /// Returns element i of the array as if it were one-dimensional, in its own order (row-major if L is dynamic).
  reference flat(size_type i) {
    if constexpr (L == layout::dynamic) {
      return this->template begin<layout::row_major>()[static_cast<std::ptrdiff_t>(i)];
    } else {
      return container_base::flat(i);
    }
  }
  const_reference flat(size_type i) const {
    if constexpr (L == layout::dynamic) {
      return this->template begin<layout::row_major>()[static_cast<std::ptrdiff_t>(i)];
    } else {
      return container_base::flat(i);
    }
  }

  /// Returns the name by which other processes attach the array; empty for an anonymous one. Throws:
  /// errc::invalid_argument if the array is empty.
  const std::string& name() const { return segment("name").name(); }

  /// Returns the path at which a program without this library can read the whole segment as a .npy file:
  /// `/dev/shm/ndshm.weights`, or `/proc/PID/fd/N` of an anonymous array, as long as this process lives.
  /// Throws: errc::unsupported if the system shows no such file (portable path), errc::invalid_argument if the array is
  /// empty.
  std::string path() const { return segment("path").path(detail::Context("path", name())); }

  /// Returns what identifies the segment for ever. Throws: errc::invalid_argument if the array is empty.
  Uuid uuid() const { return segment("uuid").uuid(); }

  /// Returns the bytes of the elements of this array: size() * sizeof(T).
  std::size_t nbytes() const noexcept { return this->size() * sizeof(T); }

  /// Returns whether the memory is mapped read-only.
  static constexpr bool is_read_only() noexcept { return std::is_const_v<T>; }

  /// Makes every new mapping of an anonymous array read-only, for ever, in this process too. Mappings that can be
  /// written to now stay writable, here and in other processes and their forks. From then on handle() grants reading
  /// only, and attaching for writing through an older handle throws errc::read_only. Freezing again changes nothing.
  /// Throws: errc::unsupported if the array has a name, or the system cannot do it (portable path, Linux before 5.1);
  /// errc::invalid_argument if the array is empty.
  void freeze() requires(!std::is_const_v<T>) { segment("freeze").freeze(detail::Context("freeze", name())); }

  /// Returns whether any process has frozen the array. Throws: errc::invalid_argument if the array is empty.
  bool is_frozen() const { return segment("is_frozen").is_frozen(); }

  /// Returns whether the call that returned this array created the segment; false if it attached it.
  bool is_creator() const noexcept { return creator_; }

  /// Returns what another process needs to attach this array: for reading only if it is mapped read-only or frozen.
  /// Throws: errc::invalid_argument if the array is empty.
  Handle handle() const { return handle_of(*this, "handle"); }

  /// Returns the same for a strided view of this array: xt::view with ranges and integers, xt::strided_view,
  /// xt::transpose, and their like. Throws: errc::invalid_argument if it is a view of another array, or the array is
  /// empty.
  template <class View>
  Handle handle(const View& view) const {
    static_assert(
        xt::has_data_interface<std::decay_t<View>>::value && xt::has_strides<std::decay_t<View>>::value,
        "ndshm: a handle needs a strided view: an expression, xt::keep, xt::drop or a mask has no strides; copy_of it");
    return handle_of(view, "handle of a view");
  }

 private:
  friend class xt::xcontainer<self_type>;
  friend class xt::xview_semantic<self_type>;
  friend class xt::xsemantic_base<self_type>;
  friend struct detail::ArrayAccess;

  static constexpr layout iteration_order = L == layout::column_major ? L : layout::row_major;

  SharedArray(shape_type shape, strides_type strides, storage_type storage, layout order, bool creator) noexcept
      : container_base(std::move(shape), std::move(strides)), storage_(std::move(storage)), creator_(creator) {
    this->mutable_layout() = order;
  }

  storage_type& storage_impl() noexcept { return storage_; }
  const storage_type& storage_impl() const noexcept { return storage_; }

  void assign_temporary_impl(temporary_type&& temporary) {
    std::copy(temporary.storage().cbegin(), temporary.storage().cend(), this->template begin<iteration_order>());
  }

  void clear() noexcept {
    this->shape_impl().fill(0);
    this->strides_impl().fill(0);
    this->backstrides_impl().fill(0);
    creator_ = false;
  }

  const detail::Segment& segment(std::string_view operation) const {
    if (const detail::Segment* const segment = storage_.segment()) return *segment;
    throw Error(errc::invalid_argument,
                detail::Context(operation, {}) + "the array is empty: default-constructed or moved from");
  }

  template <class E>
  void require_shape_of(const E& expression) const {
    const auto& other = expression.shape();
    if (other.size() == N && std::equal(this->shape().begin(), this->shape().end(), other.begin())) return;
    throw Error(
        errc::shape_mismatch,
        detail::Context("assign", storage_.segment() != nullptr ? storage_.segment()->name() : std::string_view()) +
            "the expression has the shape " + detail::format_tuple(other) + ", the array " +
            detail::format_tuple(this->shape()),
        "a shared array keeps its shape; assign to a part with xt::view(a, ...) = expression, or repeat with "
        "xt::broadcast");
  }

  template <class View>
  Handle handle_of(const View& view, std::string_view operation) const;

  storage_type storage_;
  bool creator_ = false;
};

template <class T, std::size_t N, layout L>
template <class View>
Handle SharedArray<T, N, L>::handle_of(const View& view, std::string_view operation) const {
  static_assert(std::is_same_v<std::remove_const_t<typename View::value_type>, value_type>,
                "ndshm: the elements of the view have another type than those of the array");
  const detail::Segment& from = segment(operation);
  const Shape shape(view.shape().begin(), view.shape().end());
  Strides strides(shape.size());
  std::transform(view.strides().begin(), view.strides().end(), strides.begin(), [](auto stride) {
    return static_cast<std::ptrdiff_t>(stride) * static_cast<std::ptrdiff_t>(sizeof(T));
  });
  const auto first = reinterpret_cast<std::uintptr_t>(view.data()) + view.data_offset() * sizeof(T);
  const std::size_t offset = detail::is_empty(shape) ? 0 : first - reinterpret_cast<std::uintptr_t>(from.data());
  if (!detail::fits(shape, strides, sizeof(T), offset, from.data_bytes())) {
    throw Error(errc::invalid_argument,
                detail::Context(operation, from.name()) + "the view is not a view of this array",
                "call handle() of the array that the view was made from");
  }
  const bool read_only = from.is_read_only() || from.is_frozen();
  return {from.place(), from.uuid(), from.header().descr, shape, std::move(strides), offset, read_only};
}

}  // namespace ndshm
