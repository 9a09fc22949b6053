// SPDX-License-Identifier: BSL-1.0
// task_board.hpp: how tasks are handed out to workers that may be killed between any two instructions. The state lies
// in shared memory and is changed by atomic operations alone: there is no lock that a dead worker could keep, and no
// moment at which nobody could tell what a dead worker was doing. Includes task_types.hpp and core/; no operating
// system, so that threads can stand in for processes in its tests.
//
// The owner writes jobs into cells and posts them: each gets the next sequence number. Workers claim the numbers in
// turn, with one compare-and-swap of the word `next`, which holds the next number and the worker that claimed the one
// before. Whoever claims next first records that claim in the slot of that worker, so it is known for as long as it is
// needed: a worker's claim is the larger of what its slot says and what `next` says of it. It runs a task while it has
// claimed more than it has finished.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <ndshm/core/crash_point.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/pool/task_types.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

using Shared32 = std::atomic<std::uint32_t>;
using Shared64 = std::atomic<std::uint64_t>;
static_assert(Shared32::is_always_lock_free && Shared64::is_always_lock_free,
              "ndshm: atomics with a hidden lock cannot be shared between processes");

enum class WorkerState : std::uint32_t {
  absent,    // there is no such process, or it has not come to its loop yet
  awake,     // looks for tasks, or runs one
  sleeping,  // waits for its wake-up event
  notified   // it has been woken, and has not said yet that it is awake
};

enum class TaskState : std::uint32_t { posted, done, threw };

class TaskBoard {
 public:
  static constexpr std::size_t max_workers = 0xffff;
  static constexpr std::size_t error_bytes = 1024;
  static constexpr std::uint64_t never = UINT64_MAX;

  /// One worker, as the others see it. A claim is counted from 1, so that 0 is none.
  struct alignas(64) Slot {
    Shared64 claimed;
    Shared64 finished;
    Shared64 started;     // the claim whose start is recorded
    Shared64 started_ns;  // and when that was, by the steady clock
    Shared32 state;
  };

  struct Claim {
    std::uint64_t number;  // from 1
    std::size_t cell;
  };

  /// Returns the bytes of a board on which `cells` tasks can be outstanding at one time.
  static std::size_t bytes_for(const TaskTypes& types, std::size_t workers, std::size_t cells) {
    return layout_of(types, workers, cells).end;
  }

  /// Makes a board of zeroed memory, aligned to 64 bytes.
  static TaskBoard make(std::byte* memory, const TaskTypes& types, std::size_t workers, std::size_t cells) {
    auto* const header = new (memory) Header{};
    header->magic = board_magic;
    header->types = types;
    header->workers = workers;
    header->cells = cells;
    header->next = 0;
    header->wake_at = never;
    const Layout layout = layout_of(types, workers, cells);
    std::uninitialized_value_construct_n(reinterpret_cast<Slot*>(memory + layout.slots_begin), workers);
    std::uninitialized_value_construct_n(reinterpret_cast<Shared32*>(memory + layout.order), cells);
    for (std::size_t cell = 0; cell < cells; ++cell) new (memory + layout.cells + cell * layout.stride) Cell{};
    return TaskBoard(memory);
  }

  /// Returns the board that another process made. Throws: errc::damaged if this is none, errc::type_mismatch if it is
  /// one for other types.
  static TaskBoard open(std::byte* memory, std::size_t bytes, const TaskTypes& types) {
    const auto* const header = reinterpret_cast<const Header*>(memory);
    if (bytes < sizeof(Header) || header->magic != board_magic) {
      throw Error(errc::damaged, "work: the memory that the pool passed on is not a task board",
                  "build both programs with the same version of ndshm");
    }
    if (header->types != types) {
      throw Error(
          errc::type_mismatch,
          "work: the pool has jobs of " + std::to_string(header->types.job_bytes) + " and results of " +
              std::to_string(header->types.result_bytes) + " bytes, this worker " + std::to_string(types.job_bytes) +
              " and " + std::to_string(types.result_bytes) + ", or they are other types",
          "give both programs the same Job and Result, which are what the function for work() takes and returns, and "
          "the same version and options of ndshm");
    }
    if (header->workers > max_workers || header->cells > bytes ||
        layout_of(types, header->workers, header->cells).end > bytes) {
      throw Error(errc::damaged, "work: the pool's task board is larger than its memory");
    }
    return TaskBoard(memory);
  }

