// SPDX-License-Identifier: BSL-1.0
// array.hpp: SharedArray, and create, copy_of, attach and create_or_attach, which make one.
#pragma once

#include <ndshm/array/attach.hpp>
#include <ndshm/array/create.hpp>
#include <ndshm/array/shared_array.hpp>
