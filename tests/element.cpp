// SPDX-License-Identifier: BSL-1.0
// element.cpp: which types may be shared, and what NumPy is told of them.
#include <bit>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <string>

#include "catch.hpp"

#include <ndshm/format/element.hpp>
#include <ndshm/format/npy_parser.hpp>

using ndshm::Element;
using ndshm::detail::descr;

namespace {

enum class Color : std::uint16_t { red };
enum Plain { zero };

}  // namespace

namespace geometry {

struct Point {
  float x;
  double y;
};
NDSHM_STRUCT(Point, x, y)

struct Body {
  char tag;
  Point position;
  std::array<std::int16_t, 3> counts;
  bool flags[2][4];
  std::complex<float> phase;
};
NDSHM_STRUCT(Body, tag, position, counts, flags, phase)

struct Partial {
  std::int32_t shown;
  std::int32_t hidden;
  std::int64_t last;
};
NDSHM_STRUCT(Partial, last, shown)

struct Overlapping {
  union {
    float f;
    int i;
  };
  int y;
};
NDSHM_STRUCT(Overlapping, f, i, y)

struct Repeated {
  int x;
  int y;
};
NDSHM_STRUCT(Repeated, x, y, x)

struct Undescribed {
  int x;
};

}  // namespace geometry

static_assert(Element<bool> && Element<char> && Element<std::byte> && Element<long double> && Element<wchar_t>);
static_assert(Element<std::complex<double>> && Element<Color> && Element<Plain> && Element<geometry::Body>);
static_assert(Element<const double>);
static_assert(!Element<int*> && !Element<std::string> && !Element<geometry::Undescribed> && !Element<void>);
static_assert(!Element<volatile int> && !Element<int&> && !Element<int[3]> && !Element<std::nullptr_t>);

TEST_CASE("scalars have NumPy's type strings") {
  const std::string order = std::endian::native == std::endian::little ? "<" : ">";
  CHECK(descr<bool>() == "|b1");
  CHECK(descr<std::byte>() == "|u1");
  CHECK(descr<signed char>() == "|i1");
  CHECK(descr<unsigned char>() == "|u1");
  CHECK(descr<char>() == (std::is_signed_v<char> ? "|i1" : "|u1"));
  CHECK(descr<char8_t>() == "|u1");
  CHECK(descr<char16_t>() == order + "u2");
  CHECK(descr<char32_t>() == order + "u4");
  CHECK(descr<short>() == order + "i2");
  CHECK(descr<unsigned>() == order + "u4");
  CHECK(descr<std::int64_t>() == order + "i8");
  CHECK(descr<long long>() == order + "i8");
  CHECK(descr<float>() == order + "f4");
  CHECK(descr<double>() == order + "f8");
  CHECK(descr<long double>() == order + "f" + std::to_string(sizeof(long double)));
  CHECK(descr<std::complex<float>>() == order + "c8");
  CHECK(descr<std::complex<double>>() == order + "c16");
  CHECK(descr<Color>() == order + "u2");
  CHECK(descr<Plain>() == descr<unsigned>());
#if defined(__FLT16_MANT_DIG__)
  CHECK(descr<_Float16>() == order + "f2");
#endif
}

TEST_CASE("structs have fields with their offsets, and gaps as padding") {
  if constexpr (std::endian::native == std::endian::little) {
    CHECK(descr<geometry::Point>() == "[('x', '<f4'), ('', '|V4'), ('y', '<f8')]");
    CHECK(descr<geometry::Body>() ==
          "[('tag', '|i1'), ('', '|V7'), ('position', [('x', '<f4'), ('', '|V4'), ('y', '<f8')]), "
          "('counts', '<i2', (3,)), ('flags', '|b1', (2, 4)), ('', '|V2'), ('phase', '<c8')]");
    CHECK(descr<geometry::Partial>() == "[('shown', '<i4'), ('', '|V4'), ('last', '<i8')]");
  }
}

TEST_CASE("a description that NumPy could not read is refused") {
  CHECK_ERROR(descr<geometry::Overlapping>(), ndshm::errc::invalid_argument, "overlaps another one");
  CHECK_ERROR(descr<geometry::Repeated>(), ndshm::errc::invalid_argument, "appears twice");
}

TEST_CASE("the parser gives back text and size of every type") {
  const auto check = []<class T>(std::type_identity<T>) {
    const ndshm::detail::npy::Type type = ndshm::detail::npy::parse_descr(descr<T>());
    CHECK(type.descr == descr<T>());
    CHECK(type.itemsize == sizeof(T));
  };
  check(std::type_identity<bool>{});
  check(std::type_identity<std::byte>{});
  check(std::type_identity<long double>{});
  check(std::type_identity<std::complex<long double>>{});
  check(std::type_identity<geometry::Point>{});
  check(std::type_identity<geometry::Body>{});
  check(std::type_identity<geometry::Partial>{});
}

TEST_CASE("messages name the C++ type to write") {
  CHECK(ndshm::detail::cpp_name("<f8") == "double");
  CHECK(ndshm::detail::cpp_name("|b1") == "bool");
  CHECK(ndshm::detail::cpp_name("[('x', '<f4')]") == "T /* [('x', '<f4')] */");
}
