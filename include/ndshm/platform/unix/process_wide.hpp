// SPDX-License-Identifier: BSL-1.0
// unix/process_wide.hpp: finds what other shared objects of this process share, through the C library, of which there
// is one: bindtextdomain() keeps a text under any name. For the files of linux/ and portable/. Sources:
// bindtextdomain(3), dl_iterate_phdr(3), dladdr(3), dlopen(3).
#pragma once

#include <dlfcn.h>
#include <libintl.h>
#include <link.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ndshm/platform/process_wide.hpp>
#include <string_view>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

namespace unix_only {

// Weak, so that no program has to be linked with libdl for it (C libraries before glibc 2.34); a static one cannot be
// unloaded anyway. Only these names are: what else the program calls keeps its meaning.
[[gnu::weakref("dlopen")]] static void* dlopen_if_there(const char* path, int flags);
[[gnu::weakref("dladdr")]] static int dladdr_if_there(const void* address, Dl_info* info);

/// In each shared object another one.
[[gnu::visibility("hidden")]] inline char this_shared_object = 0;

/// Keeps this shared object in memory until the process ends.
[[gnu::visibility("hidden")]] inline void stay_loaded() noexcept {
  Dl_info info{};
  if (dlopen_if_there == nullptr || dladdr_if_there == nullptr) return;
  if (dladdr_if_there(&this_shared_object, &info) == 0 || info.dli_fname == nullptr) return;
  // No handle for the program itself, which nobody unloads.
  dlopen_if_there(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

inline constexpr std::string_view shared_prefix = "/ndshm-shares-";

struct Shared {
  const char* key;
  void* pointer;
};

/// Replaces the pointer by the one that is there, or puts it there.
inline void look_or_set(Shared& shared) noexcept {
  const char* const there = ::bindtextdomain(shared.key, nullptr);
  if (there != nullptr && std::string_view(there).starts_with(shared_prefix)) {
    const auto address = std::strtoull(there + shared_prefix.size(), nullptr, 16);
    shared.pointer = reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));  // NOLINT: it was one
    return;
  }
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s%llx", shared_prefix.data(),
                static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(shared.pointer)));
  ::bindtextdomain(shared.key, text.data());
}

}  // namespace unix_only

inline void* share_in_process(const char* key, void* mine) noexcept {
  unix_only::stay_loaded();
  unix_only::Shared shared{key, mine};
  // Looking and setting has to be one step, under a lock that all shared objects know: the C library's own.
#if defined(__GLIBC__)
  ::dl_iterate_phdr(
      [](dl_phdr_info*, std::size_t, void* argument) {
        unix_only::look_or_set(*static_cast<unix_only::Shared*>(argument));
        return 1;  // once
      },
      &shared);
#else
  ::flockfile(stderr);  // where dl_iterate_phdr holds none
  unix_only::look_or_set(shared);
  ::funlockfile(stderr);
#endif
  return shared.pointer;
}

}  // namespace ndshm::detail::os
