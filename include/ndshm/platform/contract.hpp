// SPDX-License-Identifier: BSL-1.0
// contract.hpp: every name that a platform provides to the library, with its signature, and what it promises. A
// platform that lacks one, or has it with another signature, does not compile, and the compiler names it.
//
// In common: a Context starts the message of every Error that is thrown. A "descriptor" is a number that the system
// knows something by: a file descriptor, or the value of a kernel handle; -1 is none.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/platform/types.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

// ---- features.hpp --------------------------------------------------------------------------------------------------

// What the platform can do, as 1 or 0: programs ask for these.
static_assert(NDSHM_HAS_FORK + 1 > 0);
static_assert(NDSHM_HAS_PERSISTENCE + 1 > 0);
static_assert(NDSHM_HAS_LIST + 1 > 0);
static_assert(NDSHM_HAS_DIRECTORY + 1 > 0);
static_assert(NDSHM_HAS_OTHER_USERS + 1 > 0);
static_assert(NDSHM_HAS_PROCESS_HANDLES + 1 > 0);
static_assert(NDSHM_HAS_TRANSFER + 1 > 0);
static_assert(NDSHM_HAS_READ_ONLY_TRANSFER + 1 > 0);
static_assert(NDSHM_HAS_FREEZE + 1 > 0);

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os::contract {

template <class Signature, Signature*>
inline constexpr bool provided = true;
using Region = boost::interprocess::mapped_region;
using KindOf = Kind (*)(const Object&);  // what open_named and sweep_named are given is any callable like this

#define NDSHM_PROVIDES(signature, name) static_assert(provided<std::type_identity_t<signature>, &os::name>)

// ---- errors.hpp ----------------------------------------------------------------------------------------------------

/// A descriptor that is owned, and closed at the end. Movable. get() is -1 where there is none.
template <class D>
concept OwnedDescriptor =
    std::movable<D> && std::default_initializable<D> && !std::copyable<D> && requires(D & own, const D& other) {
  { other.get() } -> std::same_as<int>;
  static_cast<bool>(other);
  own.close();
};
static_assert(OwnedDescriptor<Descriptor>);

/// What the last call of the system that was refused said. Never throws.
NDSHM_PROVIDES(std::error_code(), last_error);
/// The Error for a call of that name that the system refused: its errc is the one that fits the system's code.
NDSHM_PROVIDES(Error(std::error_code, Context, std::string_view), refused);

// ---- names.hpp -----------------------------------------------------------------------------------------------------

/// The longest name of a segment, in bytes.
static_assert(std::same_as<decltype(max_name_bytes), const std::size_t>);
/// The directory of named objects where NDSHM_DIR names none; it need not be one of the file system.
static_assert(std::same_as<decltype(default_directory), const std::string_view>);
/// The directory in force in this process, always the same. An ObjectName without a directory means it.
NDSHM_PROVIDES(std::string_view(), directory);
/// Throws errc::not_found, permission_denied or invalid_argument, with a remedy, where there is no such directory.
NDSHM_PROVIDES(void(std::string_view, Context), require_directory);
/// The names of all objects in the directory in force, dead or alive, of all users. Empty where it cannot be read.
NDSHM_PROVIDES(std::vector<std::string>(), names);
/// The path under which a program without this library opens the object. Throws errc::unsupported.
NDSHM_PROVIDES(std::string(const ObjectName&, Context), path_of_name);
/// The same for an object without a name, as long as this process has the descriptor. Throws errc::unsupported.
NDSHM_PROVIDES(std::string(int, Context), path_of_descriptor);
/// The space of the directory in force; zeros where it is not limited, or not known.
NDSHM_PROVIDES(Space(), space_of_names);

/// Waits for names. wait(limit) returns when something in the directory of the name it was made for may have changed
/// since the call before, and at the latest when the limit is over; it may return earlier.
template <class W>
concept WatchOfNames = std::constructible_from<W, const ObjectName&> && requires(W& watch) {
  { watch.wait(std::chrono::nanoseconds{}) } -> std::same_as<void>;
};
static_assert(WatchOfNames<NameWatch>);

// ---- memory.hpp ----------------------------------------------------------------------------------------------------

/// Maps the first bytes of an object, shared. Throws errc::out_of_memory, permission_denied, system_error.
NDSHM_PROVIDES(Region(int, Access, std::size_t, Context), map);
/// Commits the memory of `[offset, offset + bytes)` of an object, so that touching it is no fault; nothing where the
/// system cannot do that, or has done it. Otherwise the system's code, of which no_space_on_device and
/// not_enough_memory are told apart. Can be repeated. Never throws.
NDSHM_PROVIDES(std::error_code(int, std::size_t, std::size_t), reserve);
/// Gives the memory of an object that nobody will use back at once, where the system can do that. Never throws.
NDSHM_PROVIDES(void(int), discard);
/// Maps every page for writing, now instead of by a page fault for each, and commits what is not there. `not_supported`
/// where the system cannot do that; otherwise the codes of reserve(). Never throws.
NDSHM_PROVIDES(std::error_code(void*, std::size_t), populate);
/// The same with huge pages.
NDSHM_PROVIDES(std::error_code(void*, std::size_t), populate_huge);
/// Whether the system gives huge pages to objects, with a name or without, when asked to.
NDSHM_PROVIDES(bool(bool), huge_pages_are_on);
/// Bytes that can be had in all; UINT64_MAX where that is not known.
NDSHM_PROVIDES(std::uint64_t(), available_memory);

// ---- objects.hpp ---------------------------------------------------------------------------------------------------

/// A memory object that is open. One that open_named() returned is held: nobody removes it as long as this process, or
/// one that it forked, has it open or mapped, and once all have released it, however they ended, it is stale.
template <class O>
concept OpenObject = std::movable<O> && requires(O& own, const O& object, void* to, const void* from, Context context) {
  { object.size() } -> std::same_as<std::size_t>;  // bytes; those of a page that is not full may count
  { object.access() } -> std::same_as<Access>;
  { object.descriptor() } -> std::same_as<int>;
  { object.is_writable() } -> std::same_as<bool>;       // through the descriptor, whatever access() says
  { object.is_same_as(object) } -> std::same_as<bool>;  // whether both are one object
  { object.is_frozen() } -> std::same_as<bool>;         // whether nobody can map it for writing any more
  { object.freeze(context) } -> std::same_as<void>;     // sees to it, or throws errc::unsupported
  { object.read(std::size_t{}, to, std::size_t{}) } -> std::same_as<bool>;     // exactly so many bytes, or false
  { object.write(std::size_t{}, from, std::size_t{}) } -> std::same_as<bool>;  // the same
  { object.map(std::size_t{}, context) } -> std::same_as<Region>;              // with its own access
  { own.mapped(true) } -> std::same_as<void>;  // it is mapped from here on: true where it has a name
};
static_assert(OpenObject<Object>);

/// An object that nobody else can attach. Its destructor removes it, unless it was published.
template <class U>
concept PreparedObject = std::move_constructible<U> && requires(U& own, U&& last, const U& object, Context context) {
  { object.descriptor() } -> std::same_as<int>;
  // Gives it its name, complete as it is, and holds it. False when the name is taken; then it can be called again.
  { own.publish(ObjectName{}, context) } -> std::same_as<bool>;
  { std::move(last).finish(context) } -> std::same_as<Object>;
};
static_assert(PreparedObject<UnpublishedObject>);

/// An object of so many bytes, all zero, that will get that name; nothing where the name is known to be taken.
/// Throws errc::not_found or unsupported where the directory cannot have it, permission_denied, out_of_memory.
NDSHM_PROVIDES(std::optional<UnpublishedObject>(const ObjectName&, std::size_t, const CreateOptions&, Context),
               prepare_named);
/// An object of so many bytes, all zero, that never gets a name: it ends with the last descriptor and mapping of it.
NDSHM_PROVIDES(UnpublishedObject(std::size_t, unsigned, Context), prepare_anonymous);
/// Opens the object of that name for reading and holds nothing: who would hold it had to sweep it afterwards. Nothing
/// where there is none, or none that may be read.
NDSHM_PROVIDES(std::optional<Object>(const ObjectName&), peek_named);
/// Whether any process holds the object, which peek_named() opened under that name. Touches no lock.
NDSHM_PROVIDES(bool(const Object&, const ObjectName&), is_held);
/// Opens the object of that name and holds it. Nothing where there is none, and where nobody holds it and
/// kind_of(object) is not Kind::persistent: such an object is dead. Throws errc::not_a_segment, permission_denied (also
/// for another user's, unless the options allow it), not_found where there is no such directory, timed_out.
NDSHM_PROVIDES(std::optional<HeldObject>(const ObjectName&, Access, const AttachOptions&, KindOf, Context),
               open_named<KindOf>);
/// Removes the object of that name if nobody holds it, it is this user's, and kind_of(object), which is asked while
/// nobody can attach it, is Kind::shared. Takes no lock away from a child that shares descriptors with this process.
NDSHM_PROVIDES(Swept(const ObjectName&, KindOf), sweep_named<KindOf>);
/// The object behind a descriptor that this process has, through one of its own. It has to grant the access, and where
/// the system can tell, nobody can cut the object off. Throws errc::not_found, not_a_segment, read_only.
NDSHM_PROVIDES(Object(int, Access, Context), open_descriptor);
/// The same for a descriptor of the process of that id, of the same user. Throws errc::unsupported, too.
NDSHM_PROVIDES(Object(std::uint64_t, int, Access, Context), open_process_descriptor);

// ---- process_wide.hpp ----------------------------------------------------------------------------------------------

/// The pointer that the first caller in this process gave for that key, in whichever of its shared objects; see
/// platform/process_wide.hpp.
NDSHM_PROVIDES(void*(const char*, void*), share_in_process);

// ---- this_process.hpp ----------------------------------------------------------------------------------------------

/// This process's id. Never throws.
NDSHM_PROVIDES(std::uint64_t(), process_id);
/// The program that this process runs, in UTF-8. Throws errc::unsupported.
NDSHM_PROVIDES(std::string(Context), program_path);
/// Runs the first function in front of every fork() of this process, the second behind it in both processes.
NDSHM_PROVIDES(void(void (*)(), void (*)()), at_fork);
/// Threads of this process; 0 where that cannot be told.
NDSHM_PROVIDES(std::size_t(), count_threads);
/// Fills memory with random bytes that nobody can guess. False where the system has none; last_error() says why.
NDSHM_PROVIDES(bool(void*, std::size_t), random_bytes);
/// Whether that stream is shown to somebody.
NDSHM_PROVIDES(bool(std::FILE*), is_terminal);
/// How many columns that terminal has just now; 0 where the system does not know.
NDSHM_PROVIDES(std::size_t(std::FILE*), terminal_width);
/// Lets this process ignore interrupts from the terminal from here on: its parent decides what they mean.
NDSHM_PROVIDES(void(), leave_interrupts_to_parent);

// ---- process.hpp ---------------------------------------------------------------------------------------------------

/// A child process; false where there is none. Its destructor neither kills nor reaps it.
template <class C>
concept ChildProcess = std::movable<C> && std::default_initializable<C> && requires(C& own, const C& child) {
  static_cast<bool>(child);
  { child.pid() } -> std::same_as<std::uint64_t>;
  { child.is_ours() } -> std::same_as<bool>;  // false in a forked process that inherited this object
  child.kill();
  child.stop();                                      // returns when it stands still, or has ended, or cannot be stopped
  child.go_on();                                     // after stop()
  { child.is_stopped() } -> std::same_as<bool>;      // by somebody; false where that cannot be told
  { child.poll_descriptor() } -> std::same_as<int>;  // for sleep_until_readable(): readable when it has ended
  { child.readable_means_ended() } -> std::same_as<bool>;  // and then alone
  // How it ended; nothing when it still runs after the limit, none: for ever. Throws errc::system_error.
  { own.reap(std::optional<std::chrono::nanoseconds>{}) } -> std::same_as<std::optional<ChildEnd>>;
  { child.report() } -> std::same_as<std::string>;  // what report_to_parent() was given there; never waits
};
static_assert(ChildProcess<Child>);

/// The child, or nothing in the child itself. Throws errc::system_error, unsupported.
NDSHM_PROVIDES(std::optional<Child>(Context), fork_child);
/// Starts a program that has these descriptors, as inherited_descriptor(0), (1), …, the standard streams, and nothing
/// else of this process. Throws errc::not_found, permission_denied, system_error.
NDSHM_PROVIDES(Child(const Program&, std::span<const int>, Context), spawn_child);
/// What a signal is called.
NDSHM_PROVIDES(std::string(int), signal_text);
/// As a child: gives a text, cut off after 4 KiB at the latest, to the parent, and waits for nobody. False where nobody
/// reads it.
NDSHM_PROVIDES(bool(std::string_view), report_to_parent);
/// Ends this process at once: no destructors, no functions of atexit().
NDSHM_PROVIDES(void(int), exit_child);
/// How many descriptors this process was given by the spawn_child() that started it; nothing when none did. They are
/// inherited no further from the first call on.
NDSHM_PROVIDES(std::optional<std::size_t>(), inherited_descriptors);
/// The one of them at that place.
NDSHM_PROVIDES(int(std::size_t), inherited_descriptor);

// ---- wake.hpp ------------------------------------------------------------------------------------------------------

/// Wakes one process that waits; notified twice before it wakes is notified once. Both descriptors can be inherited.
template <class W>
concept Event = std::movable<W> && std::default_initializable<W> && std::constructible_from<W, Context> &&
    std::constructible_from<W, int, int> && requires(const W& event) {
  { event.wait_descriptor() } -> std::same_as<int>;
  { event.notify_descriptor() } -> std::same_as<int>;
  event.notify();  // also in a signal handler
  event.drain();   // forgets that it was notified
};
static_assert(Event<WakeEvent>);

/// Sleeps until one of the descriptors is readable, a signal was handled, or the limit (none: for ever) is over. Then
/// ready[i] tells of descriptors[i]; negative ones are left out.
NDSHM_PROVIDES(void(std::span<const int>, std::vector<bool>&, std::optional<std::chrono::nanoseconds>),
               sleep_until_readable);
/// Sleeps until the event is notified, and drains it.
NDSHM_PROVIDES(void(const WakeEvent&), wait);

/// What children need to notice the end of the process that makes this.
template <class P>
concept Watch = std::movable<P> && std::default_initializable<P> && std::constructible_from<P, Context> &&
    requires(P& own, const P& watch) {
  { watch.descriptor() } -> std::same_as<int>;  // to inherit; -1 where nothing has to be
  { watch.job() } -> std::same_as<int>;         // for Program::job
  own.close_in_child();                         // in a forked child, which must not hold what the parent holds
};
static_assert(Watch<ParentWatch>);

/// From here on this process ends, whatever it is doing, when the process behind that descriptor, its parent of that
/// id, ends. Throws errc::unsupported where that one is not the parent.
NDSHM_PROVIDES(void(int, std::uint64_t, Context), exit_with_parent);
/// Threads of this process that exit_with_parent() started: they do not stand in the way of a fork.
NDSHM_PROVIDES(std::size_t(), count_watchers);

// ---- socket.hpp ----------------------------------------------------------------------------------------------------

/// A caller's socket for the time of one message, with a time-out for all of it. Closes what came and nobody took.
template <class S>
concept MessageSocket = std::constructible_from<S, int, std::chrono::nanoseconds, Context> &&
    requires(S& own, const S& socket) {
  { socket.is_stream() } -> std::same_as<bool>;                   // messages have no boundaries of their own
  { socket.has_end() } -> std::same_as<bool>;                     // the other side can close it
  { own.send(std::string_view{}, int{}) } -> std::same_as<void>;  // a descriptor goes with the first byte; -1: none
  { own.receive(std::size_t{}) } -> std::same_as<std::string>;    // fewer bytes where the message ends before
  { socket.descriptors() } -> std::same_as<std::size_t>;          // that came along
  { socket.has_lost_descriptors() } -> std::same_as<bool>;        // more came than this process may have open
  { own.take_descriptor() } -> std::same_as<Descriptor>;          // the first of them
};
static_assert(MessageSocket<Socket>);

#undef NDSHM_PROVIDES

}  // namespace ndshm::detail::os::contract
