// SPDX-License-Identifier: BSL-1.0
// platform.hpp: picks the one platform file, and says what each of them has to provide in ndshm::detail::os. Only
// platform/ includes headers of an operating system.
//
//   has_fork, has_persistence, can_list, max_name_bytes   what the system can do
//   Object             an open memory object: size(), read(), write(), map(), freeze(), descriptor()
//   UnpublishedObject              an object that nobody else can attach yet; publish() gives it its name, complete as
//   it is prepare_named()      starts one; nothing where the name is known to be taken by then prepare_anonymous()
//   starts one that never gets a name open_named()       opens and holds: from then on until the process has let go,
//   nobody removes the object peek_named()       opens without holding, to look; is_held() tells whether anybody holds
//   it sweep_named()      removes an object that nobody holds, if it is one of ours open_descriptor(),
//   open_process_descriptor()   objects that have no name, checked for what others can do to them commit(), populate(),
//   populate_huge(), discard(), space_of_names(), available_memory(), huge_pages_are_on()
//                      memory
//   names(), NameWatch, path_of_name(), path_of_descriptor()   names
//   process_id(), at_fork(), count_threads()                   this process
//   WakeEvent, listen(), sleep_until_readable(), ParentWatch, exit_with_parent(), steady_ns()            waiting for
//   other processes Child, fork_child(), spawn_child(), signal_text()                                      its children
//   report_to_parent(), exit_child(), inherited_descriptors(), inherited_descriptor(), program_path()   as a child
//   Socket             a caller's socket, through which bytes go with a descriptor
#pragma once

// clang-format off: windows.h comes first
#if defined(__linux__) && !defined(NDSHM_PORTABLE_POSIX)
#include <ndshm/platform/linux/errors.hpp>
#include <ndshm/platform/linux/features.hpp>
#include <ndshm/platform/linux/memory.hpp>
#include <ndshm/platform/linux/names.hpp>
#include <ndshm/platform/linux/objects.hpp>
#include <ndshm/platform/linux/process.hpp>
#include <ndshm/platform/linux/socket.hpp>
#include <ndshm/platform/linux/this_process.hpp>
#include <ndshm/platform/linux/wake.hpp>
#elif !defined(_WIN32)
#include <ndshm/platform/portable/errors.hpp>
#include <ndshm/platform/portable/features.hpp>
#include <ndshm/platform/portable/memory.hpp>
#include <ndshm/platform/portable/names.hpp>
#include <ndshm/platform/portable/objects.hpp>
#include <ndshm/platform/portable/process.hpp>
#include <ndshm/platform/portable/socket.hpp>
#include <ndshm/platform/portable/this_process.hpp>
#include <ndshm/platform/portable/wake.hpp>
#else
#include <ndshm/platform/windows/errors.hpp>
#include <ndshm/platform/windows/features.hpp>
#include <ndshm/platform/windows/memory.hpp>
#include <ndshm/platform/windows/names.hpp>
#include <ndshm/platform/windows/objects.hpp>
#include <ndshm/platform/windows/process.hpp>
#include <ndshm/platform/windows/socket.hpp>
#include <ndshm/platform/windows/this_process.hpp>
#include <ndshm/platform/windows/wake.hpp>
#endif
// clang-format on
