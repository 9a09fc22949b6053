// SPDX-License-Identifier: BSL-1.0
// portable/errors.hpp: descriptors, and refusals of the system as errors. Nothing outside platform/ includes it.
#pragma once

#include <ndshm/platform/unix/errors.hpp>
