// SPDX-License-Identifier: BSL-1.0
// element.hpp: which types T an array in shared memory may hold, and the .npy `descr` text that tells NumPy the same.
// Includes the standard library and Boost.Preprocessor. A type that cannot be shared is refused at compile time with
// one sentence.
// Source: https://numpy.org/doc/stable/reference/arrays.interface.html (type strings), numpy.lib.format (descr).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <boost/preprocessor/seq/for_each.hpp>
#include <boost/preprocessor/stringize.hpp>
#include <boost/preprocessor/variadic/to_seq.hpp>
#include <complex>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <ndshm/core/error.hpp>
#include <ndshm/core/text.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

// ---- scalars -------------------------------------------------------------------------------------------------------

template <class T>
struct is_complex : std::false_type {};
template <class T>
struct is_complex<std::complex<T>> : std::is_floating_point<T> {};

template <class T>
constexpr bool is_half() {
#if defined(__FLT16_MANT_DIG__)  // the compiler has _Float16, which is not std::is_floating_point before C++23
  if constexpr (std::is_same_v<T, _Float16>) return true;
#endif
  return false;
}

/// Floating types whose bits NumPy knows: IEEE half, single and double, and the platform's own long double.
/// bfloat16 is not one of them.
template <class T>
constexpr bool is_numpy_float() {
  if constexpr (is_half<T>()) {
    return true;
  } else if constexpr (std::is_floating_point_v<T>) {
    constexpr int digits = std::numeric_limits<T>::digits;
    return (sizeof(T) == 2 && digits == 11) || (sizeof(T) == 4 && digits == 24) || (sizeof(T) == 8 && digits == 53) ||
           (sizeof(T) == sizeof(long double) && digits == std::numeric_limits<long double>::digits);
  } else {
    return false;
  }
}

template <class T>
constexpr bool is_numpy_scalar() {
  if constexpr (std::is_enum_v<T>) {
    return true;  // std::byte too
  } else if constexpr (std::is_integral_v<T>) {
    return sizeof(T) <= 8;
  } else if constexpr (is_complex<T>::value) {
    return is_numpy_float<typename T::value_type>();
  } else {
    return is_numpy_float<T>();
  }
}

template <class T>
constexpr char kind_of() {
  if constexpr (std::is_same_v<T, bool>) return 'b';
  if constexpr (is_complex<T>::value) return 'c';
  if constexpr (is_numpy_float<T>()) return 'f';
  return std::is_signed_v<T> ? 'i' : 'u';
}

// ---- structs -------------------------------------------------------------------------------------------------------

/// One member of a described struct: what NumPy calls a field.
struct Field {
  std::string name;
  std::string descr;               // of one element of the member
  std::vector<std::size_t> shape;  // empty, or the extents of a member that is an array
  std::size_t offset;              // bytes from the start of the struct
  std::size_t size;                // bytes, the whole member
};

template <class T>
concept Described = requires(const T* type) {
  ndshm_fields(type);
};

template <class T>
struct is_atomic : std::false_type {};
template <class T>
struct is_atomic<std::atomic<T>> : std::true_type {};

template <class T>
struct is_std_array : std::false_type {};
template <class T, std::size_t N>
struct is_std_array<std::array<T, N>> : std::true_type {};

template <class T>
const std::string& descr();

/// The sentences. Exactly one of them fails for a type that cannot be shared.
template <class T>
struct ElementCheck {
  static constexpr bool bare = !std::is_reference_v<T> && !std::is_volatile_v<T> && !std::is_void_v<T> &&
                               !std::is_array_v<T> && !std::is_function_v<T>;
  static constexpr bool address = std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_null_pointer_v<T>;
  static constexpr bool plain = bare && !address;  // each of these lets the next sentence be said
  static constexpr bool no_atomic = plain && !is_atomic<T>::value;
  static constexpr bool copyable = no_atomic && std::is_copy_constructible_v<T>;
  static constexpr bool trivial = copyable && std::is_trivially_copyable_v<T>;
  static constexpr bool known = is_numpy_scalar<T>() || Described<T>;
  static_assert(bare, "ndshm: T must be a plain object type: no reference, array, function, void or volatile");
  static_assert(!address, "ndshm: a pointer cannot be shared: it means nothing in another process; store an index");
  static_assert(!plain || no_atomic, "ndshm: an atomic is no element: share T, and use std::atomic_ref<T>(a(i)) on it");
  static_assert(!no_atomic || copyable,
                "ndshm: T must be copyable to be shared (std::mutex and others that are tied to their place are not)");
  static_assert(!copyable || trivial,
                "ndshm: T must be trivially copyable to be shared (std::string, std::vector and others that "
                "own memory are not)");
  static_assert(!trivial || known || !std::is_class_v<T>,
                "ndshm: describe this struct after its definition: NDSHM_STRUCT(Type, member, member)");
  static_assert(!trivial || known || std::is_class_v<T>,
                "ndshm: NumPy has no such arithmetic type (bfloat16, 128-bit integers and unions are not supported)");
  static constexpr bool shareable = trivial && known;
};

template <class Member>
Field make_field(std::string_view name, std::size_t offset) {
  Field field{std::string(name), {}, {}, offset, sizeof(Member)};
  auto unwrap = [&]<class M>(auto& self, std::type_identity<M>) -> void {
    if constexpr (std::is_bounded_array_v<M>) {
      field.shape.push_back(std::extent_v<M>);
      self(self, std::type_identity<std::remove_extent_t<M>>{});
    } else if constexpr (is_std_array<M>::value) {
      static_assert(std::tuple_size_v<M> > 0, "ndshm: a std::array without elements has no bytes to share");
      field.shape.push_back(std::tuple_size_v<M>);
      self(self, std::type_identity<typename M::value_type>{});
    } else if constexpr (ElementCheck<M>::shareable) {
      field.descr = descr<M>();
    }
  };
  unwrap(unwrap, std::type_identity<std::remove_cv_t<Member>>{});
  return field;
}