  std::size_t workers() const noexcept { return header_->workers; }
  std::size_t cells() const noexcept { return header_->cells; }

  // ---- both sides

  std::byte* job(std::size_t cell) const noexcept { return cell_start(cell) + layout_.job; }
  std::byte* result(std::size_t cell) const noexcept { return cell_start(cell) + layout_.result; }
  bool is_closing() const noexcept { return header_->closing.load() != 0; }
  void close() noexcept { header_->closing = 1; }

  // ---- a worker's side; workers are counted from 0

  /// Returns the next task, which is this worker's from now on, or nullopt if none is posted or the board is paused.
  std::optional<Claim> claim(std::size_t worker) noexcept {
    std::uint64_t next = header_->next.load(std::memory_order_acquire);
    for (;;) {
      const std::uint64_t sequence = next >> worker_bits;
      if (sequence >= header_->limit.load() || is_paused()) return std::nullopt;
      // Read before it is claimed: afterwards the owner may use the place again.
      const std::size_t cell = order_[sequence % layout_.cell_count].load(std::memory_order_relaxed);
      NDSHM_CRASH_POINT("claim: read");
      record_claim(next);
      NDSHM_CRASH_POINT("claim: before");
      const std::uint64_t claimed = ((sequence + 1) << worker_bits) | (worker + 1);
      if (header_->next.compare_exchange_weak(next, claimed, std::memory_order_acq_rel, std::memory_order_acquire)) {
        NDSHM_CRASH_POINT("claim: made");
        raise(slots_[worker].claimed, sequence + 1);
        NDSHM_CRASH_POINT("claim: recorded");
        return Claim{sequence + 1, cell};
      }
    }
  }

  /// Records when the task was started, for its time limit.
  void record_start(std::size_t worker, const Claim& claim, std::uint64_t now_ns) noexcept {
    slots_[worker].started_ns.store(now_ns, std::memory_order_relaxed);
    slots_[worker].started.store(claim.number, std::memory_order_release);
  }
  bool wants_start_times() const noexcept { return header_->timed.load(std::memory_order_relaxed) != 0; }

  /// Reports the end of the task; `error` is empty unless it threw. Returns whether the owner sleeps and wants to be
  /// woken.
  bool finish(std::size_t worker, const Claim& claim, TaskState state, std::string_view error = {}) noexcept {
    if (state == TaskState::threw) {
      const std::size_t bytes = (std::min)(error.size(), error_bytes - 1);
      std::memcpy(error_text(claim.cell), error.data(), bytes);
      error_text(claim.cell)[bytes] = '\0';
    }
    cell(claim.cell).worker = static_cast<std::uint32_t>(worker);
    cell(claim.cell).state.store(static_cast<std::uint32_t>(state), std::memory_order_release);
    NDSHM_CRASH_POINT("finish: reported");
    slots_[worker].finished.store(claim.number, std::memory_order_release);
    NDSHM_CRASH_POINT("finish: finished");
    const std::uint64_t count = header_->finished.fetch_add(1) + 1;
    return count >= header_->wake_at.load() && header_->wake_at.exchange(never) != never;
  }

  /// Says that the worker is about to wait for its wake-up event. Returns false if there is something to do after all.
  bool fall_asleep(std::size_t worker) noexcept {
    set_state(worker, WorkerState::sleeping);
    if ((!has_unclaimed() || is_paused()) && !is_closing()) return true;
    set_state(worker, WorkerState::awake);
    return false;
  }
  void set_state(std::size_t worker, WorkerState state) noexcept {
    slots_[worker].state = static_cast<std::uint32_t>(state);
  }

  // ---- the owner's side

  WorkerState state(std::size_t worker) const noexcept { return static_cast<WorkerState>(slots_[worker].state.load()); }
  void want_start_times(bool wanted) noexcept { header_->timed = wanted ? 1 : 0; }

  /// Enqueues the job in `cell`; no worker sees it before publish(). Returns its number.
  std::uint64_t post(std::size_t cell) noexcept {
    this->cell(cell).state.store(static_cast<std::uint32_t>(TaskState::posted), std::memory_order_relaxed);
    order_[posted_ % layout_.cell_count].store(static_cast<std::uint32_t>(cell), std::memory_order_relaxed);
    return ++posted_;
  }
  void publish() noexcept { header_->limit = posted_; }

