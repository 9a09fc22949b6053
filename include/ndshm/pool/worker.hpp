// SPDX-License-Identifier: BSL-1.0
// worker.hpp: what a worker of a pool knows of itself. Includes blocks.hpp and platform/, no xtensor.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/pool/blocks.hpp>
#include <string>
#include <system_error>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// What a worker of a pool knows of itself.
struct Worker {
  std::size_t index = 0;        ///< 0 to count - 1; a replacement has the index of the one it replaces
  std::size_t count = 1;        ///< workers of the pool
  bool is_replacement = false;  ///< another process had this index before and died

  /// Returns this worker's share of the indices 0 to size: the shares are disjoint, in order, and together all of it.
  Range share(std::size_t size) const { return share_of(size, index, count); }
};

/// Returns which worker of a pool this process is. Throws: errc::not_found if it was not started by a WorkerPool with a
/// WorkerProgram.
Worker this_worker();

namespace detail {

/// What a pool tells a worker that it spawns, besides four descriptors.
struct Assignment {
  // The places of the descriptors among the inherited ones.
  enum { board, own_event, owner_event, owner_process, descriptors };
  static constexpr const char* variable = "NDSHM_WORKER";

  Worker worker;
  std::uint64_t owner = 0;  // its process

  std::string to_string() const {
    return std::to_string(worker.index) + ":" + std::to_string(worker.count) + ":" +
           std::to_string(worker.is_replacement ? 1 : 0) + ":" + std::to_string(owner);
  }

  /// Returns that of this process. Throws: errc::not_found if it is no worker.
  static Assignment of_this_process(Context context) {
    const char* const text = std::getenv(variable);
    const auto count = os::inherited_descriptors();
    std::array<std::uint64_t, 4> numbers{};
    const char* at = text == nullptr ? "" : text;
    for (std::uint64_t& number : numbers) {
      const auto [end, error] = std::from_chars(at, at + std::strlen(at), number);
      if (error != std::errc{} || !count || *count < descriptors) {
        throw Error(errc::not_found, context + "this process was not started by a WorkerPool",
                    "start it with WorkerPool<Job, Result>(workers, WorkerProgram{path})");
      }
      at = end + (*end == ':' ? 1 : 0);
    }
    return {{numbers[0], numbers[1], numbers[2] != 0}, numbers[3]};
  }
};

}  // namespace detail

inline Worker this_worker() { return detail::Assignment::of_this_process(detail::Context("this_worker")).worker; }

}  // namespace ndshm
