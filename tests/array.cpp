// SPDX-License-Identifier: BSL-1.0
// array.cpp: SharedArray as an xtensor expression and container, on every way to make one.
#include <cstdint>
#include <functional>
#include <numeric>
#include <sstream>
#include <type_traits>
#include <vector>

#include "catch.hpp"
#include "system.hpp"
#include "views.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;
using ndshm::layout;

static_assert(std::is_nothrow_move_constructible_v<ndshm::SharedArray<double, 2>>);
static_assert(std::is_nothrow_move_assignable_v<ndshm::SharedArray<double, 2>>);
static_assert(std::is_nothrow_default_constructible_v<ndshm::SharedArray<double, 2>>);
static_assert(!std::is_copy_constructible_v<ndshm::SharedArray<double, 2>>);
static_assert(!std::is_copy_assignable_v<ndshm::SharedArray<double, 2>>);
static_assert(xt::is_xexpression<ndshm::SharedArray<double, 2>>::value);
static_assert(!std::is_assignable_v<ndshm::SharedArray<const double, 1>&, xt::xtensor<double, 1>>);
static_assert(!std::is_assignable_v<decltype(std::declval<ndshm::SharedArray<const double, 1>&>()(0)), double>);

TEST_CASE("create makes zeros of the shape that was asked for") {
  const int rows = 3;
  const std::size_t columns = 4;
  const auto named = ndshm::create<double>(unique_name(), {rows, columns});
  CHECK(named.shape() == std::array<std::size_t, 2>{3, 4});
  CHECK(named.strides() == std::array<std::ptrdiff_t, 2>{4, 1});
  CHECK(xt::all(xt::equal(named, 0.0)));
  CHECK(named.nbytes() == 96);
  CHECK(named.size() == 12);
  CHECK(named.dimension() == 2);
  CHECK_FALSE(named.is_read_only());
  CHECK(named.is_creator());
  const auto anonymous = ndshm::create<float>({2, 3, 4});
  CHECK(anonymous.name().empty());
  CHECK(anonymous.uuid() != named.uuid());
  const std::vector<int> shape{5, 6};
  CHECK(ndshm::create<int, 2>(shape).shape() == std::array<std::size_t, 2>{5, 6});
  CHECK(ndshm::create<int>(named.shape()).shape() == named.shape());
}

