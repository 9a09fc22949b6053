// SPDX-License-Identifier: BSL-1.0
// portable/features.hpp: what any POSIX system can do, for programs: each is 1 or 0. What is missing throws
// errc::unsupported, or does not compile. Includes nothing.
#pragma once

/// ndshm::fork(), and pools of functions.
#define NDSHM_HAS_FORK 1
/// Lifetime::persistent.
#define NDSHM_HAS_PERSISTENCE 1
/// ndshm::list() and ndshm::sweep(): the system tells which names there are.
#define NDSHM_HAS_LIST 1
/// NDSHM_DIR in the environment names the directory of named segments.
#define NDSHM_HAS_DIRECTORY 1
/// Owner::anyone.
#define NDSHM_HAS_OTHER_USERS 0
/// Attaching an anonymous array by its handle in a process that was not given a descriptor of it.
#define NDSHM_HAS_PROCESS_HANDLES 0
/// ndshm::send() and ndshm::receive().
#define NDSHM_HAS_TRANSFER 1
/// The same for anonymous arrays that the receiver may only read.
#define NDSHM_HAS_READ_ONLY_TRANSFER 0
/// SharedArray::freeze().
#define NDSHM_HAS_FREEZE 0
