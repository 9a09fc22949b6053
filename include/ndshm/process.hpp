// SPDX-License-Identifier: BSL-1.0
// process.hpp: other processes, and how arrays get there: fork, spawn and inherited. Without xtensor; send and receive,
// which return arrays, have the door transfer.hpp.
#pragma once

#include <ndshm/process/fork.hpp>
#include <ndshm/process/inherited.hpp>
#include <ndshm/process/process.hpp>
#include <ndshm/process/spawn.hpp>
