// SPDX-License-Identifier: BSL-1.0
// options.hpp: what a pool, a worker program and a run can be asked for. Includes progress_state.hpp, worker.hpp and
// spawn.hpp, no xtensor.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <ndshm/format/handle.hpp>
#include <ndshm/pool/progress_state.hpp>
#include <ndshm/pool/worker.hpp>
#include <ndshm/process/spawn.hpp>
#include <string>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// How a WorkerPool starts and replaces its workers.
struct PoolOptions {
  /// Called once in each worker before its first task, in replacements too: to attach arrays, to seed a generator. What
  /// it and the pool's function capture by reference are, in each worker, variables of its own.
  std::function<void(const Worker&)> initialise = {};

  /// Called once for each worker after `initialise`, but not in replacements; the pool's constructor waits until all
  /// are through. For filling an array by the workers that will use it: `worker.share(rows)` are this worker's own
  /// indices. The pages of an array of Reserve::lazy lie near the processor that touches them first; those of another
  /// one near the processor that created it.
  std::function<void(const Worker&)> first_touch = {};

  /// How many workers that died are replaced in the pool's lifetime. One that dies three times in a row before it was
  /// ready is not replaced any more.
  std::size_t max_replacements = 1000;

  /// How long a worker may take until it is ready: until `initialise` and `first_touch` are through, or a WorkerProgram
  /// has called work(). One that takes longer is killed, and counts as one that died before it was ready.
  std::chrono::nanoseconds start_timeout = std::chrono::minutes(1);

  /// Forks workers even though other threads run. See ForkOptions.
  bool allow_threads = false;
};

/// A program whose processes are the workers of a pool: its main() attaches what it needs and calls work().
struct WorkerProgram {
  std::filesystem::path path;            ///< as for spawn(); this_program() is this one again
  std::vector<std::string> arguments{};  ///< as for spawn()
  std::vector<Handle> handles{};  ///< inherited(0), inherited(1), … there; keep their arrays as long as the pool
  SpawnOptions options{};         ///< as for spawn()
};

/// How run(), map() and submit() do their tasks.
struct RunOptions {
  /// Whether a task may be done twice without harm: if its worker dies, the task is then given out again.
  bool idempotent = false;
  unsigned max_attempts = 3;  ///< how often an idempotent task is given out in all

  /// How long a task may run; its worker is then ended and replaced, also when it was stopped. 0: without a limit.
  std::chrono::nanoseconds task_timeout{0};

  /// See Progress, and progress_bar().
  ProgressCallback progress = {};

  /// How many failures are kept in RunReport::failures, the first ones; all of them are counted.
  std::size_t max_failures = 1000;
};

}  // namespace ndshm
