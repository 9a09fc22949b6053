// SPDX-License-Identifier: BSL-1.0
// linux/process_wide.hpp: what the shared objects of a process have in common. Nothing outside platform/ includes it.
#pragma once

#include <ndshm/platform/unix/process_wide.hpp>
