// SPDX-License-Identifier: BSL-1.0
// types.hpp: the element types of the conformance test, each with the key under which numpy_side.py knows the same type
// in NumPy's own words. To add a type: an entry in one of the lists at the end of this file and one in TYPES there; a
// struct needs CONFORMANCE_STRUCT as well, with its members in the order in which they lie in memory.
#pragma once

#include <array>
#include <boost/preprocessor/seq/for_each.hpp>
#include <boost/preprocessor/variadic/to_seq.hpp>
#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ndshm/ndshm.hpp>
#include <string>
#include <tuple>
#include <type_traits>

namespace conformance {

/// NDSHM_STRUCT, and a function that hands every member to `each`.
#define CONFORMANCE_VISIT(r, each, member) each(object.member);
#define CONFORMANCE_STRUCT(Type, ...)                                                     \
  NDSHM_STRUCT(Type, __VA_ARGS__)                                                         \
  template <class Each>                                                                   \
  void visit_members(Type& object, Each each) {                                           \
    BOOST_PP_SEQ_FOR_EACH(CONFORMANCE_VISIT, each, BOOST_PP_VARIADIC_TO_SEQ(__VA_ARGS__)) \
  }

enum class Signed : std::int16_t { zero };
enum class Unsigned : std::uint64_t { zero };
enum class Truth : bool { no };
enum Plain : int { plain_zero };

struct Byte {
  std::int8_t value;
};
CONFORMANCE_STRUCT(Byte, value)

struct Point {
  float x;
  float y;
};
CONFORMANCE_STRUCT(Point, x, y)

/// Padding between members and behind the last one.
struct Padded {
  std::uint8_t flag;
  double value;
  std::int16_t tail;
};
CONFORMANCE_STRUCT(Padded, flag, value, tail)

struct Nested {
  std::int32_t id;
  Padded inner;
  Point corners[2];
};
CONFORMANCE_STRUCT(Nested, id, inner, corners)

struct Deep {
  bool valid;
  std::array<Nested, 2> nested;
  Byte end;
};
CONFORMANCE_STRUCT(Deep, valid, nested, end)

/// Arrays of one and more dimensions, of both kinds.
struct Arrays {
  std::array<std::int16_t, 3> vector;
  float matrix[2][2];
  std::array<std::array<std::uint8_t, 2>, 3> table;
  std::array<double, 2> rows[2];
};
CONFORMANCE_STRUCT(Arrays, vector, matrix, table, rows)

struct Mixed {
  Truth truth;
  Signed number;
  std::byte byte;
  signed char letter;
  long double precise;
  std::complex<float> small;
  std::complex<long double> large;
};
CONFORMANCE_STRUCT(Mixed, truth, number, byte, letter, precise, small, large)

/// A member that is left out is padding.
struct Partial {
  std::int32_t seen;
  std::int32_t hidden;
  double also_seen;
};
CONFORMANCE_STRUCT(Partial, seen, also_seen)

struct alignas(64) Line {
  int value;
};
CONFORMANCE_STRUCT(Line, value)

/// Its header is longer than 128 bytes.
struct Wide {
  double the_first_member_of_a_wide_struct;
  float the_second_member_of_a_wide_struct;
  std::int8_t the_third_member_of_a_wide_struct;
  double the_fourth_member_of_a_wide_struct;
  std::array<std::uint32_t, 5> the_fifth_member_of_a_wide_struct;
};
CONFORMANCE_STRUCT(Wide, the_first_member_of_a_wide_struct, the_second_member_of_a_wide_struct,
                   the_third_member_of_a_wide_struct, the_fourth_member_of_a_wide_struct,
                   the_fifth_member_of_a_wide_struct)

/// Its header is longer than 256 bytes, a length that other readers cannot take, and becomes 320.
struct Wider {
  std::array<Wide, 1> wide;
};
CONFORMANCE_STRUCT(Wider, wide)

template <class T>
struct Type {
  std::string key;
};

/// char and wchar_t are signed here and unsigned there.
template <std::integral T>
std::string integer_key() {
  return (std::is_signed_v<T> ? "i" : "u") + std::to_string(sizeof(T));
}

inline auto integers() {
  return std::tuple(Type<bool>{"bool"}, Type<char>{integer_key<char>()}, Type<signed char>{"signed char"},
                    Type<unsigned char>{"unsigned char"}, Type<char8_t>{"u1"}, Type<char16_t>{"u2"},
                    Type<char32_t>{"u4"}, Type<wchar_t>{integer_key<wchar_t>()}, Type<short>{"short"},
                    Type<unsigned short>{"unsigned short"}, Type<int>{"int"}, Type<unsigned>{"unsigned int"},
                    Type<long>{"long"}, Type<unsigned long>{"unsigned long"}, Type<long long>{"long long"},
                    Type<unsigned long long>{"unsigned long long"}, Type<std::byte>{"unsigned char"},
                    Type<Signed>{"i2"}, Type<Unsigned>{"u8"}, Type<Truth>{"bool"}, Type<Plain>{"int"});
}

inline auto half_floats() {
#if defined(__FLT16_MANT_DIG__)
  return std::tuple(Type<_Float16>{"_Float16"});
#else
  return std::tuple();
#endif
}

inline auto floats() {
  return std::tuple(Type<float>{"float"}, Type<double>{"double"}, Type<long double>{"long double"},
                    Type<std::complex<float>>{"complex float"}, Type<std::complex<double>>{"complex double"},
                    Type<std::complex<long double>>{"complex long double"});
}

inline auto structs() {
  return std::tuple(Type<Byte>{"Byte"}, Type<Point>{"Point"}, Type<Padded>{"Padded"}, Type<Nested>{"Nested"},
                    Type<Deep>{"Deep"}, Type<Arrays>{"Arrays"}, Type<Mixed>{"Mixed"}, Type<Partial>{"Partial"},
                    Type<Line>{"Line"}, Type<Wide>{"Wide"}, Type<Wider>{"Wider"});
}

inline auto all_types() { return std::tuple_cat(integers(), half_floats(), floats(), structs()); }

}  // namespace conformance
