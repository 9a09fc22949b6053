// SPDX-License-Identifier: BSL-1.0
// segment.hpp: one memory object of the operating system, mapped: its life from create to the last detach. Knows bytes
// and geometry, not element types. Includes control.hpp and platform/, no xtensor.
//
// The promises: a segment has a name only when it is complete; while any process holds it nobody removes it; the last
// one to let go removes it; what a killed process left is dead, is never attached, and is removed by the next sweep. In
// one process each segment is mapped once per kind of access.
#pragma once

#include <atomic>
#include <boost/version.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/name.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/format/description.hpp>
#include <ndshm/format/npy_header.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/segment/new_uuid.hpp>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

using os::Access;

class Segment;

/// The segments that this process has mapped, in all of its shared objects, so that attaching again shares the mapping.
class MappingTable {
 public:
  static MappingTable& instance() {
    static MappingTable& table = []() -> MappingTable& {
      MappingTable& one = os::one_in_process<MappingTable>("mapping_table." BOOST_LIB_VERSION);
      if (!one.at_fork_.exchange(true)) {
        os::at_fork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); });
      }
      return one;
    }();
    return table;
  }

  /// The segment, if it is mapped with this access. A copy of its bytes under another name is another segment.
  std::shared_ptr<Segment> find(const Uuid& uuid, Access access, std::string_view name) {
    const std::scoped_lock lock(mutex_);
    const auto found = segments_.find(Key{uuid, access, std::string(name)});
    return found == segments_.end() ? nullptr : found->second.lock();
  }

  /// Adds a segment, or returns the one that another thread added meanwhile.
  std::shared_ptr<Segment> add(const std::shared_ptr<Segment>& segment);
  void forget(const Segment& segment) noexcept;

  /// Whether create() should look for what dead processes left: every time while there are few segments, and so rarely
  /// when there are many that a create costs the same on average.
  bool is_time_to_sweep() {
    const std::scoped_lock lock(mutex_);
    if (creates_until_sweep_ == 0) return true;
    --creates_until_sweep_;
    return false;
  }
  void swept(std::size_t segments_alive) {
    const std::scoped_lock lock(mutex_);
    creates_until_sweep_ = segments_alive / 8;
  }

 private:
  using Key = std::tuple<Uuid, Access, std::string>;

  static Key key_of(const Segment& segment);

  std::mutex mutex_;
  std::map<Key, std::weak_ptr<Segment>> segments_;
  std::size_t creates_until_sweep_ = 0;
  std::atomic<bool> at_fork_ = false;  // whether a fork takes the lock
};

using os::Swept;

/// What the object says of itself, checked.
inline Description describe(const os::Object& object, Context context) {
  return describe(
      object.size(), [&](std::size_t offset, void* to, std::size_t bytes) { return object.read(offset, to, bytes); },
      context);
}

inline bool is_persistent(const Description& description) { return (description.control.flags & flag_persistent) != 0; }

inline os::Kind kind_of(const Description& description) {
  return is_persistent(description) ? os::Kind::persistent : os::Kind::shared;
}

/// Removes the segment of that name if no process holds it, it is one of ours and not persistent. Never throws: this is
/// the end of every life.
inline Swept sweep_name(std::string_view name) noexcept {
  try {
    return os::sweep_named({name}, [](const os::Object& object) {
      try {
        return kind_of(describe(object, Context("sweep")));
      } catch (const Error&) {
        return os::Kind::foreign;
      }
    });
  } catch (const std::exception&) {
    return Swept::in_use;  // out of descriptors or memory: nothing is lost, the next sweep tries again
  }
}

/// Removes every dead segment of this user; returns how many.
inline std::size_t sweep_all() {
  std::size_t removed = 0;
  std::size_t kept = 0;
  for (const std::string& name : os::names()) {
    const Swept swept = sweep_name(name);
    removed += swept == Swept::removed ? 1 : 0;
    kept += swept == Swept::in_use ? 1 : 0;
  }
  MappingTable::instance().swept(kept);
  return removed;
}

/// Runs `work`, which holds the segment of that name for a while. Where it fails, it may have kept the last holder from
/// removing the segment, so that is made up for.
template <class Work>
auto holding(const std::string& name, Work work) {
  try {
    return work();
  } catch (...) {
    if (!name.empty()) sweep_name(name);
    throw;
  }
}

inline Error frozen(Context context) {
  return {errc::read_only, context + "the array is frozen: nobody can map it for writing any more",
          "attach<const T, N>"};
}

class Segment {
  struct Private {};

