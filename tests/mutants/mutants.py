# SPDX-License-Identifier: BSL-1.0
"""The mutants: for each safety check of the library, what it looks like without it, and the test that has to notice.

The first group are the life cycles that look right and are not: each was tried before and lost or leaked segments.
"""

import dataclasses

LINUX_MEMORY = "platform/linux/memory.hpp"
LINUX_NAMES = "platform/linux/names.hpp"
LINUX_OBJECTS = "platform/linux/objects.hpp"
LINUX_PROCESS = "platform/linux/process.hpp"
LINUX_THIS_PROCESS = "platform/linux/this_process.hpp"
LINUX_WAKE = "platform/linux/wake.hpp"
PORTABLE_OBJECTS = "platform/portable/objects.hpp"
UNIX_ERRORS = "platform/unix/errors.hpp"
UNIX_NAMES = "platform/unix/names.hpp"
UNIX_PROCESS = "platform/unix/process.hpp"
UNIX_PROCESS_WIDE = "platform/unix/process_wide.hpp"
UNIX_SOCKET = "platform/unix/socket.hpp"
UNIX_THIS_PROCESS = "platform/unix/this_process.hpp"
UNIX_WAKE = "platform/unix/wake.hpp"
WINDOWS_ERRORS = "platform/windows/errors.hpp"
WINDOWS_OBJECTS = "platform/windows/objects.hpp"
WINDOWS_PROCESS = "platform/windows/process.hpp"
WINDOWS_WAKE = "platform/windows/wake.hpp"


@dataclasses.dataclass
class Mutant:
    name: str
    test: tuple  # the test program and its arguments
    changes: list  # (header, text, what takes its place)
    portable: bool = False
    windows: bool = False


FIGHT = ("torture", "random", "30000", "5")
STEPS = ("torture", "steps")
WORKERS = ("pool_torture", "workers", "5000", "5")
OWNERS = ("pool_torture", "owners", "200", "5")
POOL_STEPS = ("pool_torture", "steps")
POOL = ("worker_pool",)
QUEUE = ("task_queue",)
LIMITS = ("time_limits",)
PROGRESS = ("progress",)

UPGRADE_AT_DETACH = [
    (LINUX_OBJECTS, "if (named) fd_.close();", "(void)named;"),
    ("segment/segment.hpp", "{ const os::Object closing = std::move(object_); }",
     "if (is_named() && os::linux_only::try_lock(object_.descriptor(), os::linux_only::Lock::write))"
     " ::unlink(os::file_of(object_of(name_), {}).c_str());"
     "{ const os::Object closing = std::move(object_); }"),
    ("segment/segment.hpp", 'NDSHM_CRASH_POINT("detach: closed");\n    if (is_named()) sweep_name(object_of(name_));',
     'NDSHM_CRASH_POINT("detach: closed");'),
]

