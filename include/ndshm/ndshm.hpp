// SPDX-License-Identifier: BSL-1.0
// ndshm.hpp: the whole library.

/// @namespace ndshm
/// N-dimensional arrays in shared memory, worker processes that share them, and the names of this machine.
/// The version and the options that change layouts are part of an inline namespace, which nobody has to write.

#pragma once

#include <ndshm/array.hpp>
#include <ndshm/pool.hpp>
#include <ndshm/process.hpp>
#include <ndshm/registry.hpp>
#include <ndshm/transfer.hpp>
#include <ndshm/version.hpp>