 public:
  Segment(Private, os::Object object, std::string name, ndshm::Scope scope, Description description,
          boost::interprocess::mapped_region region)
      : object_(std::move(object)),
        name_(std::move(name)),
        scope_(scope),
        description_(std::move(description)),
        region_(std::move(region)) {
    object_.mapped(!name_.empty());
  }
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  ~Segment() {
    MappingTable::instance().forget(*this);
    NDSHM_CRASH_POINT("detach: begin");
    region_ = {};
    NDSHM_CRASH_POINT("detach: unmapped");
    { const os::Object closing = std::move(object_); }
    NDSHM_CRASH_POINT("detach: closed");
    if (!name_.empty()) sweep_name(name_);
  }

  /// A new segment of zeros; anonymous where `name` is empty. `initialise(data)` may write the elements before anybody
  /// can see them.
  template <class Initialise>
  static std::shared_ptr<Segment> create(const std::string& name, npy::Header header, const CreateOptions& options,
                                         Context context, Initialise initialise);

  /// The segment of that name, or nothing where there is none that lives.
  static std::shared_ptr<Segment> try_attach(const std::string& name, Access access, const AttachOptions& options,
                                             Context context);

  /// The same; waits for the name as long as the options say. Throws errc::not_found or timed_out.
  static std::shared_ptr<Segment> attach(const std::string& name, Access access, const AttachOptions& options,
                                         Context context);

  /// The object behind a descriptor of this process, or of the process `pid`: one that can be mapped without harm, not
  /// yet one that is a segment. Throws errc::not_a_segment, read_only, permission_denied, not_found.
  static os::Object open(std::optional<std::uint64_t> pid, int descriptor, Access access, Context context);

  /// The anonymous segment behind it.
  static std::shared_ptr<Segment> attach(std::optional<std::uint64_t> pid, int descriptor, Access access,
                                         Context context);

  std::byte* data() const { return static_cast<std::byte*>(region_.get_address()) + description_.layout.header_bytes; }
  std::size_t data_bytes() const { return description_.layout.data_bytes; }
  const npy::Header& header() const { return description_.header; }
  const std::string& name() const { return name_; }
  ndshm::Scope scope() const { return scope_; }
  Uuid uuid() const { return uuid_of(description_.control); }
  Access access() const { return object_.access(); }
  bool is_read_only() const { return access() == Access::read_only; }
  /// Of an anonymous segment.
  int descriptor() const { return object_.descriptor(); }
  /// Whether nobody can map it for writing any more.
  bool is_frozen() const { return name_.empty() && object_.is_frozen(); }
  /// Sees to it. Throws errc::unsupported for a named segment, and where the system cannot do it.
  void freeze(Context context) const;
  std::string path(Context context) const {
    return name_.empty() ? os::path_of_descriptor(object_.descriptor(), context) : os::path_of_name({name_}, context);
  }

 private:
  static Error out_of_memory(std::size_t bytes, bool named, std::error_code error, Context context);
  /// Throws when `bytes` are clearly more than there is: taking them would first starve everybody else.
  static void ask_for_memory(std::size_t bytes, bool named, Context context);
  /// Commits the first `bytes` bytes and the control page, and maps them.
  static void take_memory(const os::UnpublishedObject& unpublished, std::byte* address, const SegmentLayout& layout,
                          std::size_t bytes, bool named, bool huge, Context context);
  static std::shared_ptr<Segment> share(os::Object object, const std::string& name, ndshm::Scope scope,
                                        Context context);
  /// `known`, which has the UUID that `object` claims, unless that one is a copy of its bytes.
  static std::shared_ptr<Segment> require_same(std::shared_ptr<Segment> known, const os::Object& object,
                                               Context context);

  os::Object object_;
  std::string name_;
  ndshm::Scope scope_;
  Description description_;
  boost::interprocess::mapped_region region_;
};

inline MappingTable::Key MappingTable::key_of(const Segment& segment) {
  return {segment.uuid(), segment.access(), segment.name()};
}

inline std::shared_ptr<Segment> MappingTable::add(const std::shared_ptr<Segment>& segment) {
  const std::scoped_lock lock(mutex_);
  auto& entry = segments_[key_of(*segment)];
  if (auto other = entry.lock()) return other;
  entry = segment;
  return segment;
}

inline void MappingTable::forget(const Segment& segment) noexcept {
  const std::scoped_lock lock(mutex_);
  try {
    const auto found = segments_.find(key_of(segment));
    if (found != segments_.end() && found->second.expired()) segments_.erase(found);
  } catch (const std::bad_alloc&) {  // no memory for the key: the entry stays, and leads nowhere
  }
}

