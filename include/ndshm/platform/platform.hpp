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

#if defined(__linux__) && !defined(NDSHM_PORTABLE_POSIX)
#include <ndshm/platform/linux.hpp>
#elif !defined(_WIN32)
#include <ndshm/platform/posix.hpp>
#else
#include <ndshm/platform/windows.hpp>
#endif
