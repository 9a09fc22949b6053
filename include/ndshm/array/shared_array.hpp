// SPDX-License-Identifier: BSL-1.0
// shared_array.hpp: SharedArray<T, N, L>, an xtensor expression whose elements lie in shared memory, and the functions
// that make one: create, copy_of, attach, create_or_attach. Includes segment.hpp, handle.hpp, element.hpp and xtensor.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <ndshm/array/xtensor.hpp>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/extents.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/format/element.hpp>
#include <ndshm/format/handle.hpp>
#include <ndshm/segment/segment.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

template <class T, std::size_t N, layout L = layout::row_major>
class SharedArray;

namespace detail {

/// The elements as xtensor wants to see a container's storage: a span that keeps its segment mapped. Indices are signed
/// under the hood, because a view may run backwards.
template <class T>
class SharedStorage {
 public:
  using value_type = std::remove_const_t<T>;
  using allocator_type = std::allocator<value_type>;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using reference = T&;
  using const_reference = const T&;
  using pointer = T*;
  using const_pointer = const T*;
  using iterator = T*;
  using const_iterator = const T*;
  using reverse_iterator = std::reverse_iterator<iterator>;
  using const_reverse_iterator = std::reverse_iterator<const_iterator>;

  SharedStorage() = default;
  SharedStorage(std::shared_ptr<Segment> segment, T* data, size_type size) noexcept
      : segment_(std::move(segment)), data_(data), size_(size) {}
  SharedStorage(SharedStorage&& other) noexcept
      : segment_(std::move(other.segment_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  SharedStorage& operator=(SharedStorage&& other) noexcept {
    segment_ = std::move(other.segment_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  SharedStorage(const SharedStorage&) = delete;
  SharedStorage& operator=(const SharedStorage&) = delete;
  ~SharedStorage() = default;

  size_type size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  pointer data() noexcept { return data_; }
  const_pointer data() const noexcept { return data_; }
  reference operator[](size_type i) noexcept { return data_[static_cast<difference_type>(i)]; }
  const_reference operator[](size_type i) const noexcept { return data_[static_cast<difference_type>(i)]; }
  reference front() noexcept { return data_[0]; }
  const_reference front() const noexcept { return data_[0]; }
  reference back() noexcept { return data_[size_ - 1]; }
  const_reference back() const noexcept { return data_[size_ - 1]; }
  iterator begin() noexcept { return data_; }
  iterator end() noexcept { return data_ + size_; }
  const_iterator begin() const noexcept { return data_; }
  const_iterator end() const noexcept { return data_ + size_; }
  const_iterator cbegin() const noexcept { return data_; }
  const_iterator cend() const noexcept { return data_ + size_; }
  reverse_iterator rbegin() noexcept { return reverse_iterator(end()); }
  reverse_iterator rend() noexcept { return reverse_iterator(begin()); }
  const_reverse_iterator rbegin() const noexcept { return const_reverse_iterator(end()); }
  const_reverse_iterator rend() const noexcept { return const_reverse_iterator(begin()); }
  const_reverse_iterator crbegin() const noexcept { return rbegin(); }
  const_reverse_iterator crend() const noexcept { return rend(); }

  const std::shared_ptr<Segment>& segment() const noexcept { return segment_; }

 private:
  std::shared_ptr<Segment> segment_;
  T* data_ = nullptr;
  size_type size_ = 0;
};

}  // namespace detail
}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE

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
  static constexpr std::size_t rank = N;

  /// An empty array, attached to nothing; what a moved-from array is, too.
  SharedArray() noexcept { clear(); }

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

  /// Evaluates an expression into the elements. Throws errc::shape_mismatch, with nothing changed, unless the
  /// expression has exactly this shape. As everywhere in xtensor a temporary is made where the operands may overlap
  /// (always before xtensor 0.26); xt::noalias(a) = expression makes none.
  template <class E>
  requires(!std::is_const_v<T>) SharedArray& operator=(const xt::xexpression<E>& expression) {
    require_shape_of(expression.derived_cast());
    semantic_base::operator=(expression);
    return *this;
  }

  /// The same without a temporary; what xt::noalias calls. A scalar fills the array.
  template <class E>
  requires(!std::is_const_v<T>) SharedArray& assign(const xt::xexpression<E>& expression) {
    if constexpr (!xt::is_xscalar<E>::value) require_shape_of(expression.derived_cast());
    semantic_base::assign(expression);
    return *this;
  }

  /// What xt::noalias(a) += expression calls, and its like.
  template <class E>
  requires(!std::is_const_v<T>) SharedArray& computed_assign(const xt::xexpression<E>& expression) {
    require_shape_of(expression.derived_cast());
    semantic_base::computed_assign(expression);
    return *this;
  }

  /// What a += scalar calls, and its like.
  template <class E, class F>
  requires(!std::is_const_v<T>) SharedArray& scalar_computed_assign(const E& scalar, F&& function) {
    semantic_base::scalar_computed_assign(scalar, std::forward<F>(function));
    return *this;
  }

  /// Sets every element.
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
  template <class I> void resize(std::initializer_list<I>, bool = false) = delete;  // ndshm: a shared array keeps its shape; create another one and assign to it
  template <class... Any> void reshape(Any&&...) = delete;  // ndshm: a shared array keeps its shape; xt::reshape_view(a, {...}) looks at it in another one
  template <class I> void reshape(std::initializer_list<I>, layout = L) = delete;  // ndshm: a shared array keeps its shape; xt::reshape_view(a, {...}) looks at it in another one
  // clang-format on

  /// Element i of the array as if it were one-dimensional, in its own order (row-major where L is dynamic).
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

  /// The name under which other processes attach; empty for an anonymous array.
  const std::string& name() const { return segment("name").name(); }

  /// What a program without this library opens to see the whole segment as a .npy file: `/dev/shm/ndshm.weights`, or
  /// `/proc/PID/fd/N` of an anonymous array, as long as this process lives.
  /// Throws errc::unsupported where the system shows no such file (portable path).
  std::string path() const { return segment("path").path(detail::Context("path", name())); }

  /// Identifies the segment for ever.
  Uuid uuid() const { return segment("uuid").uuid(); }

  /// Bytes of the elements of this array: size() * sizeof(T).
  std::size_t nbytes() const noexcept { return this->size() * sizeof(T); }

  /// Whether the memory is mapped read-only.
  static constexpr bool is_read_only() noexcept { return std::is_const_v<T>; }

  /// Takes writing away from everybody who has not mapped the array for it yet, this process included, for ever: a new
  /// mapping can only be read from. What is mapped for writing by now stays so, here and in other processes and their
  /// forks. From then on handle() grants reading only, and attaching through an older handle for writing is
  /// errc::read_only. Only for an array without a name. Freezing it again changes nothing.
  /// Throws errc::unsupported for a named array, and where the system cannot do it (portable path, Linux before 5.1).
  void freeze() requires(!std::is_const_v<T>) { segment("freeze").freeze(detail::Context("freeze", name())); }

  /// Whether anybody has frozen the array.
  bool is_frozen() const { return segment("is_frozen").is_frozen(); }

  /// Whether this call of create, copy_of or create_or_attach made the segment; false for one that was attached.
  bool is_creator() const noexcept { return creator_; }

  /// Everything another process needs to attach this array: for reading only where it is mapped read-only or frozen.
  Handle handle() const { return handle_of(*this, "handle"); }

  /// The same for a strided view of this array: xt::view with ranges and integers, xt::strided_view, xt::transpose, and
  /// their like. Throws errc::invalid_argument when the view is one of another array.
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
    if (storage_.segment()) return *storage_.segment();
    throw Error(errc::invalid_argument,
                detail::Context(operation, {}) + "the array is empty: default-constructed or moved from");
  }

