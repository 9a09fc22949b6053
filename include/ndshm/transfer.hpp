// SPDX-License-Identifier: BSL-1.0
// transfer.hpp: arrays sent over Unix domain sockets: send, receive and receive_handle.
#pragma once

#include <ndshm/process/transfer.hpp>
