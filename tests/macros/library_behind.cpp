// SPDX-License-Identifier: BSL-1.0
// The library behind the macros, as in a program that includes Qt or X11 first.
#include "others.hpp"
// What others.hpp includes must not see them.
#include "macros.hpp"
// The library must not mind them.
#include <ndshm/ndshm.hpp>

#include "use.hpp"