  template <class E>
  void require_shape_of(const E& expression) const {
    const auto& other = expression.shape();
    if (other.size() == N && std::equal(this->shape().begin(), this->shape().end(), other.begin())) return;
    throw Error(errc::shape_mismatch,
                detail::Context("assign", storage_.segment() ? storage_.segment()->name() : std::string()) +
                    "the expression has the shape " + detail::format_tuple(other) + ", the array " +
                    detail::format_tuple(this->shape()),
                "an array in shared memory keeps its shape; xt::view(a, ...) = takes a part, xt::broadcast repeats");
  }

  template <class View>
  Handle handle_of(const View& view, std::string_view operation) const;

  storage_type storage_;
  bool creator_ = false;
};

namespace detail {

struct ArrayAccess {
  /// The array of this geometry (checked; strides and offset in bytes) over `data`, which `segment` keeps mapped.
  template <class T, std::size_t N, layout L>
  static SharedArray<T, N, L> make(std::shared_ptr<Segment> segment, std::byte* data, ShapeView shape,
                                   StridesView strides, std::size_t offset, bool creator) {
    using Array = SharedArray<T, N, L>;
    typename Array::shape_type extents{};
    typename Array::strides_type steps{};
    for (std::size_t axis = 0; axis < N; ++axis) {
      extents[axis] = shape[axis];
      steps[axis] = strides[axis] / static_cast<std::ptrdiff_t>(sizeof(T));
    }
    layout order = L;
    if constexpr (L == layout::dynamic) {
      if (is_contiguous(shape, strides, sizeof(T), false)) {
        order = layout::row_major;
      } else if (is_contiguous(shape, strides, sizeof(T), true)) {
        order = layout::column_major;
      }
    }
    T* const first = reinterpret_cast<T*>(data + offset);
    typename Array::storage_type storage(std::move(segment), first, *byte_count(shape, 1));
    return Array(extents, steps, std::move(storage), order, creator);
  }
};

constexpr std::string_view layout_word(layout order) {
  return order == layout::row_major ? "row_major" : order == layout::column_major ? "column_major" : "dynamic";
}

/// `attach<double, 2, ndshm::layout::column_major>`: what would have worked.
inline std::string attach_call(std::string_view descr, std::size_t rank, layout order, bool read_only) {
  std::string text = "attach<" + std::string(read_only ? "const " : "") + cpp_name(descr) + ", " + std::to_string(rank);
  if (order != layout::row_major) text += ", ndshm::layout::" + std::string(layout_word(order));
  return text + ">";
}

/// The strided buffer that is asked for has to be there, with this type, rank and layout.
template <class T, std::size_t N, layout L>
void require_geometry(std::string_view type, std::size_t itemsize, ShapeView shape, StridesView strides,
                      Context context) {
  const auto lies_in = [&](layout order) {
    return order == layout::dynamic || is_contiguous(shape, strides, itemsize, order == layout::column_major);
  };
  const auto refuse = [&](errc code, const std::string& facts) {
    layout order = L;
    for (const layout other : {layout::row_major, layout::column_major, layout::dynamic}) {
      if (!lies_in(order)) order = other;
    }
    throw Error(code, context + facts, attach_call(type, shape.size(), order, std::is_const_v<T>));
  };
  const std::string& wanted = descr<std::remove_const_t<T>>();
  if (type != wanted) refuse(errc::type_mismatch, "its elements are " + std::string(type) + ", not " + wanted);
  if (shape.size() != N) {
    refuse(errc::rank_mismatch, "it has " + std::to_string(shape.size()) + " dimensions " + format_tuple(shape) +
                                    ", not " + std::to_string(N));
  }
  if (!lies_in(L)) {
    refuse(errc::layout_mismatch, "its elements do not lie in " + std::string(layout_word(L)) + " order");
  }
}

template <class T, std::size_t N, layout L>
SharedArray<T, N, L> attach_whole(std::shared_ptr<Segment> segment, Context context, bool creator) {
  const npy::Header& header = segment->header();
  const Strides strides = contiguous_strides(header.shape, header.itemsize, header.fortran_order);
  require_geometry<T, N, L>(header.descr, header.itemsize, header.shape, strides, context);
  std::byte* const data = segment->data();
  return ArrayAccess::make<T, N, L>(std::move(segment), data, header.shape, strides, 0, creator);
}

/// The segment where a handle says that it is.
inline std::shared_ptr<Segment> segment_at(const Handle& handle, Access access, const AttachOptions& options,
                                           Context context) {
  const Handle::Place& place = handle.place();
  if (auto known = MappingTable::instance().find(handle.uuid(), access, place.name)) {
    // Although it is mapped for writing already: as in every other process.
    if (access == Access::read_write && known->is_frozen()) throw frozen(context);
    return known;
  }
  return place.name.empty()
             ? Segment::attach(place.pid, place.descriptor, access, context)
             : Segment::attach(place.name, access, {options.timeout, options.owner, place.scope}, context);
}

/// The segment has to be the one that a handle means, and to have what the handle says of it.
inline void require_meant(const Segment& segment, const Handle& handle, Context context) {
  if (segment.uuid() != handle.uuid()) {
    throw Error(errc::stale_handle, context + "another segment has taken the place of the one that the handle means",
                "get a new handle from the process that has the array");
  }
  const npy::Header& header = segment.header();
  if (header.descr != handle.dtype() ||
      !fits(handle.shape(), handle.strides(), header.itemsize, handle.offset(), segment.data_bytes())) {
    throw Error(errc::invalid_handle,
                context + "the handle reaches beyond the segment, or gives it another element type");
  }
}

/// The strided buffer that a handle means, in the segment that `find(context)` returns.
template <class T, std::size_t N, layout L, class Find>
SharedArray<T, N, L> attach_by(const Handle& handle, Context context, Find find) {
  require_geometry<T, N, L>(handle.dtype(), handle.itemsize(), handle.shape(), handle.strides(), context);
  if (handle.is_read_only() && !std::is_const_v<T>) {
    throw Error(errc::read_only, context + "the handle grants reading only", attach_call(handle.dtype(), N, L, true));
  }
  const std::shared_ptr<Segment> segment = find(context);
  require_meant(*segment, handle, context);
  return ArrayAccess::make<T, N, L>(segment, segment->data(), handle.shape(), handle.strides(), handle.offset(), false);
}

template <class T>
constexpr Access access_for = std::is_const_v<T> ? Access::read_only : Access::read_write;

/// A rank that is still to be deduced from the shape.
inline constexpr std::size_t deduced = static_cast<std::size_t>(-1);

/// `{}` as a shape: no dimensions.
struct Scalar {};

template <class S>
struct FixedRank : std::integral_constant<std::size_t, deduced> {};
template <>
struct FixedRank<Scalar> : std::integral_constant<std::size_t, 0> {};
template <class I, std::size_t N>
struct FixedRank<std::array<I, N>> : std::integral_constant<std::size_t, N> {};
template <std::size_t... X>
struct FixedRank<xt::fixed_shape<X...>> : std::integral_constant<std::size_t, sizeof...(X)> {};

/// The rank of an array of N dimensions (or deduced) made in the shape S; 0 where neither tells.
template <std::size_t N, class S>
constexpr std::size_t rank_for() {
  if (N != deduced) return N;
  return FixedRank<S>::value != deduced ? FixedRank<S>::value : 0;
}

/// The sentence for it. Not in rank_for, which compilers ask of shapes that they do not take in the end.
template <std::size_t N, class S>
constexpr void require_rank() {
  static_assert(N != deduced || FixedRank<S>::value != deduced,
                "ndshm: this shape does not say its number of dimensions; write it: create<T, N>, copy_of<N>");
}

/// The array that create<T, N, L> makes in the shape S.
template <class T, std::size_t N, layout L, class S>
using ArrayFor = SharedArray<T, rank_for<N, S>(), L>;

/// Shapes that are no braced list: std::array, std::vector, what shape() of an expression returns.
template <class S>
concept ShapeRange = std::same_as<S, Scalar> || requires(const S& shape) {
  requires std::integral<std::decay_t<decltype(*shape.begin())>>;
  requires !std::same_as<std::decay_t<decltype(*shape.begin())>, char>;
  shape.size();
};

/// Those that can be a shape of N dimensions.
template <class S, std::size_t N>
concept ShapeFor = ShapeRange<S> &&(N == deduced || FixedRank<S>::value == deduced || FixedRank<S>::value == N);

template <std::size_t N, class S>
std::array<Extent, N> extents_of(const S& shape, Context context) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    if constexpr (!std::is_same_v<S, Scalar>) {
      if (std::size(shape) != N) {
        throw Error(errc::rank_mismatch, context + "the shape has " + std::to_string(std::size(shape)) +
                                             " dimensions, not " + std::to_string(N));
      }
    }
    if constexpr (N == 0) {
      return std::array<Extent, 0>{};
    } else {
      return std::array<Extent, N>{Extent(*std::next(std::begin(shape), I))...};
    }
  }
  (std::make_index_sequence<N>{});
}

