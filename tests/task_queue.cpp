// SPDX-License-Identifier: BSL-1.0
// task_queue.cpp: which tasks are outstanding, and that each is told to its sink exactly once. There is no process: the
// test itself does what workers do to the board.
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "board_memory.hpp"
#include "catch.hpp"

#include <ndshm/pool/task_queue.hpp>

using ndshm::FailureReason;
using ndshm::TaskFailure;
using ndshm::detail::TaskBoard;
using ndshm::detail::TaskQueue;
using ndshm::detail::TaskSink;
using ndshm::detail::TaskState;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t worker_count = 3;
constexpr std::size_t cell_count = 4;

/// Writes down what it is told.
class Log final : public TaskSink {
 public:
  void done(std::size_t index, std::size_t worker, const std::byte* result) override {
    --posted;
    lines.push_back("done " + std::to_string(index) + " by " + std::to_string(worker) + ": " +
                    std::to_string(number_in(result)));
  }
  void failed(TaskFailure failure) override {
    --posted;
    lines.push_back(failure.to_string());
    reasons.push_back(failure.reason);
  }
  void withdrawn(std::size_t index) override {
    --posted;
    lines.push_back("withdrawn " + std::to_string(index));
  }

  std::vector<std::string> lines;
  std::vector<FailureReason> reasons;
};
using Lines = std::vector<std::string>;

/// A board and its queue; the functions of a worker on it.
struct Fixture {
  BoardMemory memory{worker_count, cell_count};
  TaskBoard board = TaskBoard::make(memory.data(), board_types, worker_count, cell_count);
  TaskQueue queue{board, board_types.job_bytes};
  std::shared_ptr<Log> log = std::make_shared<Log>();

  Fixture() {
    for (std::size_t i = 0; i < worker_count; ++i) queue.on_start(i, 4711 + i);
  }
  bool post(std::size_t index) { return post(log, index); }
  bool post(const std::shared_ptr<Log>& sink, std::size_t index) {
    const std::uint64_t job = index * 100;
    return queue.post(sink, index, &job);
  }
  TaskBoard::Claim claim(std::size_t worker) {
    const auto claim = board.claim(worker);
    REQUIRE(claim);
    return *claim;
  }
  void finish(std::size_t worker, const TaskBoard::Claim& claim) {
    const std::uint64_t result = number_in(board.job(claim.cell)) + 1;
    std::memcpy(board.result(claim.cell), &result, sizeof result);
    board.finish(worker, claim, TaskState::done);
  }
  TaskFailure killed(std::size_t worker) { return {99, worker, 99, FailureReason::killed, 9, {}, "signal 9"}; }
};

}  // namespace

TEST_CASE("publish tells how many workers to wake: one for each task that they have not been shown") {
  Fixture f;
  CHECK(f.queue.publish() == 0);
  f.post(0);
  f.post(1);
  CHECK_FALSE(f.board.claim(0));  // not shown yet
  CHECK(f.queue.publish() == 2);
  CHECK(f.queue.publish() == 0);
  CHECK(f.queue.outstanding() == 2);
  f.post(2);
  CHECK(f.queue.publish() == 1);
  CHECK(f.log->posted == 3);
}

TEST_CASE("what is done is told once, with its result, and frees its cell") {
  Fixture f;
  for (std::size_t i = 0; i < cell_count; ++i) f.post(i);
  CHECK_FALSE(f.queue.has_room());
  CHECK(f.queue.publish() == 4);
  CHECK_FALSE(f.queue.collect());
  const auto first = f.claim(0);
  const auto second = f.claim(2);
  f.finish(2, second);
  CHECK(f.queue.collect());
  CHECK_FALSE(f.queue.collect());
  CHECK(f.log->lines == Lines{"done 1 by 2: 101"});
  CHECK(f.queue.has_room());
  f.board.finish(0, first, TaskState::threw, "std::logic_error: no");
  CHECK(f.queue.collect());
  CHECK(f.log->lines.back() == "task 0: std::logic_error: no (worker 0, process 4711)");
  CHECK(f.log->reasons == std::vector{FailureReason::threw});
  CHECK(f.queue.outstanding() == 2);
  CHECK(f.log->posted == 2);
  // The cells are used again, many times over.
  for (std::size_t i = 10; i < 30; ++i) {
    f.post(i);
    CHECK(f.queue.publish() == 1);
    f.finish(1, f.claim(1));
    CHECK(f.queue.collect());
  }
  CHECK(f.queue.outstanding() == 2);
  CHECK(f.log->lines.back() == "done 27 by 1: 2701");
}

TEST_CASE("the task of a worker that died is enqueued again as often as it may be, and then fails") {
  Fixture f;
  f.log->attempts = 3;
  f.post(5);
  CHECK(f.queue.publish() == 1);
  for (int attempt = 1; attempt < 3; ++attempt) {
    f.claim(1);
    const auto lost = f.board.on_exit(1);
    REQUIRE(lost);
    CHECK(f.queue.requeue(*lost));
    CHECK_FALSE(f.queue.requeue(*lost));  // it has another number now
    CHECK_FALSE(f.board.claim(0));
    CHECK(f.queue.publish() == 1);
  }
  f.claim(2);
  const auto lost = f.board.on_exit(2);
  REQUIRE(lost);
  CHECK_FALSE(f.queue.requeue(*lost));
  CHECK(f.log->lines.empty());
  f.queue.fail(*lost, f.killed(2));
  f.queue.fail(*lost, f.killed(2));
  CHECK(f.log->lines == Lines{"task 5: signal 9 (worker 2, process 4713)"});
  CHECK(f.queue.outstanding() == 0);
}

