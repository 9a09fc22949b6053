// SPDX-License-Identifier: BSL-1.0
// task_types.hpp: what jobs and results may be, and how the two sides of a pool find out that they mean the same types.
// Includes the standard library and core/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ndshm/core/config.hpp>
#include <new>
#include <string_view>
#include <type_traits>
#include <typeinfo>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// A pool's jobs and results are copied into shared memory byte by byte.
template <class T>
concept Shareable = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>;

/// What the two sides have to agree on: the sizes of a job and a result, and what their types are called.
struct TaskTypes {
  std::uint64_t job_bytes;
  std::uint64_t result_bytes;
  std::uint64_t names;  // a hash

  friend bool operator==(const TaskTypes&, const TaskTypes&) = default;
};

template <class Job, class Result>
TaskTypes task_types() {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  };
  add(typeid(Job).name());
  add(" ");
  add(typeid(Result).name());
  if constexpr (std::is_void_v<Result>) {
    return {sizeof(Job), 0, hash};
  } else {
    return {sizeof(Job), sizeof(Result), hash};
  }
}

/// Returns a copy of the object whose bytes these are.
template <class T>
T read_as(const std::byte* at) {
  alignas(T) std::byte bytes[sizeof(T)];
  std::memcpy(bytes, at, sizeof(T));
  return *std::launder(reinterpret_cast<const T*>(bytes));
}

}  // namespace ndshm::detail
