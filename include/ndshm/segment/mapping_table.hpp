// SPDX-License-Identifier: BSL-1.0
// mapping_table.hpp: the segments that this process has mapped, in all of its shared objects, so that attaching one
// again shares the mapping. Includes format/ and platform/.
#pragma once

#include <atomic>
#include <boost/version.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <ndshm/format/control_page.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/segment/mapping.hpp>
#include <new>
#include <string>
#include <tuple>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

class MappingTable {
 public:
  /// A copy of a segment's bytes under another name is another segment: the directory and the name count, too.
  using Key = std::tuple<Uuid, Access, std::string, std::string>;

  static MappingTable& instance() {
    static MappingTable& table = []() -> MappingTable& {
      auto& one = os::one_in_process<MappingTable>("mapping_table." BOOST_LIB_VERSION);
      if (!one.at_fork_.exchange(true)) {
        os::at_fork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); });
      }
      return one;
    }();
    return table;
  }

  /// Returns the segment, or nullptr if it is not mapped with this access.
  std::shared_ptr<Segment> find(const Key& key) {
    const std::scoped_lock lock(mutex_);
    const auto found = segments_.find(key);
    return found == segments_.end() ? nullptr : found->second.lock();
  }

  /// Adds a segment. Returns it, or the one that another thread added meanwhile.
  std::shared_ptr<Segment> add(Key key, const std::shared_ptr<Segment>& segment) {
    const std::scoped_lock lock(mutex_);
    auto& entry = segments_[std::move(key)];
    if (auto other = entry.lock()) return other;
    entry = segment;
    return segment;
  }

  /// Removes the entry of a segment that nobody uses any more.
  void forget(const Key& key) noexcept {
    const std::scoped_lock lock(mutex_);
    const auto found = segments_.find(key);
    if (found != segments_.end() && found->second.expired()) segments_.erase(found);
  }

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
  std::mutex mutex_;
  std::map<Key, std::weak_ptr<Segment>> segments_;
  std::size_t creates_until_sweep_ = 0;
  std::atomic<bool> at_fork_ = false;  // whether a fork takes the lock
};

}  // namespace ndshm::detail