TEST_CASE("a task that may be done once is not enqueued again") {
  Fixture f;
  f.post(5);
  CHECK(f.queue.publish() == 1);
  f.claim(0);
  CHECK_FALSE(f.queue.requeue(*f.board.on_exit(0)));
}

TEST_CASE("withdrawing takes what nobody has begun, published or not, and leaves the rest") {
  Fixture f;
  f.post(0);
  f.post(1);
  CHECK(f.queue.publish() == 2);
  const auto begun = f.claim(0);
  f.post(2);
  f.queue.withdraw();
  CHECK(f.log->lines.size() == 2);
  CHECK(f.queue.outstanding() == 1);
  CHECK(f.queue.publish() == 0);
  CHECK_FALSE(f.board.claim(1));
  f.finish(0, begun);
  CHECK(f.queue.collect());
  CHECK(f.log->lines.back() == "done 0 by 0: 1");
  CHECK(f.log->posted == 0);
}

TEST_CASE("an abandoned sink is told nothing of what is running, and tasks of others stay enqueued") {
  Fixture f;
  const auto other = std::make_shared<Log>();
  f.post(0);
  f.post(1);
  f.post(other, 7);
  CHECK(f.queue.publish() == 3);
  const auto begun = f.claim(0);
  CHECK(f.queue.abandon(*f.log) == 1);  // the other's task is published anew
  CHECK(f.log->lines == Lines{"withdrawn 1"});
  f.finish(0, begun);
  CHECK(f.queue.collect());
  CHECK(f.log->lines.size() == 1);
  f.finish(1, f.claim(1));
  CHECK(f.queue.collect());
  CHECK(other->lines == Lines{"done 7 by 1: 701"});
  // A task whose sink is gone is not done again when its worker dies.
  other->attempts = 5;
  f.post(other, 8);
  CHECK(f.queue.publish() == 1);
  f.claim(2);
  CHECK(f.queue.abandon(*other) == 0);
  const auto lost = f.board.on_exit(2);
  REQUIRE(lost);
  CHECK_FALSE(f.queue.requeue(*lost));
  f.queue.fail(*lost, f.killed(2));
  CHECK(other->lines.size() == 1);
  CHECK(f.queue.outstanding() == 0);
  CHECK(f.queue.abandon(Log()) == 0);
}

TEST_CASE("when no worker is left, what is done is done and all else fails") {
  Fixture f;
  for (std::size_t i = 0; i < 3; ++i) f.post(i);
  CHECK(f.queue.publish() == 3);
  f.finish(0, f.claim(0));
  f.claim(1);
  f.post(3);
  f.queue.fail_all("no worker is left");
  REQUIRE(f.log->lines.size() == 4);
  CHECK(f.log->lines[0] == "done 0 by 0: 1");
  CHECK(f.log->reasons == std::vector(3, FailureReason::no_worker));
  CHECK(f.log->lines[1].find("no worker is left") != std::string::npos);
  CHECK(f.queue.outstanding() == 0);
  CHECK(f.queue.publish() == 0);
  CHECK_FALSE(f.board.claim(2));
}

TEST_CASE("a pause withdraws what nobody has begun, once, and the board goes on") {
  Fixture f;
  f.post(0);
  CHECK(f.queue.publish() == 1);
  CHECK_FALSE(f.queue.obey_pauses());
  f.board.pause();
  f.board.pause();
  CHECK(f.queue.obey_pauses());
  CHECK_FALSE(f.queue.obey_pauses());
  CHECK(f.queue.pauses_seen() == 2);
  CHECK(f.log->lines == Lines{"withdrawn 0"});
  f.post(1);
  CHECK(f.queue.publish() == 1);
  CHECK(f.board.claim(0));
}

TEST_CASE("time limits: the shortest one of all tasks, that of each, and start times while there are any") {
  Fixture f;
  const auto slow = std::make_shared<Log>();
  const auto fast = std::make_shared<Log>();
  slow->timeout = 10s;
  fast->timeout = 2s;
  CHECK_FALSE(f.post(0));
  CHECK_FALSE(f.queue.shortest_timeout());
  CHECK_FALSE(f.board.wants_start_times());
  CHECK(f.post(slow, 1));        // the first with a limit
  CHECK_FALSE(f.post(fast, 2));  // the second one
  CHECK_FALSE(f.post(slow, 3));
  CHECK(f.queue.shortest_timeout() == std::chrono::nanoseconds(2s));
  CHECK(f.board.wants_start_times());
  CHECK(f.queue.publish() == 4);
  const auto unlimited = f.claim(0);
  const auto limited = f.claim(0);
  CHECK(f.queue.timeout_of(unlimited.number) == TaskQueue::no_limit);
  CHECK(f.queue.timeout_of(limited.number) == std::chrono::nanoseconds(10s));
  CHECK_FALSE(f.queue.timeout_of(99));
  f.finish(0, unlimited);
  f.finish(0, limited);
  f.finish(0, f.claim(0));
  CHECK(f.queue.collect());
  CHECK(f.queue.shortest_timeout() == std::chrono::nanoseconds(10s));
  CHECK(f.board.wants_start_times());
  f.finish(0, f.claim(0));
  CHECK(f.queue.collect());
  CHECK_FALSE(f.queue.timeout_of(limited.number));
  CHECK_FALSE(f.queue.shortest_timeout());
  CHECK_FALSE(f.board.wants_start_times());
  CHECK(f.post(fast, 4));  // again the first
}
