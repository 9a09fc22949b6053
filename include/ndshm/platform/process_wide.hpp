// SPDX-License-Identifier: BSL-1.0
// process_wide.hpp: what exists once in a process, however many of its shared objects contain the library. Inline
// variables do not: a plugin that hides its symbols, or is loaded with RTLD_LOCAL beside a program that exports none,
// has its own. So what has to be one is made by the first that asks, and found by the others through the system.
#pragma once

#include <ndshm/core/config.hpp>
#include <string>

// Only copies that agree about the layout of what they share may share it.
#if defined(_LIBCPP_VERSION)
#define NDSHM_DETAIL_STANDARD_LIBRARY "libc++"
#elif defined(_GLIBCXX_DEBUG)
#define NDSHM_DETAIL_STANDARD_LIBRARY "libstdc++-debug"
#elif defined(__GLIBCXX__) && !_GLIBCXX_USE_CXX11_ABI
#define NDSHM_DETAIL_STANDARD_LIBRARY "libstdc++-cow"
#elif defined(__GLIBCXX__)
#define NDSHM_DETAIL_STANDARD_LIBRARY "libstdc++"
#elif defined(_DEBUG)
#define NDSHM_DETAIL_STANDARD_LIBRARY "msvc-debug"
#else
#define NDSHM_DETAIL_STANDARD_LIBRARY "msvc"
#endif

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

/// The pointer that the first caller in this process gave for that key, in whichever of its shared objects; `mine`
/// where that is this one, and where the system has no way to find others. A forked child keeps it, an exec forgets it.
/// The shared object that calls is never unloaded again: what others find may be its own. Never throws.
void* share_in_process(const char* key, void* mine) noexcept;

/// The one T of this process under that name, default-constructed by the first shared object that asks, and never
/// destroyed: destructors of static objects and late threads may need it. T has one name.
template <class T>
T& one_in_process(const char* name) {
  static T& one = [name]() -> T& {
    const std::string key = "ndshm." NDSHM_DETAIL_QUOTE(NDSHM_ABI_NAMESPACE) "." NDSHM_DETAIL_STANDARD_LIBRARY "." +
                            std::string(name) + "." + std::to_string(sizeof(T));
    T* const mine = new T;
    auto* const first = static_cast<T*>(share_in_process(key.c_str(), mine));
    if (first != mine) delete mine;
    return *first;
  }();
  return one;
}

}  // namespace ndshm::detail::os