/// Checks the extents and says what the header of such an array is.
template <class T, layout L, std::size_t N>
npy::Header header_for(const std::array<Extent, N>& extents, Context context) {
  static_assert(!std::is_const_v<T>, "ndshm: an array is created writable; attach<const T, N> maps it read-only");
  static_assert(L == layout::row_major || L == layout::column_major,
                "ndshm: an array is created row_major or column_major");
  npy::Header header{descr<T>(), sizeof(T), false, Shape(N)};
  for (std::size_t axis = 0; axis < N; ++axis) {
    if (extents[axis].negative) {
      throw Error(errc::invalid_shape, context + "dimension " + std::to_string(axis) + " is " +
                                           std::to_string(static_cast<std::ptrdiff_t>(extents[axis].value)) +
                                           ", which is negative");
    }
    header.shape[axis] = extents[axis].value;
  }
  layout_to_make(header, 0, context);  // throws where it does not fit into memory
  // As NumPy has it: Fortran order is said only of what is not in C order too.
  header.fortran_order =
      L == layout::column_major &&
      !is_contiguous(header.shape, contiguous_strides(header.shape, sizeof(T), true), sizeof(T), false);
  return header;
}

/// What create() is called for: the array's name as the caller gave it, or none.
using Name = std::optional<std::string_view>;