inline std::string padding(std::size_t bytes) { return "('', '|V" + std::to_string(bytes) + "')"; }

inline std::string quote_descr(const std::string& descr) { return descr.front() == '[' ? descr : "'" + descr + "'"; }

/// `[('x', '<f4'), ('', '|V4'), ('y', '<f8')]`: members in the order of their offsets, gaps as NumPy names padding.
/// Throws errc::invalid_argument for a description that NumPy could not read: a member that stands twice, members that
/// overlap (of a union), names outside ASCII.
inline std::string struct_descr(std::vector<Field> fields, std::size_t size) {
  const auto fail = [](const Field& field, const char* why) {
    throw Error(errc::invalid_argument, "NDSHM_STRUCT: the member " + in_quotes(field.name) + why);
  };
  std::sort(fields.begin(), fields.end(), [](const Field& a, const Field& b) { return a.offset < b.offset; });
  std::string text = "[";
  std::size_t end = 0;
  auto add = [&](const std::string& entry) { text += (text.size() > 1 ? ", " : "") + entry; };
  for (const Field& field : fields) {
    if (field.offset < end) fail(field, " appears twice or overlaps another one");
    if (std::any_of(field.name.begin(), field.name.end(),
                    [](char c) { return static_cast<unsigned char>(c) > 0x7e; })) {
      fail(field, " has a name that is not ASCII");
    }
    if (field.offset > end) add(padding(field.offset - end));
    std::string entry = "('" + field.name + "', " + quote_descr(field.descr);
    if (!field.shape.empty()) entry += ", " + format_tuple(field.shape);
    add(entry + ")");
    end = field.offset + field.size;
  }
  if (size > end) add(padding(size - end));
  return text + "]";
}

/// The .npy `descr` of T as NumPy writes it, without the outer quotes of a plain type: `<f8`, or `[('x', '<f4')]`.
template <class T>
const std::string& descr() {
  // Never destroyed: destructors of static objects may create arrays.
  static const std::string& text = *new std::string([] {
    if constexpr (std::is_enum_v<T>) {
      return descr<std::underlying_type_t<T>>();
    } else if constexpr (is_numpy_scalar<T>()) {
      const char order = sizeof(T) == 1 ? '|' : std::endian::native == std::endian::little ? '<' : '>';
      return std::string{order, kind_of<T>()} + std::to_string(sizeof(T));
    } else if constexpr (Described<T>) {
      return struct_descr(ndshm_fields(static_cast<const T*>(nullptr)), sizeof(T));
    } else {
      return std::string{"|V0"};  // ElementCheck has said why; no second error from here
    }
  }());
  return text;
}

/// What to write in C++ for a descr, for messages: `<f8` -> `double`; the text itself where there is no one word.
inline std::string cpp_name(std::string_view descr) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 14> names{
      {{"b1", "bool"},
       {"i1", "std::int8_t"},
       {"u1", "std::uint8_t"},
       {"i2", "std::int16_t"},
       {"u2", "std::uint16_t"},
       {"i4", "std::int32_t"},
       {"u4", "std::uint32_t"},
       {"i8", "std::int64_t"},
       {"u8", "std::uint64_t"},
       {"f4", "float"},
       {"f8", "double"},
       {"f16", "long double"},
       {"c8", "std::complex<float>"},
       {"c16", "std::complex<double>"}}};
  for (const auto& [suffix, name] : names) {
    if (!descr.empty() && descr.front() != '[' && descr.substr(1) == suffix) return std::string(name);
  }
  return "T /* " + std::string(descr) + " */";
}

}  // namespace ndshm::detail

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// A type that may be the element type of a shared array: an arithmetic type of up to 8 bytes or long double, bool,
/// std::byte, an enum, std::complex, _Float16 where the compiler has it, or a struct described with NDSHM_STRUCT.
template <class T>
concept Element = (detail::is_numpy_scalar<std::remove_cv_t<T>>() ||
                   detail::Described<std::remove_cv_t<T>>)&&std::is_trivially_copyable_v<std::remove_cv_t<T>> &&
                  !std::is_volatile_v<T>;

}  // namespace ndshm

#define NDSHM_DETAIL_FIELD(r, unused, member)                                             \
  ::ndshm::detail::make_field<decltype(ndshm_struct::member)>(BOOST_PP_STRINGIZE(member), \
                                                                                 offsetof(ndshm_struct, member)),

/// NDSHM_STRUCT(Type, member, member, ...): makes Type an Element whose members NumPy sees as fields, with their names,
/// offsets and padding. Stands once, after the definition of Type, in the namespace of Type. A member may be any
/// Element, a C array or std::array of one. A member that is not listed becomes padding. Up to 64 members.
#define NDSHM_STRUCT(Type, ...)                                                                                 \
  [[maybe_unused]] inline ::std::vector<::ndshm::detail::Field> ndshm_fields(const Type*) {                     \
    using ndshm_struct = Type;                                                                                  \
    static_assert(::std::is_standard_layout_v<Type> && ::std::is_trivially_copyable_v<Type>,                    \
                  "ndshm: a struct can be described when it is a standard-layout and trivially copyable type"); \
    return {BOOST_PP_SEQ_FOR_EACH(NDSHM_DETAIL_FIELD, unused, BOOST_PP_VARIADIC_TO_SEQ(__VA_ARGS__))};          \
  }
