// SPDX-License-Identifier: BSL-1.0
// worker.hpp: the worker's side of a pool: what a worker knows of itself, the loop in which it takes tasks from the
// board until the pool closes, and work(), by which a program of its own becomes a worker. Includes task_board.hpp,
// blocks.hpp, spawn.hpp and platform/, no xtensor.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/pool/blocks.hpp>
#include <ndshm/pool/task_board.hpp>
#include <ndshm/process/spawn.hpp>
#include <ndshm/segment/segment.hpp>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// What a worker of a pool knows of itself.
struct Worker {
  std::size_t index = 0;        ///< 0 to count - 1; a replacement has the index of the one it replaces
  std::size_t count = 1;        ///< workers of the pool
  bool is_replacement = false;  ///< another process had this index before and died

  /// This worker's share of the indices 0 to size: the shares are disjoint, in order, and together all of it.
  Range share(std::size_t size) const { return share_of(size, index, count); }
};

/// Which worker of a pool this program is: for one that was started by a WorkerPool with a WorkerProgram.
/// Throws errc::not_found in any other.
Worker this_worker();

namespace detail {

/// A pool's jobs and results lie in shared memory as they are.
template <class T>
concept Shareable = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>;

template <class Job, class Result>
TaskTypes task_types() {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  };
  add(typeid(Job).name());
  add(" ");
  add(typeid(Result).name());
  if constexpr (std::is_void_v<Result>) {
    return {sizeof(Job), 0, hash};
  } else {
    return {sizeof(Job), sizeof(Result), hash};
  }
}

/// Calls function(job) or function(job, worker).
template <class Function, class Job>
decltype(auto) call_task(Function& function, const Job& job, const Worker& worker) {
  if constexpr (std::is_invocable_v<Function&, const Job&, const Worker&>) {
    return std::invoke(function, job, worker);
  } else {
    return std::invoke(function, job);
  }
}

template <class Function, class Job>
using TaskResult =
    std::decay_t<decltype(call_task(std::declval<Function&>(), std::declval<const Job&>(), std::declval<Worker>()))>;

/// A copy of the object whose bytes these are.
template <class T>
T read_as(const std::byte* at) {
  alignas(T) std::byte bytes[sizeof(T)];
  std::memcpy(bytes, at, sizeof(T));
  return *std::launder(reinterpret_cast<const T*>(bytes));
}

template <class Job, class Result, class Function>
void run_task(TaskBoard& board, const TaskBoard::Claim& claim, Function& function, const Worker& worker) {
  const Job job = read_as<Job>(board.job(claim.cell));
  if constexpr (std::is_void_v<Result>) {
    call_task(function, job, worker);
  } else {
    const Result result = call_task(function, job, worker);
    std::memcpy(board.result(claim.cell), &result, sizeof(Result));
  }
}

/// Does tasks until the board closes. `own` is this worker's event, `owner` that of the pool.
template <class Job, class Result, class Function>
void serve(TaskBoard& board, const Worker& worker, const os::WakeEvent& own, const os::WakeEvent& owner,
           Function& function) {
  board.set_state(worker.index, WorkerState::awake);
  owner.notify();  // it may be waited for
  while (!board.is_closing()) {
    const auto claim = board.claim(worker.index);
    if (!claim) {
      if (board.fall_asleep(worker.index)) os::wait(own);
      board.set_state(worker.index, WorkerState::awake);
      continue;
    }
    if (board.wants_start_times()) board.started(worker.index, *claim, os::steady_ns());
    bool notify = false;
    try {
      run_task<Job, Result>(board, *claim, function, worker);
      notify = board.finish(worker.index, *claim, TaskState::done);
    } catch (...) {
      notify = board.finish(worker.index, *claim, TaskState::threw, text_of_current_exception());
    }
    if (notify) owner.notify();
  }
}

template <class Function>
struct FirstParameter : FirstParameter<decltype(&Function::operator())> {};
template <class R, class J, class... Rest>
struct FirstParameter<R (*)(J, Rest...)> : std::type_identity<std::decay_t<J>> {};
template <class R, class C, class J, class... Rest>
struct FirstParameter<R (C::*)(J, Rest...)> : std::type_identity<std::decay_t<J>> {};
template <class R, class C, class J, class... Rest>
struct FirstParameter<R (C::*)(J, Rest...) const> : std::type_identity<std::decay_t<J>> {};
template <class R, class J, class... Rest>
struct FirstParameter<R (*)(J, Rest...) noexcept> : std::type_identity<std::decay_t<J>> {};
template <class R, class C, class J, class... Rest>
struct FirstParameter<R (C::*)(J, Rest...) noexcept> : std::type_identity<std::decay_t<J>> {};
template <class R, class C, class J, class... Rest>
struct FirstParameter<R (C::*)(J, Rest...) const noexcept> : std::type_identity<std::decay_t<J>> {};

/// The type of the jobs that a function takes.
template <class Function>
using JobOf = typename FirstParameter<Function>::type;

/// What a pool tells a worker that it spawns, besides four descriptors.
struct Employment {
  // The places of the descriptors among the inherited ones.
  enum { board, own_event, owner_event, owner_process, descriptors };
  static constexpr const char* variable = "NDSHM_WORKER";

  Worker worker;
  std::uint64_t owner = 0;  // its process

  std::string to_string() const {
    return std::to_string(worker.index) + ":" + std::to_string(worker.count) + ":" +
           std::to_string(worker.is_replacement ? 1 : 0) + ":" + std::to_string(owner);
  }

  /// Of this process. Throws errc::not_found when it is no worker.
  static Employment of_this_process(Context context) {
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

inline Worker this_worker() { return detail::Employment::of_this_process(detail::Context("this_worker")).worker; }

/// For main() of a program that a WorkerPool starts: `return ndshm::work([&](Range rows) { … });`. Calls the function
/// for each job that this worker is given, until the pool closes, and ends with the pool's process, whatever happens to
/// that. The function is like that of a WorkerPool, and takes and returns what the pool's Job and Result are. Attach
/// the arrays before: inherited(0) and its like. Call it once, at the end of main(): the pool gives a worker one second
/// to end after its last task. Returns the exit code; what goes wrong reaches the pool as text, or is
/// printed when there is none.
template <class Function>
int work(Function function) {
  using Job = detail::JobOf<Function>;
  using Result = detail::TaskResult<Function, Job>;
  return run_main([&] {
    namespace os = detail::os;
    using detail::Employment;
    const detail::Context context("work");
    const Employment employment = Employment::of_this_process(context);
    os::exit_with_parent(os::inherited_descriptor(Employment::owner_process), employment.owner, context);
    os::leave_interrupts_to_parent();
    const auto segment = detail::Segment::attach(std::nullopt, os::inherited_descriptor(Employment::board),
                                                 detail::Access::read_write, context);
    auto board = detail::TaskBoard::open(segment->data(), segment->data_bytes(), detail::task_types<Job, Result>());
    const os::WakeEvent own(os::inherited_descriptor(Employment::own_event), -1);
    const os::WakeEvent owner(-1, os::inherited_descriptor(Employment::owner_event));
    detail::serve<Job, Result>(board, employment.worker, own, owner, function);
  });
}

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE
