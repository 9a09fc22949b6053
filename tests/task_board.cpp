// SPDX-License-Identifier: BSL-1.0
// task_board.cpp: the state machine that hands out tasks, with threads in place of processes, so that ThreadSanitizer
// can see it. A thread "dies" by leaving at once, with a task claimed or half reported.
#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "board_memory.hpp"
#include "catch.hpp"

#include <ndshm/pool/task_board.hpp>

#if !defined(NDSHM_CRASH_POINTS)
#error "this test needs the crash points"
#endif

using ndshm::errc;
using ndshm::detail::TaskBoard;
using ndshm::detail::TaskState;
using ndshm::detail::TaskTypes;
using ndshm::detail::WorkerState;

namespace {

constexpr TaskTypes types = board_types;
using Memory = BoardMemory;

}  // namespace

TEST_CASE("while the board is paused nobody claims anything, whatever is published") {
  Memory memory(1, 8);
  TaskBoard board = TaskBoard::make(memory.data(), types, 1, 8);
  board.post(0);
  board.publish();
  board.pause();
  CHECK_FALSE(board.claim(0));
  board.post(1);
  board.publish();  // by an owner that does not know of it yet
  CHECK_FALSE(board.claim(0));
  CHECK(board.fall_asleep(0));
  const auto seen = board.pauses();
  board.pause();
  board.resume(seen);
  CHECK_FALSE(board.claim(0));  // by the second pause
  board.resume(board.pauses());
  CHECK_FALSE(board.fall_asleep(0));
  CHECK(board.claim(0)->cell == 0);
  CHECK(board.claim(0)->cell == 1);
}

TEST_CASE("a claim is known until it is finished, whoever claims next") {
  Memory memory(3, 8);
  TaskBoard board = TaskBoard::make(memory.data(), types, 3, 8);
  CHECK_FALSE(board.claim(0));
  for (const std::size_t cell : {5U, 2U, 7U}) board.post(cell);
  CHECK_FALSE(board.claim(0));  // not published
  board.publish();
  CHECK(board.has_unclaimed());
  const auto first = board.claim(0);
  const auto second = board.claim(1);
  REQUIRE((first && second));
  CHECK(first->cell == 5);
  CHECK(second->cell == 2);
  CHECK(board.running(0) == first->number);
  CHECK(board.running(1) == second->number);
  CHECK_FALSE(board.running(2));
  CHECK_FALSE(board.finish(0, *first, TaskState::done));
  CHECK_FALSE(board.running(0));
  CHECK(board.task_state(5) == TaskState::done);
  CHECK(board.worker_of(5) == 0);
  CHECK(board.on_exit(1) == second->number);
  CHECK_FALSE(board.on_exit(1));
  CHECK_FALSE(board.running(1));
  const auto third = board.claim(1);  // the replacement
  REQUIRE(third);
  board.finish(1, *third, TaskState::threw, "why");
  CHECK(board.task_state(7) == TaskState::threw);
  CHECK(board.error(7) == "why");
  CHECK_FALSE(board.has_unclaimed());
  CHECK(board.finished() == 2);
}

TEST_CASE("a helper that comes late does not undo what it did not see") {
  Memory memory(3, 8);
  TaskBoard board = TaskBoard::make(memory.data(), types, 3, 8);
  for (std::size_t cell = 0; cell < 4; ++cell) board.post(cell);
  board.publish();
  static TaskBoard* shown = nullptr;
  static std::optional<std::uint64_t> seen;
  shown = &board;
  const auto first = board.claim(0);
  REQUIRE(first);
  // While worker 1 is about to record the first claim, worker 0 goes on to the second, and worker 2 to the third.
  ndshm::detail::crash_point_hook = [](const char* where) {
    const std::string_view at = where;
    if (at == "claim: before") seen = shown->running(0);
    if (at != "claim: read") return;
    ndshm::detail::crash_point_hook = nullptr;
    shown->finish(0, {1, 0}, TaskState::done);
    shown->claim(0);
    shown->claim(2);
    ndshm::detail::crash_point_hook = [](const char* then) {
      if (std::string_view(then) != "claim: before") return;
      seen = shown->running(0);
      ndshm::detail::crash_point_hook = nullptr;
    };
  };
  REQUIRE(board.claim(1));
  CHECK(seen == 2);
  CHECK(board.running(0) == 2);
}

TEST_CASE("what nobody has claimed can be taken back, what somebody has cannot") {
  Memory memory(2, 4);
  TaskBoard board = TaskBoard::make(memory.data(), types, 2, 4);
  for (const std::size_t cell : {0U, 1U, 2U}) board.post(cell);
  board.publish();
  const auto claim = board.claim(1);
  REQUIRE(claim);
  CHECK(board.withdraw() == std::pair<std::uint64_t, std::uint64_t>(1, 3));
  CHECK_FALSE(board.claim(0));
  CHECK(board.running(1) == claim->number);
  board.post(3);
  board.publish();
  const auto next = board.claim(0);
  REQUIRE(next);
  CHECK(next->cell == 3);
}

TEST_CASE("an error text is cut where its room ends") {
  Memory memory(1, 2);
  TaskBoard board = TaskBoard::make(memory.data(), types, 1, 2);
  board.post(1);
  board.publish();
  board.finish(0, *board.claim(0), TaskState::threw, std::string(5000, 'x'));
  CHECK(board.error(1) == std::string(TaskBoard::error_bytes - 1, 'x'));
}

TEST_CASE("the owner is woken once, when as many are finished as it asked for") {
  Memory memory(1, 4);
  TaskBoard board = TaskBoard::make(memory.data(), types, 1, 4);
  for (std::size_t cell = 0; cell < 4; ++cell) board.post(cell);
  board.publish();
  REQUIRE(board.wake_at(2));
  CHECK_FALSE(board.finish(0, *board.claim(0), TaskState::done));
  CHECK(board.finish(0, *board.claim(0), TaskState::done));
  CHECK_FALSE(board.finish(0, *board.claim(0), TaskState::done));
  CHECK_FALSE(board.wake_at(3));  // it is too late to sleep
  CHECK_FALSE(board.finish(0, *board.claim(0), TaskState::done));
}

TEST_CASE("a worker does not fall asleep over a task, nor when the board closes") {
  Memory memory(1, 2);
  TaskBoard board = TaskBoard::make(memory.data(), types, 1, 2);
  CHECK(board.fall_asleep(0));
  CHECK(board.mark_notified(0));
  CHECK_FALSE(board.mark_notified(0));
  CHECK(board.state(0) == WorkerState::notified);
  board.post(0);
  board.publish();
  CHECK_FALSE(board.fall_asleep(0));
  CHECK(board.claim(0));
  CHECK(board.fall_asleep(0));
  board.close();
  CHECK_FALSE(board.fall_asleep(0));
}

TEST_CASE("a board of other types or of another size is refused") {
  Memory memory(2, 4);
  TaskBoard::make(memory.data(), types, 2, 4);
  CHECK_NOTHROW(TaskBoard::open(memory.data(), memory.size(), types));
  CHECK_ERROR(TaskBoard::open(memory.data(), memory.size(), {8, 4, 1}), errc::type_mismatch, "this worker 8 and 4");
  CHECK_ERROR(TaskBoard::open(memory.data(), memory.size(), {8, 8, 2}), errc::type_mismatch, "other types");
  CHECK_ERROR(TaskBoard::open(memory.data(), memory.size() - 64, types), errc::damaged, "larger than its memory");
  CHECK_ERROR(TaskBoard::open(memory.data(), 8, types), errc::damaged, "not a task board");
  Memory zeros(1, 1);
  CHECK_ERROR(TaskBoard::open(zeros.data(), zeros.size(), types), errc::damaged, "not a task board");
}

TEST_CASE("threads that die with tasks in their hands lose no task and do none twice") {
  constexpr std::size_t workers = 4;
  constexpr std::size_t cells = 16;
  constexpr std::uint64_t tasks = 20'000;
  Memory memory(workers, cells);
  TaskBoard board = TaskBoard::make(memory.data(), types, workers, cells);
  std::vector<std::atomic<int>> begun(tasks);
  std::vector<std::atomic<bool>> is_dead(workers);

  const auto work = [&](std::size_t worker, unsigned seed) {
    std::mt19937 random(seed);
    while (!board.is_closing()) {
      const auto claim = board.claim(worker);
      if (!claim) {
        std::this_thread::yield();
        continue;
      }
      const std::uint64_t task = number_in(board.job(claim->cell));
      ++begun.at(task);
      if (random() % 200 == 0) break;  // dies with the task
      const std::uint64_t result = task * 3;
      std::memcpy(board.result(claim->cell), &result, sizeof result);
      board.finish(worker, *claim, TaskState::done);
      if (random() % 500 == 0) break;  // dies between two tasks
    }
    is_dead[worker] = true;
  };

  unsigned seed = 1;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < workers; ++i) threads.emplace_back(work, i, seed++);
  std::vector<std::uint64_t> number(cells);  // of what is posted in a cell; 0 for a free one
  std::uint64_t next = 0;
  std::uint64_t done = 0;
  std::set<std::uint64_t> lost;
  std::size_t deaths = 0;
  while (done + lost.size() < tasks) {
    for (std::size_t cell = 0; cell < cells; ++cell) {
      if (number[cell] != 0 && board.task_state(cell) == TaskState::done) {
        if (number_in(board.result(cell)) != number_in(board.job(cell)) * 3) FAIL("a wrong result");
        ++done;
        number[cell] = 0;
      }
      if (number[cell] == 0 && next < tasks) {
        std::memcpy(board.job(cell), &next, sizeof next);
        number[cell] = board.post(cell);
        ++next;
      }
    }
    board.publish();
    for (std::size_t i = 0; i < workers; ++i) {
      if (!is_dead[i]) continue;
      threads[i].join();
      ++deaths;
      if (const auto task = board.on_exit(i)) {
        for (std::size_t cell = 0; cell < cells; ++cell) {
          if (number[cell] != *task) continue;
          REQUIRE(lost.insert(number_in(board.job(cell))).second);
          number[cell] = 0;
        }
      }
      is_dead[i] = false;
      threads[i] = std::thread(work, i, seed++);
    }
  }
  board.close();
  for (std::thread& thread : threads) thread.join();
  CHECK(done + lost.size() == tasks);
  CHECK(deaths > 50);
  CHECK_FALSE(lost.empty());
  for (const auto& count : begun) {
    if (count != 1) FAIL("a task was begun " << count << " times");
  }
}