MUTANTS = [
    # ---- life cycles that look right ------------------------------------------------------------------------------
    Mutant("attach does not look again whether the name is left", FIGHT,
           [(LINUX_OBJECTS, "if (locked && object.has_name()) return HeldObject", "if (locked) return HeldObject")]),
    Mutant("detach upgrades its own lock, then closes", FIGHT, UPGRADE_AT_DETACH),
    Mutant("the same with flock", FIGHT, UPGRADE_AT_DETACH + [
        (LINUX_OBJECTS, "return retry_on_signal([&] { return ::fcntl(fd, F_OFD_SETLK, &range); }) == 0;",
         "return ::flock(fd, (kind == Lock::read ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0;"),
        (LINUX_OBJECTS, "return ::fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type == F_RDLCK;", "return fd >= 0;"),
        (LINUX_OBJECTS, "#include <fcntl.h>", "#include <fcntl.h>\n#include <sys/file.h>"),
    ]),
    Mutant("the name comes first, then the contents", FIGHT, [
        (LINUX_OBJECTS, "::open(where.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)",
         "::open(file_of(name, context).c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600)"),
        (LINUX_OBJECTS, "  if (!fd) {\n    const std::error_code error",
         "  if (!fd && errno == EEXIST) return std::nullopt;\n"
         "  if (fd) linux_only::try_lock(fd.get(), linux_only::Lock::read);\n"
         "  if (!fd) {\n    const std::error_code error"),
        (LINUX_OBJECTS, 'NDSHM_CRASH_POINT("create: locked");', 'NDSHM_CRASH_POINT("create: locked"); return true;'),
    ]),
    Mutant("the process id of the creator instead of a lock", FIGHT, [
        (LINUX_OBJECTS, "if (!linux_only::try_lock(fd.get(), linux_only::Lock::write)) return Swept::in_use;", ""),
        ("segment/sweep.hpp", 'return kind_of(describe(object, Context("sweep")));',
         'const Description found = describe(object, Context("sweep"));'
         "if (::kill(static_cast<pid_t>(found.control.creator_pid), 0) == 0) return os::Kind::foreign;"
         "return kind_of(found);"),
    ]),
    Mutant("a sweeper does not look again whether the name is left", FIGHT,
           [(LINUX_OBJECTS, "if (!object.has_name()) return Swept::absent;", "")]),
    Mutant("the last one out does not sweep", ("torture", "clean", "20", "1"),
           [("segment/segment.hpp", 'NDSHM_CRASH_POINT("detach: closed");\n    if (is_named()) sweep_name(object_of(name_));', "")]),
    Mutant("nobody takes a lock", FIGHT,
           [(LINUX_OBJECTS, "return retry_on_signal([&] { return ::fcntl(fd, F_OFD_SETLK, &range); }) == 0;", "return fd >= 0;")]),

    # ---- the life of a segment ------------------------------------------------------------------------------------
    Mutant("a failed attach closes without sweeping", ("life",),
           [("segment/sweep.hpp", "    if (!name.name.empty()) sweep_name(name);\n    throw;", "    throw;")]),
    Mutant("attach takes what it opened for what has the name", ("life",),
           [(LINUX_OBJECTS, "if (!idle.has_name()) continue;", "")]),
    Mutant("the dead are attached", ("life",),
           [(LINUX_OBJECTS, "if (kind_of(idle) != Kind::persistent) return std::nullopt;", "")]),
    Mutant("attach leaves the dead lying", ("life",),
           [("segment/attach.hpp", "      sweep_name(object_of(name));\n      return nullptr;", "      return nullptr;")]),
    Mutant("persistent segments are swept like others", ("life",),
           [("segment/sweep.hpp", "return is_persistent(description.control) ? os::Kind::persistent : os::Kind::shared;",
             "return os::Kind::shared;")]),
    Mutant("create never sweeps in passing", ("life",),
           [("segment/create.hpp", "if (named && MappingTable::instance().is_time_to_sweep()) sweep_all();", "")]),
    Mutant("remove does not end a persistent segment", ("life",),
           [("segment/registry.hpp", "control.flags & ~detail::flag_persistent", "control.flags")]),
    Mutant("attach does not wait", ("life",),
           [("segment/attach.hpp", "watch->wait(left);", 'throw Error(errc::timed_out, context.to_string());')]),
    Mutant("the mode of a named segment is left to chance", ("life",),
           [(LINUX_OBJECTS, '  NDSHM_CRASH_POINT("create: opened");\n  if (::fchmod(', '  if (false && ::fchmod(')]),
    Mutant("mapped segments keep their descriptors", ("life",), [(LINUX_OBJECTS, "if (named) fd_.close();", "(void)named;")]),

    # ---- other users ----------------------------------------------------------------------------------------------
    Mutant("segments of other users are attached unasked", ("users",),
           [(LINUX_OBJECTS, "if (options.owner == Owner::me && object.user() != ::geteuid())", "if (false)")]),
    Mutant("anonymous memory keeps the mode 0777", ("life",),
           [(LINUX_OBJECTS, '"memfd_create");\n  if (::fchmod(', '"memfd_create");\n  if (false && ::fchmod(')]),

    # ---- memory ---------------------------------------------------------------------------------------------------
    Mutant("create does not reserve the elements", ("memory",),
           [("segment/reserve.hpp", "return os::reserve(object.descriptor(), 0, bytes);", "return {};")]),
    Mutant("create does not reserve the control page", ("memory",),
           [("segment/reserve.hpp",
             "if (const auto error = os::reserve(object.descriptor(), layout.control_offset, control_bytes)) return error;",
             "")]),
    Mutant("what is reserved is not mapped", ("memory",), [("segment/reserve.hpp", "  os::populate(address, bytes);\n", "")]),
    Mutant("populating does nothing", ("memory",),
           [(LINUX_MEMORY, "constexpr int populate_write = 23;", "constexpr int populate_write = -1;")]),
    Mutant("memory that the dead hold stays lost", ("memory",), [
        ("segment/reserve.hpp", "if (error && sweep_all() > 0) error = reserve();", ""),
        ("segment/create.hpp", "if (named && MappingTable::instance().is_time_to_sweep()) sweep_all();", "")]),
    Mutant("anonymous memory can be cut off under its readers", ("memory",),
           [(LINUX_OBJECTS, "F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW", "F_GETFD, 0")]),
    Mutant("huge pages are not asked for", ("memory",),
           [("segment/reserve.hpp", "demand.huge && bytes >= huge_page && os::huge_pages_are_on(demand.named)", "false && huge_page > 0")]),
    Mutant("running out while populating huge pages is no error", ("memory",),
           [("segment/reserve.hpp", "if (error != std::errc::not_supported) return error;", "if (!error) return error;"),
            ("segment/reserve.hpp", "return os::reserve(object.descriptor(), 0, bytes);", "return {};")]),

    # ---- the array ------------------------------------------------------------------------------------------------
    Mutant("another shape is broadcast on assignment", ("array",),
           [("array/shared_array.hpp", "require_shape_of(expression.derived_cast());\n    semantic_base::operator=(expression);",
             "semantic_base::operator=(expression);")]),
    Mutant("another shape is broadcast by noalias", ("array",),
           [("array/shared_array.hpp",
             "if constexpr (!xt::is_xscalar<E>::value) require_shape_of(expression.derived_cast());", "")]),
    Mutant("another shape is broadcast by noalias +=", ("array",),
           [("array/shared_array.hpp",
             "require_shape_of(expression.derived_cast());\n    semantic_base::computed_assign(expression);",
             "semantic_base::computed_assign(expression);")]),
    Mutant("a moved-from array keeps its shape", ("array",),
           [("array/shared_array.hpp", "storage_(std::move(other.storage_)),\n        creator_(other.creator_) {\n    other.clear();",
             "storage_(std::move(other.storage_)),\n        creator_(other.creator_) {")]),
    Mutant("filling a strided view fills what lies between", ("array",),
           [("array/shared_array.hpp",
             "std::fill(this->template begin<iteration_order>(), this->template end<iteration_order>(), value);",
             "container_base::fill(value);")]),
    Mutant("a strided view is assigned as if it were dense", ("array",),
           [("array/shared_array.hpp", "this->template begin<iteration_order>());\n  }\n\n  void clear()",
             "storage_.begin());\n  }\n\n  void clear()")]),
    Mutant("threads that race map twice", ("threads",),
           [("segment/mapping_table.hpp", "if (auto other = entry.lock()) return other;", "")]),
    Mutant("a read-only attach opens for writing", ("array",),
           [(LINUX_OBJECTS, "const int flags = (access == Access::read_write ? O_RDWR : O_RDONLY) | O_NOFOLLOW",
             "const int flags = (access == Access::read_write ? O_RDWR : O_RDWR) | O_NOFOLLOW")]),
    Mutant("a read-only attach of anonymous memory keeps the writable descriptor", ("array",),
           [(LINUX_OBJECTS, "const int flags = (access == Access::read_write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;",
             "const int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK + 0 * static_cast<int>(access);")]),
    Mutant("attach takes any element type", ("array",), [("array/geometry.hpp", "if (type != wanted)", "if (false)")]),
    Mutant("attach takes any order", ("array",), [("array/geometry.hpp", "if (!lies_in(L))", "if (false)")]),
    Mutant("create_or_attach takes any shape", ("array",),
           [("array/create.hpp",
             "if (std::equal(header.shape.begin(), header.shape.end(), array.shape().begin())) return array;",
             "return array;")]),
    Mutant("a handle may mean another segment of the name", ("array",),
           [("segment/resolve.hpp", "if (segment.uuid() != handle.uuid())", "if (false)")]),
    Mutant("a handle may reach beyond the segment", ("array",),
           [("segment/resolve.hpp", "!fits(handle.shape(), handle.strides(), header.itemsize, handle.offset(), segment.data_bytes())",
             "false")]),
    Mutant("a read-only handle can be attached for writing", ("array",),
           [("array/attach.hpp", "if (handle.is_read_only() && !std::is_const_v<T>)", "if (false)")]),
    Mutant("a handle of a foreign view is made", ("array",),
           [("array/shared_array.hpp", "if (!detail::fits(shape, strides, sizeof(T), offset, from.data_bytes()))", "if (false)")]),
    Mutant("a negative dimension is a very large one", ("array",),
           [("array/shape.hpp", "if (extent.negative) {", "if (false) {")]),
    Mutant("products wrap", ("extents",), [("core/extents.hpp", "if (a != 0 && b > max_bytes / a) return std::nullopt;", "")]),
    Mutant("sums wrap", ("extents",), [("core/extents.hpp", "if (a > max_bytes || b > max_bytes - a) return std::nullopt;", "")]),
    Mutant("offsets beyond the buffer fit", ("extents",), [("core/extents.hpp", "if (!touched || offset > bytes) return false;",
                                                          "if (!touched) return false;")]),

    # ---- hostile segments -----------------------------------------------------------------------------------------
    Mutant("a header need not be canonical", ("hostile_segments",),
           [("format/description.hpp", "if (npy::format(header) != bytes)", "if (false)")]),
    Mutant("a segment may be shorter than its header says", ("hostile_segments",),
           [("format/description.hpp", "if (!layout || layout->total_bytes > size)", "if (!layout)")]),
    Mutant("a header may be longer than the segment", ("hostile_segments",),
           [("format/description.hpp", "if (total > size)", "if (false)")]),
    Mutant("a control page needs no magic", ("hostile_segments",),
           [("format/control_page.hpp", "if (page.magic != control_magic)", "if (false)")]),
    Mutant("a control page of another byte order is taken", ("hostile_segments",),
           [("format/control_page.hpp", "if (page.byte_order != control_byte_order)", "if (false)")]),
    Mutant("a control page of another version is taken", ("hostile_segments",),
           [("format/control_page.hpp", "if (page.format != control_format)", "if (false)")]),
    Mutant("a control page of another ABI is taken", ("hostile_segments",),
           [("format/control_page.hpp", "if (page.abi != control_abi)", "if (false)")]),
    Mutant("unknown flags are ignored", ("hostile_segments",),
           [("format/control_page.hpp", "(page.flags & ~known_flags) != 0 ||", "")]),
    Mutant("the reserved word is ignored", ("hostile_segments",), [("format/control_page.hpp", " || page.reserved != 0", "")]),
    Mutant("a segment needs no UUID", ("hostile_segments",),
           [("format/control_page.hpp", "if (std::all_of(page.uuid.begin(), page.uuid.end(), [](std::uint8_t byte) { return byte == 0; }))",
             "if (false)")]),
    Mutant("symbolic links are followed", ("hostile_segments",),
           [(LINUX_OBJECTS, "O_RDONLY) | O_NOFOLLOW | O_NONBLOCK", "O_RDONLY) | O_NONBLOCK")]),
    Mutant("a FIFO holds up the opener", ("hostile_segments",),
           [(LINUX_OBJECTS, "O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC", "O_NOFOLLOW | O_CLOEXEC")]),

    # ---- descriptors of others ------------------------------------------------------------------------------------
    Mutant("memory is mapped whose size is not sealed", ("hostile_segments",),
           [(LINUX_OBJECTS, "if ((seals & wanted) != wanted) throw", "if (false) throw")]),
    Mutant("what is no memory object is looked into", ("hostile_segments",),
           [(LINUX_OBJECTS, "if (seals == -1) throw", "if (false) throw")]),
    Mutant("what another process has open is opened, whatever it is", ("hostile_segments",),
           [(LINUX_OBJECTS, "if (!S_ISREG(status_of(place.get(), context).st_mode))", "if (false)")]),
    Mutant("the memory of another process need not be sealed", ("hostile_segments",),
           [(LINUX_OBJECTS, "linux_only::require_sealed(fd.get(), number, context);", "")]),
    Mutant("a descriptor for writing only is one for reading only", ("hostile_segments",),
           [(UNIX_ERRORS, "(::fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY", "false")]),
    Mutant("a descriptor for reading is mapped for writing", ("hostile_segments",),
           [(UNIX_ERRORS, "if (access == Access::read_write && !is_open_for_writing(fd))", "if (false)")]),
    Mutant("a copy is taken for the segment", ("hostile_segments",),
           [("segment/attach.hpp", "if (known->object().is_same_as(object))", "if (true)")]),

    # ---- freeze ---------------------------------------------------------------------------------------------------
    Mutant("freeze seals nothing", ("freeze",), [(LINUX_OBJECTS, "F_ADD_SEALS, F_SEAL_FUTURE_WRITE", "F_GETFD, 0")]),
    Mutant("what is frozen is opened for writing", ("freeze",),
           [("segment/resolve.hpp", "if (access == Access::read_write && object.is_frozen())", "if (false)")]),
    Mutant("what is frozen is attached for writing where it is mapped", ("freeze",),
           [("segment/resolve.hpp", "if (access == Access::read_write && segment->is_frozen())", "if (false)")]),
    Mutant("the handle of a frozen array grants writing", ("freeze",),
           [("array/shared_array.hpp", " || from.is_frozen()", "")]),
    Mutant("a named array is frozen", ("freeze",),
           [("segment/segment.hpp", "if (!is_named()) return object_.freeze(context);", "return object_.freeze(context);")]),

    # ---- transfer -------------------------------------------------------------------------------------------------
    Mutant("a message needs no magic", ("transfer",),
           [("format/message.hpp", "if (!message_magic.starts_with(bytes.substr(0, message_magic.size())))", "if (false)")]),
    Mutant("a message may be of any length", ("transfer",),
           [("format/message.hpp", "if (length > max_message_text)", "if (false)")]),
    Mutant("a message may be longer or shorter than it says", ("transfer",),
           [("process/transfer.hpp", "if (got != length)", "if (false)")]),
    Mutant("a message may come with any descriptors", ("transfer",),
           [("process/transfer.hpp", "if (socket.descriptors() != expected)", "if (false)")]),
    Mutant("further descriptors stay open", ("transfer",),
           [(UNIX_SOCKET, "if (descriptors_++ == 0) first_ = std::move(descriptor);",
             "if (descriptors_++ == 0) first_ = std::move(descriptor); else ::dup(number);")]),
    Mutant("descriptors that do not come are not missed", ("transfer",),
           [("process/transfer.hpp", "if (socket.has_lost_descriptors())", "if (false)")]),
    Mutant("a message may name another descriptor", ("transfer",),
           [("process/transfer.hpp", "if (place == nullptr || place->index != 0)", "if (false)")]),
    Mutant("a message may name any array, whatever it came with", ("transfer",),
           [("process/transfer.hpp", "if (!descriptor_) return", "if (true) return")]),
    Mutant("a read-only handle is sent with a writable descriptor", ("transfer",),
           [("segment/resolve.hpp", "handle.is_read_only() ? Access::read_only : Access::read_write", "Access::read_write")]),
    Mutant("any segment is sent for the one that is meant", ("transfer",),
           [("segment/resolve.hpp", "if (uuid_of(describe(object, context).control) != handle.uuid())", "if (false)")]),
    Mutant("a closed socket is a signal", ("transfer",),
           [(UNIX_SOCKET, "MSG_DONTWAIT | no_signal", "MSG_DONTWAIT")]),
    Mutant("received descriptors are inherited through exec", ("transfer",),
           [(UNIX_SOCKET, "MSG_DONTWAIT | receive_flags", "MSG_DONTWAIT")]),
    Mutant("a stream brings a message in one piece", ("transfer",),
           [(UNIX_SOCKET, "if (got == 0 || !is_stream_) break;", "break;")]),
    Mutant("a stream takes a message in one piece", ("transfer",),
           [(UNIX_SOCKET, "done += static_cast<std::size_t>(sent);", "done = bytes.size();")]),
    Mutant("any socket will do", ("transfer",),
           [(UNIX_SOCKET, "if (address.ss_family != AF_UNIX)", "if (false)")]),
    Mutant("portable: a read-only handle is sent with a writable descriptor", ("transfer",),
           [("process/transfer.hpp", "if (handle.is_read_only() && object.is_writable())", "if (false)")], True),

    Mutant("who sweeps a segment seems to hold it", ("life",), [
        (LINUX_OBJECTS, "range.l_type == F_RDLCK;", "range.l_type != F_UNLCK;")]),
    # ---- processes ------------------------------------------------------------------------------------------------
    Mutant("fork does not mind threads", ("process",),
           [("process/fork.hpp", "threads > 1 + watchers && !options.allow_threads", "false && threads > 1 && !options.allow_threads")]),
    Mutant("a thread that has ended stands in the way of a fork", ("process",),
           [(LINUX_THIS_PROCESS, "return (std::strtoul(line.data() + at, nullptr, 10) & exiting) != 0;", "return false;")]),
    Mutant("an abandoned child is not killed", ("process",),
           [("process/process.hpp", "    child_.kill();\n    try {", "    try {")]),
    Mutant("an abandoned child is not reaped", ("process",), [("process/process.hpp", "      reap(std::nullopt);\n", "")]),
    Mutant("a fork ends its siblings", ("process",), [("process/process.hpp", " || !child_.is_ours()", "")]),
    Mutant("the report of a child is waited for", ("process",),
           [(LINUX_PROCESS, "O_CLOEXEC | O_NONBLOCK", "O_CLOEXEC")]),

    Mutant("wait_for ends with the first signal", ("spawn",),
           [(UNIX_PROCESS, "      watching = false;\n    }", "      watching = false;\n    } else {\n      return std::nullopt;\n    }")]),
    Mutant("a child's end is looked for, not told", ("spawn",),
           [(LINUX_PROCESS, "return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));", "return {};")]),
    Mutant("other people's children are reaped", ("spawn",),
           [(UNIX_PROCESS, "::waitpid(pid_, &status, flags)", "::waitpid(-1, &status, flags)")]),
    Mutant("a report that nobody reads is a SIGPIPE", ("spawn",),
           [(UNIX_PROCESS, " || entry.revents != POLLOUT", "")]),

    # ---- spawned programs -----------------------------------------------------------------------------------------
    Mutant("a child gets all that is open", ("spawn",),
           [(LINUX_PROCESS, "return ::posix_spawn_file_actions_addclosefrom_np(&actions, first) == 0;", "return true;")]),
    Mutant("a child gets what other threads open meanwhile", ("spawn",),
           [(LINUX_PROCESS, "return ::posix_spawn_file_actions_addclosefrom_np(&actions, first) == 0;", "return false;")]),
    Mutant("other threads' children get the report pipe", ("spawn",),
           [(LINUX_PROCESS, "O_CLOEXEC | O_NONBLOCK", "O_NONBLOCK")]),
    Mutant("a descriptor overwrites one that is still to be handed over", ("spawn",),
           [(UNIX_PROCESS, "if (fd >= least) return fd;", "if (fd >= 0) return fd;")]),
    Mutant("a read-only handle hands over a writable descriptor", ("spawn",),
           [("segment/resolve.hpp", "handle.is_read_only() ? Access::read_only : Access::read_write", "Access::read_write")]),
    Mutant("a descriptor is handed over whatever it means by now", ("spawn",),
           [("segment/resolve.hpp", "if (uuid_of(describe(object, context).control) != handle.uuid()) throw stale_handle(context);", "")]),
    Mutant("what was handed over stays open in grandchildren", ("spawn",),
           [(UNIX_PROCESS, "for (int fd = first_inherited; fd <= report; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);", "")]),
    Mutant("variables are believed without their pipe", ("spawn",),
           [(UNIX_PROCESS, "return report_text(number, status) == text ? number : -1;", "return number;")]),
    Mutant("handles are believed without the pipe", ("spawn",),
           [("process/inherited.hpp", "!os::inherited_descriptors() || value == nullptr", "value == nullptr")]),
    Mutant("a child's variables are passed on to its children", ("spawn",),
           [(UNIX_PROCESS, 'if (text.starts_with("NDSHM_") && name != "NDSHM_DIR") continue;', "")]),
    Mutant("a handle may mean a descriptor that was not handed over", ("spawn",),
           [("process/inherited.hpp", "if (place != nullptr && place->index < given.value_or(0)) {", "if (place != nullptr) {")]),
    Mutant("a relative path is one of the new directory", ("spawn",),
           [("process/spawn.hpp", "if (path.has_parent_path())", "if (false)")]),

    Mutant("where named segments are is not passed on to children", ("directory",),
           [(UNIX_PROCESS, ' && name != "NDSHM_DIR"', "")]),

    # ---- many copies of the library -------------------------------------------------------------------------------
    Mutant("each shared object has mappings of its own", ("plugin",),
           [("segment/mapping_table.hpp", 'os::one_in_process<MappingTable>("mapping_table." BOOST_LIB_VERSION)',
             "*new MappingTable")]),
    Mutant("each shared object counts its own watchers", ("plugin",),
           [(UNIX_WAKE, 'return one_in_process<Watchers>("watchers");', "static Watchers own; return own;")]),
    Mutant("each shared object has errors of its own", ("plugin",),
           [("platform/platform.hpp", "inline const bool categories_are_shared = share_category(share_in_process);", "")]),
    Mutant("what others share may be unloaded", ("plugin",), [(UNIX_PROCESS_WIDE, "  unix_only::stay_loaded();\n", "")]),
    Mutant("a code is of the library by its category's address alone", ("platform",),
           [("core/error.hpp", 'std::string_view(code.category().name()) == "ndshm"', "code.category() == error_category()")]),
    Mutant("UUIDs do not say their version", ("platform",),
           [("segment/new_uuid.hpp", "bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0fU) | 0x40U);", "")]),
    Mutant("UUIDs do not say their variant", ("platform",),
           [("segment/new_uuid.hpp", "bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3fU) | 0x80U);", "")]),

    # ---- the directory of named segments --------------------------------------------------------------------------
    Mutant("a sweep looks into the usual directory", ("directory",),
           [(LINUX_NAMES, "entries(::opendir(std::string(directory()).c_str()), ::closedir);",
             "entries(::opendir(\"/dev/shm\"), ::closedir);")]),
    Mutant("a relative directory means another one in each process", ("directory",),
           [(UNIX_NAMES, "if (where.starts_with('/')) return where;", "return where;")]),
    Mutant("a directory that is missing is taken for a name that is", ("directory",),
           [(LINUX_OBJECTS, "        require_directory(directory_of(name, context), context);\n", "")]),
    Mutant("a directory that is missing has no segments", ("directory",),
           [("segment/registry.hpp",
             'detail::os::require_directory(detail::os::directory(), detail::Context("list"));', "")]),

    # ---- the portable path ----------------------------------------------------------------------------------------
    Mutant("portable: attach does not look again at the lock file", FIGHT,
           [(PORTABLE_OBJECTS, 'NDSHM_CRASH_POINT("attach: locked");\n    if (!portable_only::stands(lock.get())) continue;', "")], True),
    Mutant("portable: a sweeper does not look again at the lock file", FIGHT,
           [(PORTABLE_OBJECTS, "if (!portable_only::stands(lock.get())) return Swept::absent;", "")], True),
    Mutant("portable: what a killed creator left exists", ("life",),
           [(PORTABLE_OBJECTS, "portable_only::mark_of(lock.get()) == portable_only::Mark::making) return std::nullopt;", "false) return std::nullopt;")], True),
    Mutant("portable: what is not complete counts as foreign", STEPS,
           [(PORTABLE_OBJECTS, "mark == portable_only::Mark::complete && kind_of(object)", "kind_of(object)")], True),
    Mutant("portable: what is not complete is looked at", ("creators",),
           [(PORTABLE_OBJECTS, "if (portable_only::mark_of(lock.get()) != portable_only::Mark::complete) return std::nullopt;", "")], True),
    Mutant("portable: create takes who only looks for one who lives", ("creators",),
           [(PORTABLE_OBJECTS, "    if (!backoff.wait()) return false;\n", "    return false;\n")], True),
    Mutant("portable: sweep takes who only looks for one who lives", ("creators",),
           [(PORTABLE_OBJECTS, "if (!portable_only::lock_alone(lock.get())) return Swept::in_use;",
             "if (!portable_only::try_flock(lock.get(), LOCK_EX)) return Swept::in_use;")], True),
    Mutant("portable: nobody guards the name of an anonymous array", ("creators",),
           [(PORTABLE_OBJECTS, "unpublished->lose_name();", "{ UnpublishedObject nameless(std::move(*unpublished)); ::unlink(portable_only::lock_file({name}, context).c_str()); NDSHM_CRASH_POINT(\"create: reserved\"); nameless.lose_name(); return nameless; }")], True),
    Mutant("portable: create does not look again at the lock file", FIGHT,
           [(PORTABLE_OBJECTS, "if (!portable_only::stands(lock.get())) continue;  // a sweeper removed it before we had it", "")], True),
    Mutant("portable: a child gets all that is open", ("spawn",),
           [(UNIX_PROCESS, "if (fd < first || (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0) continue;", "if (fd >= 0) continue;")], True),
    Mutant("portable: a grandchild that keeps the pipe holds up wait_for", ("spawn",),
           [(UNIX_PROCESS, "watching && readable_means_ended() ? left : (std::min)(left, slice)", "left + 0 * slice")], True),

    # ---- Windows --------------------------------------------------------------------------------------------------
    Mutant("windows: a child inherits every handle that can be inherited", ("spawn",),
           [(WINDOWS_PROCESS, "CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT", "CREATE_UNICODE_ENVIRONMENT")], windows=True),
    Mutant("windows: workers are in no job", ("worker_program",),
           [(WINDOWS_PROCESS, "if (job != nullptr) add(PROC_THREAD_ATTRIBUTE_JOB_LIST, &job_, 1);", "")], windows=True),
    Mutant("windows: variables of another parent are believed", ("spawn",),
           [(WINDOWS_PROCESS, "if (pid != parent_id()) return false;", "")], windows=True),
    Mutant("windows: variables of an earlier process of that id are believed", ("spawn",),
           [(WINDOWS_PROCESS, "return !process || start_time(process.handle()) == started;", "return true;")], windows=True),
    Mutant("windows: the variables of a child reach its children", ("spawn",),
           [(WINDOWS_PROCESS, 'if (!text.starts_with(L"NDSHM_") && equals', "if (equals")], windows=True),
    Mutant("windows: what a child was given reaches its children", ("spawn",),
           [(WINDOWS_PROCESS, "if (handle != -1) ::SetHandleInformation(handle_of(handle), HANDLE_FLAG_INHERIT, 0);", "")], windows=True),
    Mutant("windows: a read-only handle is sent as it is", ("spawn",),
           [(WINDOWS_OBJECTS, "  if (access == Access::read_only) {\n    HANDLE weaker", "  if (false) {\n    HANDLE weaker")], windows=True),
    Mutant("windows: what is open for reading only is mapped for writing", ("spawn",),
           [(WINDOWS_OBJECTS, "if (access == Access::read_write && View(handle.handle(), FILE_MAP_READ | FILE_MAP_WRITE).get() == nullptr &&", "if (false &&")], windows=True),
    Mutant("windows: a sign counts before it is finished", ("windows_names",),
           [(WINDOWS_OBJECTS, "if (magic == 0) return std::nullopt;", "")], windows=True),
    Mutant("windows: strangers' memory is taken for a sign", ("windows_names",),
           [(WINDOWS_OBJECTS, "if (magic != Sign::right_magic) {", "if (false) {")], windows=True),
    Mutant("windows: segments of other users are attached unasked", ("windows_names",),
           [(WINDOWS_OBJECTS, "require_own(sign.handle(), context);", "")], windows=True),
    Mutant("windows: one's own sign may lead to memory of other users", ("windows_names",),
           [(WINDOWS_OBJECTS, "require_own(memory.handle(), context);", "")], windows=True),
    Mutant("windows: others may open a segment", ("windows_names",),
           [(WINDOWS_ERRORS, "noexcept { return &nobody_else_; }", "noexcept { return nullptr; }")], windows=True),
    Mutant("windows: a name for all sessions is not asked the privilege for", ("windows_names",),
           [(WINDOWS_OBJECTS, "name.scope == Scope::machine && !windows_only::may_name_globally()", "false")], windows=True),
    Mutant("windows: a name that is taken is given again", ("names",),
           [(WINDOWS_OBJECTS, "if (error.value() == ERROR_ALREADY_EXISTS) return false;", "")], windows=True),
    Mutant("windows: text that is not UTF-8 becomes other text", ("windows_names",),
           [(WINDOWS_ERRORS, "MB_ERR_INVALID_CHARS", "0")], windows=True),
    Mutant("windows: what a worker starts is in the pool's job", ("worker_program",),
           [(WINDOWS_WAKE, " | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK", "")], windows=True),

    # ---- pools ----------------------------------------------------------------------------------------------------
    Mutant("a claim is not recorded by who claims next", WORKERS, [
        ("pool/task_board.hpp", "      record_claim(next);\n      NDSHM_CRASH_POINT", "      NDSHM_CRASH_POINT")]),
    Mutant("the word of the last claim is not asked about the dead", POOL_STEPS, [
        ("pool/task_board.hpp", "if ((next & worker_mask) == worker + 1) claimed", "if (false) claimed")]),
    Mutant("a helper that comes late overwrites a claim", ("task_board",), [
        ("pool/task_board.hpp", "while (now < value && !word.compare_exchange_weak(now, value, std::memory_order_release)) {",
         "if (now != value) { word = value;")]),
    Mutant("the slot of a dead worker keeps its claim", ("task_board",), [
        ("pool/task_board.hpp", "      slots_[worker].finished = *lost;\n", "")]),
    Mutant("a worker falls asleep without a second look", ("task_board",), [
        ("pool/task_board.hpp", "    if ((!has_unclaimed() || is_paused()) && !is_closing()) return true;", "    return true;")]),
    Mutant("what is published ends a cancel", ("task_board",), [
        ("pool/task_board.hpp", "header_->limit.load() || is_paused()) return std::nullopt;", "header_->limit.load()) return std::nullopt;")]),
    Mutant("a worker does not sleep while the board is paused", ("task_board",), [
        ("pool/task_board.hpp", "(!has_unclaimed() || is_paused())", "!has_unclaimed()")]),
    Mutant("a cancel ends those that came after it", ("task_board",), [
        ("pool/task_board.hpp", "header_->resumed = pauses;", "header_->resumed = header_->pauses.load();")]),
    Mutant("the owner falls asleep without a second look", ("task_board",), [
        ("pool/task_board.hpp", "if (finished() < count) return true;", "return true;")]),
    Mutant("a worker cancels its owner's tasks", POOL, [
        ("pool/supervisor.hpp", "    if (os::process_id() != process_) return;\n    board_.pause();", "    board_.pause();")]),
    Mutant("what is done when the pool closes is lost", POOL, [
        ("pool/supervisor.hpp", "    workers_.retire(std::chrono::seconds(1));\n    queue_.collect();\n",
         "    workers_.retire(std::chrono::seconds(1));\n")]),
    Mutant("a worker may take for ever to get ready", LIMITS, [
        ("pool/time_limits.hpp", "if (is_starting && elapsed", "if (false && elapsed")]),
    Mutant("cancel lets the workers go on claiming", POOL, [("pool/supervisor.hpp", "    board_.pause();\n", "")]),
    Mutant("a task that was done before its worker died is lost", POOL_STEPS, [
        ("pool/supervisor.hpp", "    queue_.collect();  // what they have done, also if they died right after that\n", "")]),
    Mutant("dead workers are not replaced", POOL, [
        ("pool/supervisor.hpp", "    if (lost) on_lost(*lost, exit);\n    restart(exit.worker);",
         "    if (lost) on_lost(*lost, exit);")]),
    Mutant("a worker that cannot start is replaced for ever", POOL, [
        ("pool/supervisor.hpp", "static constexpr std::size_t max_failed_starts = 3;",
         "static constexpr std::size_t max_failed_starts = SIZE_MAX;")]),
    Mutant("idempotent tasks are given out for ever", ("task_queue",), [
        ("pool/task_queue.hpp", "cell.attempt >= cell.sink->attempts", "cell.sink->attempts == 1")]),
    Mutant("stopped workers without a task are not found", LIMITS, [
        ("pool/time_limits.hpp", "    } else if (worker.state == WorkerState::sleeping || !pool.has_unclaimed) {",
         "    } else {")]),
    Mutant("an idle pool kills nobody and waits for ever at its end", POOL, [
        ("pool/workers.hpp", "          worker.process.kill();\n          worker.process.wait();", "          worker.process.wait();")]),
    Mutant("the dead are dealt with one by one, and the last one takes the others' tasks with it", POOL, [
        ("pool/supervisor.hpp", "    for (const WorkerExit& exit : exits) on_exit(exit);\n    if (workers_.count_alive() == 0) give_up();",
         "    for (const WorkerExit& exit : exits) { on_exit(exit); if (workers_.count_alive() == 0) give_up(); }")]),
    # The queue and the time limits, without a process.
    Mutant("a task that is withdrawn is told twice", QUEUE, [
        ("pool/task_queue.hpp", "        const Cell withdrawn = dequeue(i);", "        const Cell withdrawn = cell; ++i;")]),
    Mutant("tasks of others are lost with a run that is abandoned", QUEUE, [
        ("pool/task_queue.hpp", "        enqueue(outstanding_[i++]);", "        ++i;")]),
    Mutant("who is gone is told what becomes of its tasks", QUEUE, [
        ("pool/task_queue.hpp", "      if (is_its(cell)) cell.sink.reset();", "")]),
    Mutant("a task is done again for nobody", QUEUE, [
        ("pool/task_queue.hpp", "if (!cell.sink || cell.attempt >= cell.sink->attempts) return false;",
         "if (cell.sink && cell.attempt >= cell.sink->attempts) return false;")]),
    Mutant("a task that was given out again wakes nobody", QUEUE, [
        ("pool/task_queue.hpp", "    ++unpublished_;\n", "    if (unpublished_ == 0 && cells_[at].attempt == 1) ++unpublished_;\n")]),
    Mutant("publish wakes one worker for many tasks", QUEUE, [
        ("pool/task_queue.hpp", "return std::exchange(unpublished_, 0);", "return std::exchange(unpublished_, 0) != 0 ? 1 : 0;")]),
    Mutant("what was done before no worker was left is reported as failed", QUEUE, [
        ("pool/task_queue.hpp", "    collect();\n    while (!outstanding_.empty()) fail_at", "    while (!outstanding_.empty()) fail_at")]),
    Mutant("what no worker is left for can still be claimed", QUEUE, [
        ("pool/task_queue.hpp", "    board_.withdraw();\n    unpublished_ = 0;\n    collect();", "    collect();")]),
    Mutant("a pause is never over", QUEUE, [("pool/task_queue.hpp", "    board_.resume(pauses);\n", "")]),
    Mutant("start times are asked for without end", QUEUE, [
        ("pool/task_queue.hpp", "--timed_ == 0) board_.want_start_times(false);", "--timed_ == 0) {}")]),
    Mutant("the last time limit counts, not the shortest", QUEUE, [
        ("pool/task_queue.hpp", "(!shortest || timeout < *shortest)", "true")]),
    Mutant("a failure names the process that came after", QUEUE, [
        ("pool/task_queue.hpp", "    failure.pid = pids_[failure.worker];\n", "")]),
    Mutant("all tasks have the limit of the shortest", LIMITS, [
        ("pool/time_limits.hpp", "    return *limit > Duration(0) ? *limit : (Duration::max)();", "    return shortest;")]),
    Mutant("a task without a limit is late at once", LIMITS, [
        ("pool/time_limits.hpp", "*limit > Duration(0) ? *limit : (Duration::max)()", "*limit")]),
    Mutant("a stopped worker that has reported is never late", LIMITS, [
        ("pool/time_limits.hpp", "if (!limit) return shortest;", "if (!limit) return (Duration::max)();")]),
    Mutant("an idle worker is late", LIMITS, [
        ("pool/time_limits.hpp", "    } else if (worker.state == WorkerState::sleeping || !pool.has_unclaimed) {",
         "    } else if (!pool.has_unclaimed) {")]),
    Mutant("a worker without work is late", LIMITS, [
        ("pool/time_limits.hpp", "    } else if (worker.state == WorkerState::sleeping || !pool.has_unclaimed) {",
         "    } else if (worker.state == WorkerState::sleeping) {")]),
    Mutant("an hour of idleness counts for the next task", LIMITS, [
        ("pool/time_limits.hpp", "      watched = {};\n      return std::nullopt;", "      return std::nullopt;")]),
    Mutant("a worker that goes on is late all the same", LIMITS, [
        ("pool/time_limits.hpp", "if (watched.since == 0 || watched.at != at) watched", "if (watched.since == 0) watched")]),
    Mutant("what was forgotten counts", LIMITS, [
        ("pool/time_limits.hpp", "  void forget() { std::fill(watched_.begin(), watched_.end(), Watched()); }", "  void forget() {}")]),
    Mutant("the limit of tasks ends workers that are getting ready", LIMITS, [
        ("pool/time_limits.hpp", "is_starting ? LateWorker::At::stopped : LateWorker::At::task_or_idle", "LateWorker::At::task_or_idle")]),
    Mutant("who is not woken for a stopped one sleeps on", LIMITS, [
        ("pool/time_limits.hpp", "    if (should_wake_another(pool)) next = wake_interval;\n", "")]),
    Mutant("a worker that gets ready is not looked at", LIMITS, [
        ("pool/time_limits.hpp", "        next = shorter(next, left_of(start_timeout_, worker.process_start, pool.now));\n", "")]),
    Mutant("limits of years overflow", LIMITS, [
        ("pool/time_limits.hpp", "std::min<Duration>(limit - passed, std::chrono::hours(1)) + std::chrono::milliseconds(1)",
         "Duration(static_cast<std::int64_t>(static_cast<std::uint64_t>((limit - passed).count()) + 1'000'000))")]),
    Mutant("a title is cut in the middle of a character", PROGRESS, [
        ("pool/progress_line.hpp", "  std::size_t end = 0;\n", "  std::size_t end = 0;\n  return std::string(text.substr(0, columns));\n")]),
    Mutant("a title moves the cursor", PROGRESS, [
        ("pool/progress_line.hpp", "if (character.bytes == 0 || is_control) {", "if (character.bytes == 0) {")]),
    Mutant("a title that is no UTF-8 is printed", PROGRESS, [
        ("pool/progress_line.hpp", "    if ((byte(i) & 0xc0U) != 0x80) return {};\n", "")]),
    Mutant("the width of the terminal is asked once", PROGRESS, [
        ("pool/progress.hpp", "if (const std::size_t columns = os::terminal_width(stream_); columns > 0) return columns;",
         "static const std::size_t once = os::terminal_width(stream_); if (once > 0) return once;")]),
    Mutant("COLUMNS is not asked", PROGRESS, [
        ("pool/progress.hpp", "return columns > 0 ? columns : 80;", "return 80;")]),
    Mutant("the bar takes the last column", PROGRESS, [
        ("pool/progress.hpp", "progress_line(title_, progress, columns - 1)", "progress_line(title_, progress, columns)")]),
    Mutant("the bar stands where workers print", PROGRESS, [
        ("pool/progress.hpp", "\\0337\\033[B\\r", "\\0337\\r")]),
    Mutant("the bar is drawn where there is no line for it", PROGRESS, [
        ("pool/progress.hpp", "\\033[J\\033D\\033[A\\0337", "\\033[J\\0337")]),
    Mutant("the end of the bar is printed over what others print", PROGRESS, [
        ("pool/progress.hpp", "write(std::string(columns - 1, ' ') + ", "write(std::string() + ")]),
    Mutant("a bar that was left stays", PROGRESS, [
        ("pool/progress.hpp", 'if (is_drawn_ && os::process_id() == process_) write("\\033[J");', "")]),
    Mutant("a second run says nothing of its first tenths", PROGRESS, [
        ("pool/progress.hpp", "last_tenth_ = progress.is_over ? 0 : tenth;", "last_tenth_ = tenth;")]),
    Mutant("a file is full of lines", PROGRESS, [
        ("pool/progress.hpp", "tenth <= last_tenth_ && progress.elapsed - last_printed_ < std::chrono::minutes(1)", "false")]),
    Mutant("a dumb terminal gets escape sequences", PROGRESS, [
        ("pool/progress.hpp", "os::is_terminal(options.stream) && !is_dumb()", "os::is_terminal(options.stream)")]),
    Mutant("workers outlive their owner", OWNERS, [(UNIX_WAKE, "  ::kill(::getpid(), SIGKILL);\n  return nullptr;", "  return nullptr;")]),
    Mutant("stopped workers outlive their owner", POOL, [(LINUX_WAKE, "  ::prctl(PR_SET_PDEATHSIG, SIGCONT);\n", "")]),
    Mutant("an interrupt ends the workers", POOL, [(UNIX_THIS_PROCESS, "::signal(SIGINT, SIG_IGN);", "")]),
    Mutant("a forked child uses its parent's pool", POOL, [
        ("pool/supervisor.hpp", "    if (os::process_id() == process_) return;\n    throw", "    return;\n    throw")]),
    Mutant("a pool in a worker is refused for the watcher's thread", POOL, [
        ("process/fork.hpp", "threads > 1 + watchers", "threads > 1")]),
    Mutant("a board of other types is taken", ("task_board",), [
        ("pool/task_board.hpp", "if (header->types != types) {", "if (false) {")]),
    Mutant("a board larger than its memory is taken", ("task_board",), [
        ("pool/task_board.hpp", "layout_of(types, header->workers, header->cells).end > bytes) {", "false) {")]),
]
