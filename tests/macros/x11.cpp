// SPDX-License-Identifier: BSL-1.0
// X11 as it is.
#include <X11/Xlib.h>
#include <X11/Xutil.h>
// The library behind it.
#include <ndshm/ndshm.hpp>

#include "use.hpp"
