// SPDX-License-Identifier: BSL-1.0
// pattern.hpp: the values that both sides of the conformance test know: a number of each scalar of each element, made
// of a seed, the element's index in C order and the scalar's place in the element. numpy_side.py computes the same.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "types.hpp"

namespace conformance {

/// The last step of splitmix64.
constexpr std::uint64_t mix(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

constexpr std::uint64_t key_of(std::uint64_t seed, std::uint64_t element, std::uint64_t scalar) noexcept {
  return mix(mix(seed * 0x9e3779b97f4a7c15U + element) + scalar);
}

/// Significant bits of a floating type, as far as a key reaches.
template <class T>
constexpr int significant_bits() {
  if constexpr (std::is_floating_point_v<T>) {
    return std::min(std::numeric_limits<T>::digits, 64);
  } else {
    return 11;  // _Float16
  }
}

template <class T>
T scalar_of(std::uint64_t key) {
  if constexpr (std::is_same_v<T, bool>) {
    return key >> 63 != 0;
  } else if constexpr (std::is_enum_v<T>) {
    return static_cast<T>(scalar_of<std::underlying_type_t<T>>(key));
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(key);
  } else {
    // Every significant bit is used, and nothing is rounded.
    constexpr int bits = significant_bits<T>();
    const long double value = std::ldexp(static_cast<long double>(key >> (64 - bits)), -(bits / 2));
    return static_cast<T>((key & 1) != 0 ? -value : value);
  }
}

/// Calls work(scalar) for every scalar of an element, in the order in which they lie in memory.
template <class T, class Work>
void visit_scalars(T& object, Work& work) {
  const auto each = [&](auto& member) { visit_scalars(member, work); };
  if constexpr (requires { visit_members(object, each); }) {
    visit_members(object, each);
  } else if constexpr (ndshm::detail::is_complex<T>::value) {
    auto& parts = reinterpret_cast<std::array<typename T::value_type, 2>&>(object);  // [complex.numbers.general]
    each(parts[0]);
    each(parts[1]);
  } else if constexpr (std::is_bounded_array_v<T> || ndshm::detail::is_std_array<T>::value) {
    for (auto& member : object) each(member);
  } else {
    work(object);
  }
}

template <class T>
void set_pattern(T& object, std::uint64_t seed, std::uint64_t element) {
  std::uint64_t count = 0;
  auto set = [&]<class S>(S& scalar) { scalar = scalar_of<S>(key_of(seed, element, count++)); };
  visit_scalars(object, set);
}

template <class T>
bool has_pattern(const T& object, std::uint64_t seed, std::uint64_t element) {
  std::uint64_t count = 0;
  bool same = true;
  auto compare = [&]<class S>(S& scalar) { same = same && scalar == scalar_of<S>(key_of(seed, element, count++)); };
  T copy = object;
  visit_scalars(copy, compare);
  return same;
}

using Shape = std::vector<std::size_t>;

/// All indices of a shape, in C order.
inline std::vector<Shape> all_indices(const Shape& shape) {
  std::size_t size = 1;
  for (const std::size_t extent : shape) size *= extent;
  std::vector<Shape> indices(size, Shape(shape.size()));
  for (std::size_t element = 0; element < size; ++element) {
    std::size_t rest = element;
    for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) indices[element][axis] = rest % shape[axis];
  }
  return indices;
}

template <class Numbers>
std::string joined(const Numbers& numbers) {
  std::string text;
  for (const auto number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

template <class Array>
void fill(Array& array, const std::vector<Shape>& indices, std::uint64_t seed) {
  for (std::size_t i = 0; i < indices.size(); ++i) {
    set_pattern(array.element(indices[i].begin(), indices[i].end()), seed, i);
  }
}

}  // namespace conformance