TEST_CASE("elements are 64-byte aligned and the memory is zero to its end") {
  const auto array = ndshm::create<std::uint8_t>({100'001});
  CHECK(reinterpret_cast<std::uintptr_t>(array.data()) % 64 == 0);
  CHECK(std::all_of(array.begin(), array.end(), [](std::uint8_t element) { return element == 0; }));
}

TEST_CASE("arrays have 0 to 8 dimensions, of any length") {
  auto scalar = ndshm::create<double>({});
  CHECK(scalar.size() == 1);
  scalar() = 3.5;
  CHECK(xt::sum(scalar)() == 3.5);
  const std::string name = unique_name();
  const auto named_scalar = ndshm::create<double>(name, {});
  CHECK(ndshm::attach<double, 0>(name).shape().empty());
  auto eight = ndshm::create<int>({2, 1, 2, 1, 2, 1, 2, 3});
  eight(1, 0, 1, 0, 1, 0, 1, 2) = 7;
  CHECK(eight.flat(47) == 7);
  CHECK(ndshm::create<int>({1, 1, 1, 1, 1, 1, 1, 1}).size() == 1);
  const auto empty = ndshm::create<int>({3, 0, 5});
  CHECK(empty.size() == 0);
  CHECK(xt::sum(empty)() == 0);
  CHECK(empty.begin() == empty.end());
}

TEST_CASE("it takes part in expressions like any container") {
  auto a = ndshm::create<double>({3, 4});
  a = xt::arange<double>(12).reshape({3, 4});
  const xt::xtensor<double, 2> heap = a;
  CHECK(xt::allclose(a + heap * 2.0 - 1.0, heap * 3.0 - 1.0));
  CHECK(xt::sum(a)() == 66);
  CHECK((xt::mean(a, {0}) == xt::xtensor<double, 1>({4, 5, 6, 7})));
  CHECK(xt::amax(a)() == 11);
  const xt::xtensor<double, 1> row{1, 2, 3, 4};
  CHECK(xt::allclose(a + row, heap + row));
  a += row;
  CHECK(a(2, 3) == 15);
  a -= row;
  a *= 2.0;
  CHECK(a(2, 3) == 22);
  xt::noalias(a) = heap + 1.0;
  CHECK(a(0, 0) == 1);
  xt::noalias(a) += heap;
  CHECK(a(1, 1) == 11);
  xt::noalias(a) = 5.0;
  CHECK(xt::all(xt::equal(a, 5.0)));
  a = a + xt::view(a, xt::all(), xt::range(3, xt::placeholders::_, -1));
  CHECK(xt::all(xt::equal(a, 10.0)));
  xt::view(a, 1, xt::all()) = 0.0;
  CHECK(xt::sum(a)() == 80);
  xt::view(a, xt::all(), 0) = xt::xtensor<double, 1>{1, 2, 3};
  CHECK(a.at(2, 0) == 3);
  CHECK_THROWS(a.at(3, 0));
  CHECK(a[{2, 0}] == 3);
  CHECK(a.flat(4) == 2);
  a.fill(1);
  CHECK(std::accumulate(a.begin(), a.end(), 0.0) == 12);
  for (double& element : a) element = 2;
  CHECK(xt::sum(a)() == 24);
  std::ostringstream text;
  text << a;
  CHECK(text.str().find("2.,") != std::string::npos);
  CHECK((a == xt::xtensor<double, 2>({{2, 2, 2, 2}, {2, 2, 2, 2}, {2, 2, 2, 2}})));
}

TEST_CASE("operands that overlap give the result of separate ones") {
  auto a = ndshm::create<int>({6});
  a = xt::arange<int>(6);
  xt::view(a, xt::range(1, 6)) = xt::view(a, xt::range(0, 5));
  CHECK((a == xt::xtensor<int, 1>({0, 0, 1, 2, 3, 4})));
  const std::string name = unique_name();
  auto first = ndshm::copy_of(name, xt::arange<int>(6));
  auto second = ndshm::attach<int, 1>(name);
  xt::view(first, xt::range(1, 6)) = xt::view(second, xt::range(0, 5));
  CHECK((first == xt::xtensor<int, 1>({0, 0, 1, 2, 3, 4})));
}

TEST_CASE("assigning another shape throws and changes nothing") {
  auto a = ndshm::create<double>({2, 3});
  a.fill(1);
  const double* const data = a.data();
  const xt::xtensor<double, 2> transposed = xt::ones<double>({3, 2}) * 2;
  const xt::xtensor<double, 1> row{1, 2, 3};
  const xt::xtensor<double, 3> cube = xt::zeros<double>({2, 2, 3});
  CHECK_ERROR(a = transposed, errc::shape_mismatch, "(3, 2), the array (2, 3)");
  CHECK_ERROR(a = row, errc::shape_mismatch, "(3,)");
  CHECK_ERROR(xt::noalias(a) = transposed, errc::shape_mismatch, "(3, 2)");
  CHECK_ERROR(xt::noalias(a) = row, errc::shape_mismatch, "(3,)");
  CHECK_ERROR(a += cube, errc::shape_mismatch, "(2, 2, 3)");
  CHECK_ERROR(xt::noalias(a) += cube, errc::shape_mismatch, "(2, 2, 3)");
  CHECK(xt::all(xt::equal(a, 1.0)));
  CHECK(a.data() == data);
  CHECK(a.shape() == std::array<std::size_t, 2>{2, 3});
}

TEST_CASE("moving hands the array on and leaves an empty one") {
  const std::string name = unique_name();
  auto a = ndshm::create<double>(name, {2, 3});
  auto b = std::move(a);
  CHECK(a.size() == 0);  // NOLINT(bugprone-use-after-move): this is what the test is about
  CHECK(a.shape() == std::array<std::size_t, 2>{0, 0});
  CHECK(a.data() == nullptr);
  CHECK_FALSE(a.is_creator());
  CHECK_ERROR(a.name(), errc::invalid_argument, "default-constructed or moved from");
  CHECK_ERROR(a.handle(), errc::invalid_argument, "moved from");
  CHECK(b.is_creator());
  b(1, 2) = 5;
  a = std::move(b);
  CHECK(a.is_creator());
  CHECK(a(1, 2) == 5);
  auto& self = a;
  a = std::move(self);
  CHECK(a(1, 2) == 5);
  a = ndshm::SharedArray<double, 2>();
  CHECK_FALSE(ndshm::exists(name));
}

TEST_CASE("views and captures keep the memory alive") {
  std::vector<ndshm::SharedArray<int, 1>> kept;
  const auto returned = [] { return xt::view(ndshm::copy_of(xt::arange<int>(10)), xt::range(2, 5)); }();
  CHECK(returned(0) == 2);
  {
    const std::string name = unique_name();
    const auto owner = ndshm::copy_of(name, xt::arange<int>(10));
    kept.push_back(ndshm::attach<int, 1>(name));
  }
  for (int i = 0; i < 100; ++i) kept.push_back(ndshm::create<int>({1}));
  CHECK(kept[0](9) == 9);
  const auto function = [array = std::move(kept[0])] { return array(3); };
  kept.clear();
  CHECK(function() == 3);
}

TEST_CASE("attach sees what create made, and the other way round") {
  const std::string name = unique_name();
  auto a = ndshm::create<double>(name, {3, 4});
  auto b = ndshm::attach<double, 2>(name);
  CHECK_FALSE(b.is_creator());
  b(1, 2) = 7;
  CHECK(a(1, 2) == 7);
  CHECK(b.uuid() == a.uuid());
  if constexpr (ndshm::detail::os::can_list) CHECK(b.path() == a.path());
}

TEST_CASE("in one process each segment is mapped once per kind of access") {
  const std::string name = unique_name();
  const auto a = ndshm::create<double>(name, {3, 4});
  const auto b = ndshm::attach<double, 2>(name);
  const auto c = ndshm::attach<double, 2>(ndshm::Handle::parse(a.handle().to_string()));
  CHECK(b.data() == a.data());
  CHECK(c.data() == a.data());
  const auto d = ndshm::attach<const double, 2>(name);
  const auto e = ndshm::attach<const double, 2>(name);
  CHECK(d.data() != a.data());
  CHECK(e.data() == d.data());
  const auto anonymous = ndshm::create<int>({4});
  CHECK(ndshm::attach<int, 1>(anonymous.handle()).data() == anonymous.data());
  CHECK(ndshm::attach<int, 1>(anonymous.handle().as_inherited(ndshm::Handle(anonymous.handle()).descriptor())).data() ==
        anonymous.data());
}

TEST_CASE("a const array is mapped read-only and cannot be made writable") {
  const std::string name = unique_name();
  auto a = ndshm::create<double>(name, {3, 4});
  a(0, 0) = 2;
  const auto named = ndshm::attach<const double, 2>(name);
  CHECK(named.is_read_only());
  CHECK(xt::sum(named)() == 2);
  CHECK(named.handle().is_read_only());
#if !defined(__SANITIZE_ADDRESS__)
  CHECK(write_faults(const_cast<double*>(named.data())));
#endif
  auto b = ndshm::create<double>({3, 4});
  const auto anonymous = ndshm::attach<const double, 2>(b.handle());
#if !defined(__SANITIZE_ADDRESS__)
  CHECK(write_faults(const_cast<double*>(anonymous.data())));
#endif
#if !defined(NDSHM_PORTABLE_POSIX)
  for (const double* data : {named.data(), anonymous.data()}) {
    CHECK(is_refused_to_write(reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(data) & ~std::uintptr_t{4095})));
  }
#endif
  CHECK_ERROR((ndshm::attach<double, 2>(named.handle())), errc::read_only, "attach<const double, 2>");
}

TEST_CASE("attach refuses another type, rank or order, and says what would work") {
  const std::string name = unique_name();
  const auto a = ndshm::create<double>(name, {3, 4});
  CHECK_ERROR((ndshm::attach<float, 2>(name)), errc::type_mismatch,
              "its elements are <f8, not <f4 [ndshm.type_mismatch]; attach<double, 2>");
  CHECK_ERROR((ndshm::attach<std::int64_t, 2>(name)), errc::type_mismatch, "not <i8");
  CHECK_ERROR((ndshm::attach<double, 3>(name)), errc::rank_mismatch,
              "2 dimensions (3, 4), not 3 [ndshm.rank_mismatch]; attach<double, 2>");
  CHECK_ERROR((ndshm::attach<double, 2, layout::column_major>(name)), errc::layout_mismatch, "attach<double, 2>");
  CHECK_ERROR((ndshm::attach<const float, 2>(name)), errc::type_mismatch, "attach<const double, 2>");
  CHECK(ndshm::attach<double, 2, layout::dynamic>(name).layout() == layout::row_major);
  CHECK_ERROR((ndshm::attach<double, 2>(name + "x")), errc::not_found, "there is no such segment");
}

TEST_CASE("what is often slipped in is recognised, and the message says what to write") {
  const std::string name = unique_name("Slip");
  const auto array = ndshm::create<double>(name, {3, 4});
  CHECK_ERROR((ndshm::attach<double, 2>("/dev/shm/ndshm." + name)), errc::invalid_name,
              "this is the path of a segment [ndshm.invalid_name]; write \"" + name + "\"");
  if (ndshm::detail::os::can_list) {
    std::string lower = name;
    lower[0] = 's';
    CHECK_ERROR((ndshm::attach<double, 2>(lower)), errc::not_found, "there is one called \"" + name + "\"");
  }
  CHECK_ERROR(ndshm::create<double>(name, {3, 4}), errc::already_exists,
              "the name belongs to a segment: <f8 (3, 4), created by process " +
                  std::to_string(ndshm::detail::os::process_id()) + " at 2");
  CHECK_ERROR(ndshm::create_or_attach<double>(name, {4, 3}), errc::shape_mismatch, "[ndshm.shape_mismatch]; ");
}

TEST_CASE("names that no system takes are refused") {
  CHECK_ERROR((ndshm::create<int>("", {1})), errc::invalid_name, "empty");
  CHECK_ERROR((ndshm::create<int>("/a", {1})), errc::invalid_name, "write \"a\"");
  CHECK_ERROR((ndshm::create<int>("a\\b", {1})), errc::invalid_name, "backslash");
  CHECK_ERROR((ndshm::create<int>(std::string_view("a\0b", 3), {1})), errc::invalid_name, "NUL");
  CHECK_ERROR((ndshm::create<int>(std::string(250, 'a'), {1})), errc::invalid_name, "250 bytes");
  CHECK_ERROR((ndshm::attach<int, 1>("")), errc::invalid_name, "empty");
  CHECK_ERROR((ndshm::attach<int, 1>(ndshm::create<int>({1}).handle().to_string())), errc::invalid_name,
              "Handle::parse");
  CHECK_ERROR(ndshm::exists("a/b"), errc::invalid_name, "'/'");
  CHECK_ERROR(ndshm::remove("a/b"), errc::invalid_name, "'/'");
  const std::string longest(ndshm::detail::os::max_name_bytes, 'n');
  CHECK(ndshm::create<int>(longest, {1}).name() == longest);
  const std::string odd = unique_name(" \xc3\xa9\n%:.");
  const auto array = ndshm::create<int>(odd, {1});
  CHECK(ndshm::attach<int, 1>(ndshm::Handle::parse(array.handle().to_string())).name() == odd);
}

TEST_CASE("shapes that do not fit into memory are an error, not a wrap") {
  CHECK_ERROR((ndshm::create<double>({1LL << 62})), errc::invalid_shape, "does not fit");
  CHECK_ERROR((ndshm::create<char>({1LL << 32, 1LL << 32})), errc::invalid_shape,
              "(4294967296, 4294967296) of 1-byte elements");
  CHECK_ERROR((ndshm::create<char>(unique_name(), {1LL << 32, 1LL << 31})), errc::invalid_shape, "does not fit");
  CHECK_ERROR((ndshm::create<char>({0, 1LL << 40, 1LL << 40})), errc::invalid_shape, "does not fit");
  CHECK_ERROR((ndshm::create<char>({3, -1})), errc::invalid_shape, "dimension 1 is -1, which is negative");
  CHECK_ERROR((ndshm::create<char, 2>(std::vector<int>{1, 2, 3})), errc::rank_mismatch, "3 dimensions, not 2");
}

TEST_CASE("copy_of copies expressions, containers and other arrays") {
  const std::string name = unique_name();
  const auto a = ndshm::copy_of<2>(name, xt::arange<double>(6).reshape({2, 3}) * 2.0);
  CHECK(a.is_creator());
  CHECK((a == xt::xtensor<double, 2>({{0, 2, 4}, {6, 8, 10}})));
  const auto b = ndshm::copy_of(a);
  CHECK(b.name().empty());
  CHECK((b == a));
  const auto c = ndshm::copy_of<2>(xt::xarray<int>{{1, 2}, {3, 4}});
  CHECK(c(1, 0) == 3);
  CHECK_ERROR(ndshm::copy_of<3>(xt::xarray<int>{{1, 2}, {3, 4}}), errc::rank_mismatch, "2 dimensions, not 3");
  const auto d = ndshm::copy_of<2, layout::column_major>(a);
  CHECK((d == a));
  CHECK(d.layout() == layout::column_major);
  const auto row = ndshm::copy_of(xt::view(a, 1, xt::all()));
  CHECK((row == xt::xtensor<double, 1>({6, 8, 10})));
  CHECK(ndshm::copy_of(xt::sum(a))() == 30);
}

TEST_CASE("a copy that cannot be computed leaves nothing behind") {
  const std::string name = unique_name();
  const xt::xtensor<int, 1> values{1, 2, 3};
  const auto fails =
      xt::make_lambda_xfunction([](int value) { return value < 3 ? value : throw std::runtime_error("no"); }, values);
  CHECK_THROWS_AS(ndshm::copy_of(name, fails), std::runtime_error);
  CHECK_FALSE(ndshm::exists(name));
  CHECK(ndshm::create<int>(name, {1}).size() == 1);
}

TEST_CASE("create_or_attach attaches what is of the same kind and refuses the rest") {
  const std::string name = unique_name();
  const auto a = ndshm::create_or_attach<double>(name, {3, 4});
  CHECK(a.is_creator());
  const auto b = ndshm::create_or_attach<double>(name, {3, 4});
  CHECK_FALSE(b.is_creator());
  CHECK(b.data() == a.data());
  CHECK(ndshm::create_or_attach<double>(name, a.shape()).data() == a.data());
  CHECK_ERROR((ndshm::create_or_attach<double>(name, {4, 3})), errc::shape_mismatch,
              "it has the shape (3, 4), not (4, 3)");
  CHECK_ERROR((ndshm::create_or_attach<float>(name, {3, 4})), errc::type_mismatch, "<f8, not <f4");
  CHECK_ERROR((ndshm::create_or_attach<double>(name, {12})), errc::rank_mismatch, "2 dimensions");
  CHECK_ERROR((ndshm::create<double>(name, {3, 4})), errc::already_exists, "create_or_attach");
}

TEST_CASE("a name for the whole machine is found by who looks there") {
  const std::string name = unique_name();
  const auto array = ndshm::copy_of(name, xt::ones<int>({3}) * 7, {.scope = ndshm::Scope::machine});
  CHECK(array.name() == name);
  CHECK(ndshm::exists(name, ndshm::Scope::machine));
  CHECK((ndshm::attach<const int, 1>(name, {.scope = ndshm::Scope::machine}))(2) == 7);
  CHECK_ERROR((ndshm::create<int>(name, {3}, {.scope = ndshm::Scope::machine})), errc::already_exists, name);
  CHECK_FALSE((ndshm::create_or_attach<int>(name, {3}, {.scope = ndshm::Scope::machine})).is_creator());
  const std::string text = array.handle().to_string();
  CHECK((ndshm::attach<int, 1>(ndshm::Handle::parse(text)))(0) == 7);
}

TEST_CASE("Fortran order is kept from create to attach") {
  const std::string name = unique_name();
  auto a = ndshm::create<int, 2, layout::column_major>(name, {2, 3});
  a = xt::arange<int>(6).reshape({2, 3});
  CHECK(a.strides() == std::array<std::ptrdiff_t, 2>{1, 2});
  CHECK(a.data()[1] == 3);
  CHECK(a.flat(1) == 3);
  auto b = ndshm::attach<int, 2, layout::column_major>(name);
  CHECK((b == a));
  b.fill(4);
  CHECK(xt::sum(a)() == 24);
  CHECK_ERROR((ndshm::attach<int, 2>(name)), errc::layout_mismatch,
              "attach<std::int32_t, 2, ndshm::layout::column_major>");
  const std::string thin = unique_name();
  const auto column = ndshm::create<int, 2, layout::column_major>(thin, {5, 1});
  CHECK(ndshm::attach<int, 2>(thin).size() == 5);  // lies in both orders
}

TEST_CASE("a handle carries a strided view to another mapping") {
  const std::string name = unique_name();
  auto a = ndshm::create<int>(name, {4, 6});
  a = xt::arange<int>(24).reshape({4, 6});
  const auto through = [](const ndshm::Handle& handle) { return ndshm::Handle::parse(handle.to_string()); };

  const auto block = xt::view(a, xt::range(1, 3), xt::range(0, 6, 2));
  auto strided = ndshm::attach<int, 2, layout::dynamic>(through(a.handle(block)));
  CHECK((strided == block));
  CHECK(xt::sum(strided)() == xt::sum(block)());
  strided(1, 2) = 100;
  CHECK(a(2, 4) == 100);
  strided = strided * 0;
  CHECK(a(1, 2) == 0);
  CHECK(a(1, 1) == 7);
  strided.fill(5);
  CHECK(a(1, 2) == 5);
  CHECK(a(1, 1) == 7);
  strided += strided;
  CHECK(strided.flat(5) == 10);
  xt::noalias(strided) = xt::ones<int>({2, 3});
  CHECK(a(1, 1) == 7);
  CHECK(a(2, 4) == 1);
  CHECK_ERROR((ndshm::attach<int, 2>(a.handle(block))), errc::layout_mismatch, "ndshm::layout::dynamic");
  CHECK_ERROR(strided = xt::ones<int>({3, 2}), errc::shape_mismatch, "(3, 2)");

  const auto rows = ndshm::attach<int, 2>(through(a.handle(xt::view(a, xt::range(1, 3)))));
  CHECK(rows.data() == a.data() + 6);
  const auto row = ndshm::attach<int, 1>(through(a.handle(xt::view(a, 2, xt::all()))));
  CHECK(row(4) == 1);
  const auto transposed = ndshm::attach<int, 2, layout::column_major>(through(a.handle(xt::transpose(a))));
  CHECK((transposed == xt::transpose(a)));
  const auto one = ndshm::attach<int, 0>(through(a.handle(xt::view(a, 3, 5))));
  CHECK(one() == 23);
  const auto none = ndshm::attach<int, 2, layout::dynamic>(through(a.handle(xt::view(a, xt::range(2, 2), xt::all()))));
  CHECK(none.size() == 0);
  const auto part_of_part =
      ndshm::attach<int, 1, layout::dynamic>(through(strided.handle(xt::view(strided, xt::all(), 1))));
  CHECK(part_of_part.size() == 2);
  CHECK(&part_of_part(1) == &strided(1, 1));
  const auto stepped =
      ndshm::attach<int, 1, layout::dynamic>(through(a.handle(xt::strided_view(a, {1, xt::range(0, 6, 3)}))));
  CHECK(stepped(1) == 9);
}

TEST_CASE("a view that runs backwards stays inside its array") {
  auto a = ndshm::copy_of(xt::arange<int>(10));
  const auto backwards = xt::view(a, xt::range(8, 1, -3));
  auto b = ndshm::attach<int, 1, layout::dynamic>(a.handle(backwards));
  CHECK((b == xt::xtensor<int, 1>({8, 5, 2})));
  CHECK(b(2) == 2);
  CHECK(b.at(1) == 5);
  CHECK(b.flat(2) == 2);
  CHECK(xt::sum(b)() == 15);
  CHECK(std::accumulate(b.rbegin(), b.rend(), 0) == 15);
  b = b + 1;
  CHECK(a(8) == 9);
  CHECK(a(2) == 3);
  CHECK(a(7) == 7);
  CHECK(b.handle() == a.handle(backwards));
}

TEST_CASE("handles of foreign views and of other segments are refused") {
  const std::string name = unique_name();
  const auto a = ndshm::create<int>(name, {4});
  const auto b = ndshm::create<int>({4});
  CHECK_ERROR(a.handle(xt::view(b, xt::range(0, 2))), errc::invalid_argument, "not a view of this array");
  const xt::xtensor<int, 1> heap{1, 2};
  CHECK_ERROR(a.handle(heap), errc::invalid_argument, "not a view of this array");
  const ndshm::Handle good = a.handle();
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good.to_string();
    text.replace(text.find(from), from.size(), to);
    return ndshm::Handle::parse(text);
  };
  CHECK_ERROR((ndshm::attach<int, 1>(changed("shape=4", "shape=5"))), errc::invalid_handle, "reaches beyond");
  CHECK_ERROR((ndshm::attach<int, 1>(changed("offset=0", "offset=4"))), errc::invalid_handle, "reaches beyond");
  CHECK_ERROR((ndshm::attach<float, 1>(changed("%3Ci4", "%3Cf4"))), errc::invalid_handle, "element type");
  CHECK_ERROR((ndshm::attach<double, 1>(good)), errc::type_mismatch, "<i4, not <f8");
  ndshm::Handle stale = good;
  {
    auto first = ndshm::create<int>(unique_name("other"), {4});
    std::string text = first.handle().to_string();
    text.replace(text.find(first.name()), first.name().size(), name);
    stale = ndshm::Handle::parse(text);
  }
  CHECK_ERROR((ndshm::attach<int, 1>(stale)), errc::stale_handle, "get a new handle");
  const ndshm::Handle gone = ndshm::create<int>({4}).handle().as_inherited(9999);
  CHECK_ERROR((ndshm::attach<int, 1>(gone)), errc::not_found, std::string(descriptor_word) + " 9999");
  CHECK_ERROR(good.as_inherited(3), errc::invalid_handle, "a named array is attached by its name");
}

TEST_CASE("errors carry code, system error and text, and are system errors") {
  const auto error = error_of([] { static_cast<void>(ndshm::attach<int, 1>(unique_name())); });
  REQUIRE(error);
  CHECK(error->code() == errc::not_found);
  CHECK(std::string(error->code().category().name()) == "ndshm");
  CHECK(error->code().message() == "not_found");
  CHECK_FALSE(error->os_error());
  CHECK(std::string(error->what()).find("[ndshm.not_found]") != std::string::npos);
  const std::system_error& base = *error;
  CHECK(std::string(base.what()) == error->what());
}
