// SPDX-License-Identifier: BSL-1.0
// <windows.h> as it is, with its macros small, near and far. MinGW defines min and max in C alone, others in C++ too.
// others.hpp starts with <winsock2.h> and <windows.h>.
#include "others.hpp"
#if !defined(min)
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#endif
// The library must not mind them.
#include <ndshm/ndshm.hpp>

#include "use.hpp"