inline std::string checked_name(const Name& name, Context context) {
  if (name) check_name(*name, os::max_name_bytes, context);
  return std::string(name.value_or(std::string_view{}));
}

/// Makes a segment and lets `initialise` write its elements before any other process can see it.
template <class T, std::size_t N, layout L, class S, class Initialise>
SharedArray<T, N, L> create(const Name& name, const S& shape, const CreateOptions& options, std::string_view operation,
                            Initialise initialise) {
  const detail::Context context(operation, name.value_or(std::string_view{}));
  const std::string checked = checked_name(name, context);
  const npy::Header header = header_for<T, L>(extents_of<N>(shape, context), context);
  const auto write = [&](std::byte* data) {
    initialise(ArrayAccess::make<T, N, L>(nullptr, data, header.shape,
                                          contiguous_strides(header.shape, sizeof(T), header.fortran_order), 0, true));
  };
  return attach_whole<T, N, L>(Segment::create(checked, header, options, context, write), context, true);
}

template <class T, std::size_t N, layout L, class S>
SharedArray<T, N, L> create(const Name& name, const S& shape, const CreateOptions& options) {
  if constexpr (ElementCheck<std::remove_const_t<T>>::shareable) {
    return create<T, N, L>(name, shape, options, "create", [](const SharedArray<T, N, L>&) {});
  }
}

