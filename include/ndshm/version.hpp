// SPDX-License-Identifier: BSL-1.0
// version.hpp: the one place of the version; CMakeLists.txt reads the first three of these lines.
#pragma once

#define NDSHM_VERSION_MAJOR 0
#define NDSHM_VERSION_MINOR 1
#define NDSHM_VERSION_PATCH 0

/// The version as one number, for comparisons: 1.2.3 is 10203.
#define NDSHM_VERSION (NDSHM_VERSION_MAJOR * 10000 + NDSHM_VERSION_MINOR * 100 + NDSHM_VERSION_PATCH)
