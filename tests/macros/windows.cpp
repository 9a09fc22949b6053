// SPDX-License-Identifier: BSL-1.0
// <windows.h> as it is, with its macros min, max, small, near and far.
#include <windows.h>
#if !defined(min) || !defined(max)
#error "nothing may define NOMINMAX here"
#endif
// The library behind it.
#include <ndshm/ndshm.hpp>

#include "use.hpp"