/// Whether a segment of that name can be attached within a second.
inline bool appears(const std::string& name, AttachOptions options) {
  try {
    options.timeout = std::chrono::seconds(1);
    Segment::attach(name, Access::read_write, options, {});
    return true;
  } catch (const Error&) {
    return false;
  }
}

template <class T, std::size_t N, layout L, class S>
SharedArray<T, N, L> create_or_attach(std::string_view name, const S& shape, const CreateOptions& create_options,
                                      AttachOptions attach_options) {
  if constexpr (ElementCheck<std::remove_const_t<T>>::shareable) {
    attach_options.scope = create_options.scope;
    const detail::Context context("create_or_attach", name);
    const std::string checked = checked_name(name, context);
    const npy::Header header = header_for<T, L>(extents_of<N>(shape, context), context);
    os::Backoff backoff(std::max<std::chrono::nanoseconds>(attach_options.timeout, std::chrono::seconds(10)));
    for (;;) {
      if (auto segment = Segment::try_attach(checked, Access::read_write, attach_options, context)) {
        auto array = attach_whole<T, N, L>(std::move(segment), context, false);
        if (std::equal(header.shape.begin(), header.shape.end(), array.shape().begin())) return array;
        throw Error(errc::shape_mismatch, context + "it has the shape " + format_tuple(array.shape()) + ", not " +
                                              format_tuple(header.shape));
      }
      try {
        return attach_whole<T, N, L>(Segment::create(checked, header, create_options, context, [](std::byte*) {}),
                                     context, true);
      } catch (const Error& error) {
        const bool lost_race = error.condition() == errc::already_exists && backoff.wait();
        // Another process may have taken the memory for this very array and still be filling it: it gets a second.
        const bool overtaken = error.condition() == errc::out_of_memory && appears(checked, attach_options);
        if (!lost_race && !overtaken) throw;
      }
    }
  }
}

