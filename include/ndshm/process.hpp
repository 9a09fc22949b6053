// SPDX-License-Identifier: BSL-1.0
// process.hpp: other processes, and how arrays get there: fork, spawn and inherited, send and receive.
#pragma once

#include <ndshm/process/process.hpp>
#include <ndshm/process/spawn.hpp>
#include <ndshm/process/transfer.hpp>