  /// Returns whether there are published tasks that nobody has claimed.
  bool has_unclaimed() const noexcept { return (header_->next.load() >> worker_bits) < header_->limit.load(); }

  /// Changes a sleeping worker's state to notified; the caller then notifies its event. Returns false if it does not
  /// sleep.
  bool mark_notified(std::size_t worker) noexcept {
    auto expected = static_cast<std::uint32_t>(WorkerState::sleeping);
    return slots_[worker].state.compare_exchange_strong(expected, static_cast<std::uint32_t>(WorkerState::notified));
  }

  TaskState task_state(std::size_t cell) const noexcept {
    return static_cast<TaskState>(this->cell(cell).state.load(std::memory_order_acquire));
  }
  /// Returns who finished it. Bounded, because a worker that is about to crash may have written anything anywhere.
  std::size_t worker_of(std::size_t cell) const noexcept {
    return std::min<std::size_t>(this->cell(cell).worker, workers() - 1);
  }
  std::string error(std::size_t cell) const {
    const char* const text = error_text(cell);
    return {text, ::strnlen(text, error_bytes)};
  }

  /// Returns the number of the task that the worker has claimed and not finished, or nullopt if there is none.
  std::optional<std::uint64_t> running(std::size_t worker) const noexcept {
    // In this order: a claim leaves `next` only after it was recorded in the slot.
    const std::uint64_t next = header_->next.load(std::memory_order_acquire);
    std::uint64_t claimed = slots_[worker].claimed.load(std::memory_order_acquire);
    if ((next & worker_mask) == worker + 1) claimed = (std::max)(claimed, next >> worker_bits);
    if (claimed <= slots_[worker].finished.load(std::memory_order_acquire)) return std::nullopt;
    return claimed;
  }

  /// Returns the number of the last task that the worker finished, or was running when it ended.
  std::uint64_t finished_by(std::size_t worker) const noexcept { return slots_[worker].finished.load(); }

  /// Returns when that task was started, or nullopt if the worker has not recorded it.
  std::optional<std::uint64_t> start_of(std::size_t worker, std::uint64_t number) const noexcept {
    if (slots_[worker].started.load(std::memory_order_acquire) != number) return std::nullopt;
    return slots_[worker].started_ns.load(std::memory_order_relaxed);
  }

  /// To be called when the worker's process has ended: makes its slot ready for the next process. Returns the number of
  /// the task that it had claimed and not finished, or nullopt if there is none.
  std::optional<std::uint64_t> on_exit(std::size_t worker) noexcept {
    const auto lost = running(worker);
    if (lost) {
      raise(slots_[worker].claimed, *lost);
      slots_[worker].finished = *lost;
    }
    set_state(worker, WorkerState::absent);
    return lost;
  }

  /// Lets nobody claim anything until resume(), whatever is published meanwhile. Safe in a signal handler.
  void pause() noexcept { ++header_->pauses; }
  /// Returns how often pause() was ever called.
  std::uint64_t pauses() const noexcept { return header_->pauses.load(); }
  /// Ends the first `pauses` pauses, and not those that came later.
  void resume(std::uint64_t pauses) noexcept { header_->resumed = pauses; }

  /// Withdraws what nobody has claimed. Returns which numbers those are: from the first, exclusive, to the second,
  /// inclusive.
  std::pair<std::uint64_t, std::uint64_t> withdraw() noexcept {
    std::uint64_t next = header_->next.load(std::memory_order_acquire);
    std::uint64_t sequence = next >> worker_bits;
    for (; sequence < posted_; sequence = next >> worker_bits) {
      record_claim(next);
      if (header_->next.compare_exchange_weak(next, posted_ << worker_bits, std::memory_order_acq_rel,
                                              std::memory_order_acquire)) {
        break;
      }
    }
    publish();
    return {sequence, posted_};
  }

  /// Returns how many tasks were ever finished, but for those whose worker died at that very moment.
  std::uint64_t finished() const noexcept { return header_->finished.load(); }