template <std::size_t N, layout L, class E>
auto copy_of(const Name& name, const E& expression, const CreateOptions& options) {
  using T = std::remove_const_t<typename E::value_type>;
  require_rank<N, typename E::shape_type>();
  constexpr std::size_t rank = rank_for<N, typename E::shape_type>();
  return create<T, rank, L>(name, expression.shape(), options, "copy_of",
                            [&](SharedArray<T, rank, L> array) { array.assign(expression); });
}

}  // namespace detail

/// create<T>(name, shape, options): a new array of zeros, which other processes attach by its name.
/// create<T>(shape, options): the same without a name, handed on by fork or by its handle; nothing can be left behind.
///
/// The shape is `{rows, 10}` (integers of any types), a std::array such as the shape() of an expression, `{}` for an
/// array of no dimensions, or with create<T, N> any range of N integers. create<T, N, layout::column_major> makes
/// Fortran order. The memory is taken now, unless options.reserve is lazy: the cost is that of touching every page
/// once. Throws errc::already_exists, out_of_memory, invalid_name, invalid_shape, permission_denied; nothing is left of
/// a call that throws.
template <class T, std::size_t N, layout L = layout::row_major>
SharedArray<T, N, L> create(std::string_view name, const Extent (&shape)[N], const CreateOptions& options = {}) {
  return detail::create<T, N, L>(name, std::span(shape), options);
}
template <class T, std::size_t N, layout L = layout::row_major>
SharedArray<T, N, L> create(const Extent (&shape)[N], const CreateOptions& options = {}) {
  return detail::create<T, N, L>(std::nullopt, std::span(shape), options);
}
template <class T, std::size_t N = detail::deduced, layout L = layout::row_major,
          detail::ShapeFor<N> S = detail::Scalar>
detail::ArrayFor<T, N, L, S> create(std::string_view name, const S& shape, const CreateOptions& options = {}) {
  detail::require_rank<N, S>();
  return detail::create<T, detail::rank_for<N, S>(), L>(name, shape, options);
}
template <class T, std::size_t N = detail::deduced, layout L = layout::row_major,
          detail::ShapeFor<N> S = detail::Scalar>
detail::ArrayFor<T, N, L, S> create(const S& shape, const CreateOptions& options = {}) {
  detail::require_rank<N, S>();
  return detail::create<T, detail::rank_for<N, S>(), L>(std::nullopt, shape, options);
}

/// create_or_attach<T>(name, shape): attaches the array of that name, or creates it where there is none. Of n processes
/// that race exactly one creates it, its is_creator() tells; the others wait until it is complete.
/// Throws errc::type_mismatch, rank_mismatch, layout_mismatch or shape_mismatch when what is there is of another kind,
/// and what create and attach throw.
template <class T, std::size_t N, layout L = layout::row_major>
SharedArray<T, N, L> create_or_attach(std::string_view name, const Extent (&shape)[N],
                                      const CreateOptions& create_options = {},
                                      const AttachOptions& attach_options = {}) {
  return detail::create_or_attach<T, N, L>(name, std::span(shape), create_options, attach_options);
}
template <class T, std::size_t N = detail::deduced, layout L = layout::row_major,
          detail::ShapeFor<N> S = detail::Scalar>
