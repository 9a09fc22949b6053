// SPDX-License-Identifier: BSL-1.0
// ndshm.hpp: the whole library.
#pragma once

#include <ndshm/blocks.hpp>
#include <ndshm/process.hpp>
#include <ndshm/progress.hpp>
#include <ndshm/registry.hpp>
#include <ndshm/shared_array.hpp>
#include <ndshm/spawn.hpp>
#include <ndshm/transfer.hpp>
#include <ndshm/version.hpp>
#include <ndshm/worker_pool.hpp>