  /// Asks to be woken when finished() reaches `count`. Returns false if it has already.
  bool wake_at(std::uint64_t count) noexcept {
    header_->wake_at = count;
    if (finished() < count) return true;
    header_->wake_at = never;
    return false;
  }
  void do_not_wake() noexcept { header_->wake_at = never; }

 private:
  static constexpr unsigned worker_bits = 16;
  static constexpr std::uint64_t worker_mask = 0xffff;
  static constexpr std::array<char, 8> board_magic{'N', 'D', 'S', 'H', 'M', 'p', 'o', '1'};

  /// Each contended word has a cache line of its own.
  struct Header {  // NOLINT(clang-analyzer-optin.performance.Padding)
    std::array<char, 8> magic;
    TaskTypes types;
    std::uint64_t workers;
    std::uint64_t cells;
    alignas(64) Shared64 next;   // number of the next task to be claimed (from 0), and 1 + who claimed the one before
    alignas(64) Shared64 limit;  // numbers below it are posted
    Shared64 pauses;             // nobody claims anything while these two differ
    Shared64 resumed;
    Shared32 closing;
    Shared32 timed;
    alignas(64) Shared64 finished;  // a hint, for waking the owner; the truth is in slots and cells
    Shared64 wake_at;
  };

  struct Cell {
    Shared32 state;
    std::uint32_t worker;
  };

  struct Layout {
    std::size_t slots_begin;
    std::size_t order;
    std::size_t errors;
    std::size_t cells;
    std::size_t cell_count;
    std::size_t job;     // from the start of a cell
    std::size_t result;  // likewise
    std::size_t stride;
    std::size_t end;
  };

  static constexpr std::size_t round_up(std::size_t value) { return (value + 63) / 64 * 64; }

  static Layout layout_of(const TaskTypes& types, std::size_t workers, std::size_t cells) {
    Layout layout{};
    layout.slots_begin = round_up(sizeof(Header));
    layout.order = layout.slots_begin + workers * sizeof(Slot);
    layout.errors = round_up(layout.order + cells * sizeof(Shared32));
    layout.cells = layout.errors + cells * error_bytes;
    layout.cell_count = cells;
    // Small jobs share a cache line with the state, others are aligned to the most that a type may ask for.
    const bool fits_one_line = types.job_bytes + types.result_bytes <= 48;
    layout.job = fits_one_line ? 16 : 64;
    layout.result = layout.job + (fits_one_line ? (types.job_bytes + 15) / 16 * 16 : round_up(types.job_bytes));
    layout.stride = round_up(layout.result + types.result_bytes);
    layout.end = layout.cells + cells * layout.stride;
    return layout;
  }

  explicit TaskBoard(std::byte* memory)
      : memory_(memory),
        header_(reinterpret_cast<Header*>(memory)),
        layout_(layout_of(header_->types, header_->workers, header_->cells)),
        slots_(reinterpret_cast<Slot*>(memory + layout_.slots_begin)),
        order_(reinterpret_cast<Shared32*>(memory + layout_.order)) {}

  std::byte* cell_start(std::size_t cell) const noexcept { return memory_ + layout_.cells + cell * layout_.stride; }
  Cell& cell(std::size_t cell) const noexcept { return *reinterpret_cast<Cell*>(cell_start(cell)); }
  char* error_text(std::size_t cell) const noexcept {
    return reinterpret_cast<char*>(memory_ + layout_.errors + cell * error_bytes);
  }

  bool is_paused() const noexcept { return header_->pauses.load() != header_->resumed.load(); }

  /// Sets a word to `value` unless it is larger already. A helper that comes late thus changes nothing.
  static void raise(Shared64& word, std::uint64_t value) noexcept {
    std::uint64_t now = word.load(std::memory_order_relaxed);
    while (now < value && !word.compare_exchange_weak(now, value, std::memory_order_release)) {
    }
  }

  /// Records the claim that `next` shows in the slot of who made it, before `next` shows another one.
  void record_claim(std::uint64_t next) noexcept {
    const std::uint64_t claimer = next & worker_mask;
    if (claimer != 0) raise(slots_[claimer - 1].claimed, next >> worker_bits);
  }

  std::byte* memory_;
  Header* header_;
  Layout layout_;
  Slot* slots_;
  Shared32* order_;
  std::uint64_t posted_ = 0;
};

}  // namespace ndshm::detail