detail::ArrayFor<T, N, L, S> create_or_attach(std::string_view name, const S& shape,
                                              const CreateOptions& create_options = {},
                                              const AttachOptions& attach_options = {}) {
  detail::require_rank<N, S>();
  return detail::create_or_attach<T, detail::rank_for<N, S>(), L>(name, shape, create_options, attach_options);
}

/// copy_of(name, expression), copy_of(expression): a new array with the elements of an xtensor expression, which others
/// can attach only when all of them are there. copy_of<N> for an expression whose rank is known at run time only, such
/// as an xt::xarray; copy_of<N, layout::column_major> for Fortran order. Throws what create throws, and what evaluating
/// throws.
template <std::size_t N = detail::deduced, layout L = layout::row_major, class E>
auto copy_of(std::string_view name, const xt::xexpression<E>& expression, const CreateOptions& options = {}) {
  return detail::copy_of<N, L>(name, expression.derived_cast(), options);
}
template <std::size_t N = detail::deduced, layout L = layout::row_major, class E>
auto copy_of(const xt::xexpression<E>& expression, const CreateOptions& options = {}) {
  return detail::copy_of<N, L>(std::nullopt, expression.derived_cast(), options);
}

/// attach<T, N>(name): the array of that name, as another process created it. attach<const T, N> maps it read-only,
/// from a descriptor that cannot be made writable. L says which order is expected; layout::dynamic takes every order.
/// A process that attaches what it already has mapped shares the mapping.
/// Throws errc::not_found (timed_out after options.timeout), type_mismatch, rank_mismatch, layout_mismatch,
/// permission_denied, not_a_segment, damaged, incompatible.
template <class T, std::size_t N, layout L = layout::row_major>
SharedArray<T, N, L> attach(std::string_view name, const AttachOptions& options = {}) {
  const detail::Context context("attach", name);
  return detail::attach_whole<T, N, L>(
      detail::Segment::attach(detail::checked_name(name, context), detail::access_for<T>, options, context), context,
      false);
}

/// attach<T, N>(handle): the strided buffer that another process gave a handle of: a whole array, or a view of one with
/// L = layout::dynamic, or with another L where it happens to be contiguous.
/// Throws as above, and errc::stale_handle when another segment has taken the place of the one meant, errc::read_only
/// when the handle grants reading only and T is not const.
template <class T, std::size_t N, layout L = layout::row_major>
SharedArray<T, N, L> attach(const Handle& handle, const AttachOptions& options = {}) {
  return detail::attach_by<T, N, L>(handle, detail::Context("attach", handle.name()), [&](detail::Context context) {
    return detail::segment_at(handle, detail::access_for<T>, options, context);
  });
}

template <class T, std::size_t N, layout L>
template <class View>
Handle SharedArray<T, N, L>::handle_of(const View& view, std::string_view operation) const {
  static_assert(std::is_same_v<std::remove_const_t<typename View::value_type>, value_type>,
                "ndshm: the view has other elements than the array");
  const detail::Segment& from = segment(operation);
  const detail::Shape shape(view.shape().begin(), view.shape().end());
  detail::Strides strides(shape.size());
  std::transform(view.strides().begin(), view.strides().end(), strides.begin(), [](auto stride) {
    return static_cast<std::ptrdiff_t>(stride) * static_cast<std::ptrdiff_t>(sizeof(T));
  });
  const auto first = reinterpret_cast<std::uintptr_t>(view.data()) + view.data_offset() * sizeof(T);
  const std::size_t offset = detail::is_empty(shape) ? 0 : first - reinterpret_cast<std::uintptr_t>(from.data());
  if (!detail::fits(shape, strides, sizeof(T), offset, from.data_bytes())) {
    throw Error(errc::invalid_argument, detail::Context(operation, from.name()) + "the view is not one of this array",
                "call handle() of the array that the view was made from");
  }
  Handle::Place place{from.name(), {}, -1, from.scope()};
  if (place.name.empty()) place = {{}, detail::os::process_id(), from.descriptor()};
  const bool read_only = from.is_read_only() || from.is_frozen();
  return {std::move(place), from.uuid(), from.header().descr, shape, std::move(strides), offset, read_only};
}

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE
