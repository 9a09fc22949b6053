// SPDX-License-Identifier: BSL-1.0
// config.hpp: what lets several copies of the library live in one process. Everything lies in an inline namespace that
// is named after the version and the options which change layouts or protocols, so that two translation units which
// disagree about them share nothing by accident. Includes version.hpp alone.
#pragma once

#include <ndshm/version.hpp>

#if defined(NDSHM_PORTABLE_POSIX)
#define NDSHM_DETAIL_PATH _portable
#else
#define NDSHM_DETAIL_PATH
#endif
#if defined(NDSHM_CRASH_POINTS)
#define NDSHM_DETAIL_MARKS _crash_points
#else
#define NDSHM_DETAIL_MARKS
#endif

#define NDSHM_DETAIL_PASTE(major, minor, patch, path, marks) v##major##_##minor##_##patch##path##marks
#define NDSHM_DETAIL_EXPAND(major, minor, patch, path, marks) NDSHM_DETAIL_PASTE(major, minor, patch, path, marks)

#define NDSHM_DETAIL_QUOTED(text) #text
#define NDSHM_DETAIL_QUOTE(text) NDSHM_DETAIL_QUOTED(text)

/// The inline namespace between ndshm and its names: `v0_1_0`, `v0_1_0_portable`.
#define NDSHM_ABI_NAMESPACE                                                                             \
  NDSHM_DETAIL_EXPAND(NDSHM_VERSION_MAJOR, NDSHM_VERSION_MINOR, NDSHM_VERSION_PATCH, NDSHM_DETAIL_PATH, \
                      NDSHM_DETAIL_MARKS)

/// Of what is one and the same in all shared objects of a process, also in those that hide their symbols: types that
/// are thrown from one to the other, and state that exists once.
#if defined(__GNUC__)
#define NDSHM_VISIBLE __attribute__((visibility("default")))
#else
#define NDSHM_VISIBLE
#endif