/// Calls `attempt` until it returns something that is true; in between sweeps the name, which only the dead may lose.
/// Throws errc::already_exists when a living segment has it.
template <class Attempt>
auto with_free_name(const std::string& name, Context context, Attempt attempt) {
  os::Backoff backoff(std::chrono::seconds(1));
  for (;;) {
    if (auto result = attempt()) return result;
    // Absent: somebody else removed it, or has not finished yet. Kept: look again, its last holder may just be leaving.
    const Swept swept = sweep_name(name);
    if (swept == Swept::in_use) {
      if (auto result = attempt()) return result;
      throw Error(errc::already_exists,
                  context + "the name belongs to a segment that lives or is being made, or to what is not a segment",
                  "attach it, use create_or_attach, or take another name" +
                      (os::has_persistence ? "; ndshm::remove(" + in_quotes(name) + ") ends a persistent one" : ""));
    }
    if (swept == Swept::absent && !backoff.wait()) {
      throw Error(errc::already_exists, context + "the name belongs to a segment that another process is making");
    }
  }
}

template <class Initialise>
std::shared_ptr<Segment> Segment::create(const std::string& name, npy::Header header, const CreateOptions& options,
                                         Context context, Initialise initialise) {
  const bool named = !name.empty();
  if ((options.mode & 0600U) != 0600U || (options.mode & ~0666U) != 0) {
    throw Error(errc::invalid_argument, context + "the mode has to lie between 0600 and 0666");
  }
  if (!named && options.lifetime == Lifetime::persistent) {
    throw Error(errc::invalid_argument, context + "an anonymous array cannot be persistent", "give it a name");
  }
  if (options.lifetime == Lifetime::persistent && !os::has_persistence) {
    throw Error(errc::unsupported, context + "on Windows nothing outlives the last process that holds it",
                "write the array to a file (xt::dump_npy)");
  }
  const std::string bytes = npy::format(header);
  const SegmentLayout layout = layout_to_make(header, bytes.size(), context);
  if (named && MappingTable::instance().is_time_to_sweep()) sweep_all();
  // Header and control page are written at once, so they are reserved in any case: an error here is no SIGBUS there.
  const bool eager = options.reserve == Reserve::eager;
  const std::size_t bytes_to_take = eager ? layout.data_end : layout.header_bytes;
  ask_for_memory(bytes_to_take, named, context);

  auto unpublished = with_free_name(name, context, [&]() -> std::optional<os::UnpublishedObject> {
    if (!named) return os::prepare_anonymous(layout.total_bytes, options.mode, context);
    return os::prepare_named({.name = name, .scope = options.scope}, layout.total_bytes, options, context);
  });
  auto region = os::map(unpublished->descriptor(), Access::read_write, layout.total_bytes, context);
  auto* const start = static_cast<std::byte*>(region.get_address());
  take_memory(*unpublished, start, layout, bytes_to_take, named, eager && options.huge_pages == HugePages::advise,
              context);
  NDSHM_CRASH_POINT("create: reserved");

  std::memcpy(start, bytes.data(), bytes.size());
  NDSHM_CRASH_POINT("create: header written");
  initialise(start + layout.header_bytes);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const ControlPage control =
      make_control(new_uuid(context), os::process_id(),
                   static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()),
                   options.lifetime == Lifetime::persistent);
  std::memcpy(start + layout.control_offset, &control, sizeof control);
  NDSHM_CRASH_POINT("create: control written");

  if (named)
    with_free_name(name, context,
                   [&] { return unpublished->publish({.name = name, .scope = options.scope}, context); });
  NDSHM_CRASH_POINT("create: published");
  return holding(name, [&] {
    return MappingTable::instance().add(
        std::make_shared<Segment>(Private{}, std::move(*unpublished).finish(context), name, options.scope,
                                  Description{std::move(header), layout, control}, std::move(region)));
  });
}

inline Error Segment::out_of_memory(std::size_t bytes, bool named, std::error_code error, Context context) {
  const os::Space space = os::space_of_names();
  const std::string needs = context + "needs " + format_bytes(bytes) + ", ";
  if (named && space.whole != 0 && bytes > space.free) {
    const std::uint64_t gib = ((space.whole - space.free + bytes) >> 30) + 1;
    return {
        errc::out_of_memory, error,
        needs + std::string(os::directory()) + " has " + format_bytes(space.free) + " of " + format_bytes(space.whole) +
            " free",
        "make it larger (docker run --shm-size=" + std::to_string(gib) +
            "g), leave the name away (anonymous arrays do not live there), or use Reserve::lazy for a sparse array"};
  }
  const std::uint64_t available = os::available_memory();
  return {
      errc::out_of_memory, error,
      needs + (available == UINT64_MAX ? "the system has less" : format_bytes(available) + " of memory are available"),
      "use a smaller array, or Reserve::lazy where only parts of it are touched"};
}

inline void Segment::ask_for_memory(std::size_t bytes, bool named, Context context) {
  constexpr std::size_t large = std::size_t{1} << 26;  // less is not worth the question
  if (bytes < large) return;
  const auto too_much = [&] {
    const os::Space space = os::space_of_names();
    return (named && space.whole != 0 && bytes > space.free) || bytes > os::available_memory();
  };
  // What the dead hold may be just what is missing.
  if (too_much() && (sweep_all() == 0 || too_much())) throw out_of_memory(bytes, named, {}, context);
}

