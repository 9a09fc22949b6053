// SPDX-License-Identifier: BSL-1.0
// The library before the macros: its own macros and templates must not need a word that has become one.
#include <ndshm/ndshm.hpp>
// From here on the words are taken.
#include "macros.hpp"
#include "use.hpp"
