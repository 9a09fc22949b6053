// SPDX-License-Identifier: BSL-1.0
// ndshm.hpp: the whole library.
#pragma once

#include <ndshm/array.hpp>
#include <ndshm/pool.hpp>
#include <ndshm/process.hpp>
#include <ndshm/registry.hpp>
#include <ndshm/transfer.hpp>
#include <ndshm/version.hpp>
