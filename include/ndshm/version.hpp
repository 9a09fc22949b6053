// SPDX-License-Identifier: BSL-1.0
// version.hpp: the one place of the version; CMakeLists.txt reads these three lines.
#pragma once

#define NDSHM_VERSION_MAJOR 0
#define NDSHM_VERSION_MINOR 1
#define NDSHM_VERSION_PATCH 0
