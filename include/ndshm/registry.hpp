// SPDX-License-Identifier: BSL-1.0
// registry.hpp: the named segments of this machine: list, exists, remove and sweep.
#pragma once

#include <ndshm/segment/registry.hpp>