inline void Segment::take_memory(const os::UnpublishedObject& unpublished, std::byte* address,
                                 const SegmentLayout& layout, std::size_t bytes, bool named, bool huge,
                                 Context context) {
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  const auto take = [&]() -> std::error_code {
    if (const auto error = os::reserve(unpublished.descriptor(), layout.control_offset, control_bytes)) return error;
    if (huge && bytes >= huge_page && os::huge_pages_are_on(named)) {
      const std::error_code error = os::populate_huge(address, bytes);
      if (error != std::errc::not_supported) return error;
    }
    return os::reserve(unpublished.descriptor(), 0, bytes);
  };
  std::error_code error = take();
  if (error && sweep_all() > 0) error = take();
  if (error == std::errc::no_space_on_device || error == std::errc::not_enough_memory) {
    os::discard(unpublished.descriptor());  // or the message would count it as taken
    throw out_of_memory(bytes + control_bytes, named, error, context);
  }
  if (error) throw os::refused(error, context, "reserving " + format_bytes(bytes));
  // Whoever writes there now would meet a page fault every 4 KiB, which takes several times as long. Where it is
  // refused nothing is lost but time.
  os::populate(address, bytes);
  os::populate(address + layout.control_offset, control_bytes);
}

inline std::shared_ptr<Segment> Segment::share(os::Object object, const std::string& name, ndshm::Scope scope,
                                               Context context) {
  Description description = describe(object, context);
  if (auto known = MappingTable::instance().find(uuid_of(description.control), object.access(), name)) {
    return require_same(std::move(known), object, context);
  }
  NDSHM_CRASH_POINT("attach: described");
  const SegmentLayout& layout = description.layout;
  auto region = object.map(object.access() == Access::read_only ? layout.data_end : layout.total_bytes, context);
  NDSHM_CRASH_POINT("attach: mapped");
  const auto segment =
      std::make_shared<Segment>(Private{}, std::move(object), name, scope, std::move(description), std::move(region));
  return require_same(MappingTable::instance().add(segment), segment->object_, context);
}

inline std::shared_ptr<Segment> Segment::require_same(std::shared_ptr<Segment> known, const os::Object& object,
                                                      Context context) {
  if (known->object_.is_same_as(object)) return known;
  throw Error(errc::damaged, context + "this process has another segment with its UUID, so it is a copy of that one");
}

inline void Segment::freeze(Context context) const {
  if (name_.empty()) return object_.freeze(context);
  throw Error(errc::unsupported, context + "a named array cannot be frozen",
              "leave the name away (copy_of(array)), or let others attach<const T, N>");
}

inline os::Object Segment::open(std::optional<std::uint64_t> pid, int descriptor, Access access, Context context) {
  os::Object object = pid ? os::open_process_descriptor(*pid, descriptor, access, context)
                          : os::open_descriptor(descriptor, access, context);
  if (access == Access::read_write && object.is_frozen()) throw frozen(context);
  return object;
}

inline std::shared_ptr<Segment> Segment::try_attach(const std::string& name, Access access,
                                                    const AttachOptions& options, Context context) {
  check_name(name, os::max_name_bytes, context);
  return holding(name, [&]() -> std::shared_ptr<Segment> {
    const auto kind = [&](const os::Object& object) { return kind_of(describe(object, context)); };
    auto object = os::open_named({.name = name, .scope = options.scope}, access, options, kind, context);
    if (object) return share(std::move(*object), name, options.scope, context);
    sweep_name(name);
    return nullptr;
  });
}

inline std::shared_ptr<Segment> Segment::attach(const std::string& name, Access access, const AttachOptions& options,
                                                Context context) {
  const auto start = std::chrono::steady_clock::now();
  std::optional<os::NameWatch> watch;
  for (;;) {
    if (auto segment = try_attach(name, access, options, context)) return segment;
    if (options.timeout <= std::chrono::nanoseconds(0)) {
      throw Error(errc::not_found, context + "there is no such segment",
                  "is its creator still running? {.timeout = ...} waits for it");
    }
    const std::chrono::nanoseconds left = options.timeout - (std::chrono::steady_clock::now() - start);
    if (left <= std::chrono::nanoseconds(0)) {
      throw Error(errc::timed_out, context + "no such segment appeared within " +
                                       format_seconds(std::chrono::duration<double>(options.timeout).count()));
    }
    if (watch) {
      watch->wait(left);
    } else {
      watch.emplace(os::ObjectName{name});  // and one more look, for what came before it
    }
  }
}

inline std::shared_ptr<Segment> Segment::attach(std::optional<std::uint64_t> pid, int descriptor, Access access,
                                                Context context) {
  return share(open(pid, descriptor, access, context), {}, {}, context);
}

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail
