// SPDX-License-Identifier: BSL-1.0
// pool_torture.cpp: pools whose workers are killed, in the middle of tasks, while idle, at start-up, while they are
// being replaced, and between any two steps of claiming and reporting a task; and owners that are killed with their
// pools. Checks the promises of worker_pool.hpp; ends with 0 only when none was broken.
//
//   pool_torture steps                kills or stops a worker at each step of claiming and reporting, one after the
//   other pool_torture workers KILLS SEED   until KILLS workers were killed and replaced pool_torture owners KILLS SEED
//   until KILLS owners were killed
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ndshm/ndshm.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

#if !defined(NDSHM_CRASH_POINTS)
#error "this test needs the crash points"
#endif

namespace {

using namespace std::chrono_literals;
using Random = std::mt19937_64;

constexpr std::size_t max_tasks = 400;

enum class Kill { at_claim, at_finish, in_task, at_start, from_outside, kinds };
constexpr std::array<const char*, 5> kill_names{"between claiming and being seen to have claimed",
                                                "between finishing and being seen to have finished",
                                                "in the middle of a task", "at start-up", "from outside, at any time"};

/// What all processes of the test count together.
struct Board {
  std::atomic<bool> step_taken;
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Kill::kinds)> kills;
  std::array<std::atomic<std::uint32_t>, max_tasks> begun;
  std::array<std::atomic<std::uint32_t>, max_tasks> ended;
  std::atomic<std::uint32_t> self_kill_rate;  // one in so many; 0: never
};
Board* board = nullptr;

[[noreturn]] void fail(const std::string& what) {
  std::printf("BROKEN: %s\n", what.c_str());
  std::fflush(stdout);
  std::exit(1);
}

void die(Kill kind) {
  ++board->kills[static_cast<std::size_t>(kind)];
  ::raise(SIGKILL);
}

/// Kills this worker at one in so many crash points.
Random* worker_random = nullptr;
void maybe_die(const char* where) {
  const std::uint32_t rate = board->self_kill_rate;
  if (worker_random == nullptr || rate == 0 || (*worker_random)() % rate != 0) return;
  const std::string_view at = where;
  if (at.starts_with("claim: ")) die(Kill::at_claim);
  if (at.starts_with("finish: ")) die(Kill::at_finish);
}

/// What a worker does at the start: everything in it may be the last.
void start_worker(const ndshm::Worker& worker, const std::string& name) {
  static Random random;
  random.seed(static_cast<std::uint64_t>(::getpid()) * 1000 + worker.index);
  worker_random = &random;
  ndshm::detail::crash_point_hook = maybe_die;
  const std::uint32_t rate = board->self_kill_rate;
  if (rate != 0 && random() % 12 == 0) die(Kill::at_start);
  // A name that workers hold too, and that nobody may lose or leave.
  static ndshm::SharedArray<int, 1> held;
  held = ndshm::attach<int, 1>(name);
}

void task(std::uint32_t index) {
  ++board->begun[index];
  const std::uint32_t rate = board->self_kill_rate;
  if (rate != 0 && (*worker_random)() % (2 * rate) == 0) die(Kill::in_task);
  if (rate != 0 && (*worker_random)() % 64 == 0) throw std::runtime_error("one of those days");
  for (std::uint64_t left = (*worker_random)() % 1000; left > 0; --left) (*worker_random)();  // some work
  ++board->ended[index];
}

using Pool = ndshm::WorkerPool<std::uint32_t>;

/// Jobs that kill a worker now and then while they are handed out.
class Jobs {
 public:
  Jobs(std::uint32_t count, Pool& pool, Random& random, bool kill)
      : count_(count), pool_(pool), random_(random), kill_(kill) {}
  std::size_t size() const { return count_; }

  struct Iterator {
    const Jobs* jobs;
    std::uint32_t index;
    std::uint32_t operator*() const {
      jobs->maybe_kill();
      return index;
    }
    Iterator& operator++() {
      ++index;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index != other.index; }
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, count_}; }

  void maybe_kill() const {
    if (!kill_ || random_() % 100 != 0) return;
    const auto pids = pool_.pids();
    const std::uint64_t pid = pids[random_() % pids.size()];
    if (pid == 0) return;
    // Not reaped yet, so the number means this worker and no other process.
    if (::kill(static_cast<pid_t>(pid), random_() % 16 == 0 ? SIGSTOP : SIGKILL) == 0) {
      ++board->kills[static_cast<std::size_t>(Kill::from_outside)];
    }
  }

 private:
  std::uint32_t count_;
  Pool& pool_;
  Random& random_;
  bool kill_;
};

void check(const ndshm::RunReport& report, std::uint32_t count, bool idempotent) {
  if (report.cancelled != 0) fail("tasks were cancelled");
  if (report.done + report.failures.size() != count) {
    fail(std::to_string(report.done) + " done and " + std::to_string(report.failures.size()) + " failed of " +
         std::to_string(count));
  }
  std::vector<bool> failed(count);
  for (const auto& failure : report.failures) {
    if (failure.index >= count || failed[failure.index]) fail("reported twice: " + failure.to_string());
    failed[failure.index] = true;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t begun = board->begun[i];
    const std::uint32_t ended = board->ended[i];
    const std::string which = "task " + std::to_string(i) + ", begun " + std::to_string(begun) + " times, ended " +
                              std::to_string(ended) + " times";
    if (!failed[i] && ended == 0) fail("said to be done: " + which);
    if (!idempotent && begun > 1) fail("begun again: " + which);
  }
}

bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD; }

void require_nothing_left(const std::string& name) {
  ndshm::sweep();
  for (const auto& segment : ndshm::list()) {
    if (segment.name == name) fail("a segment was left after a sweep");
  }
}

/// One worker is stopped or killed at one step of its first task; what has to become of the task is known.
int torture_steps() {
  struct Step {
    const char* where;
    bool is_lost;  // the task had been claimed, and its end not been seen
  };
  static const char* step = nullptr;
  static int signal = 0;
  int count = 0;
  for (const Step at : {Step{"claim: before", false}, Step{"claim: made", true}, Step{"claim: recorded", true},
                        Step{"finish: reported", false}, Step{"finish: finished", false}}) {
    for (const int what : {SIGKILL, SIGSTOP}) {
      for (const std::size_t workers : {1U, 3U}) {
        step = at.where;
        signal = what;
        board->step_taken = false;
        Pool pool(workers, [](std::uint32_t) {}, {.initialise = [](const ndshm::Worker&) {
                    ndshm::detail::crash_point_hook = [](const char* where) {
                      if (std::string_view(where) == step && !board->step_taken.exchange(true)) ::raise(signal);
                    };
                  }});
        const auto report = pool.try_run(std::vector<std::uint32_t>{0, 1, 2}, {.task_timeout = 50ms});
        const std::string what_happened = std::string(at.where) + ", signal " + std::to_string(what) + ": ";
        if (!board->step_taken) fail(what_happened + "the step was not taken");
        if (report.failures.size() != (at.is_lost ? 1U : 0U) || report.done + report.failures.size() != 3) {
          fail(what_happened + std::to_string(report.done) + " done, " + std::to_string(report.failures.size()) +
               " failed");
        }
        ++count;
      }
    }
  }
  std::printf("%d workers killed or stopped, each at another step\n", count);
  return 0;
}

int torture_workers(std::uint64_t wanted, std::uint64_t seed) {
  Random random(seed);
  std::uint64_t rounds = 0;
  std::uint64_t tasks = 0;
  std::uint64_t failures = 0;
  std::uint64_t replaced = 0;
  for (; replaced < wanted; ++rounds) {
    const std::string name = "pool-torture-" + std::to_string(::getpid()) + "-" + std::to_string(rounds);
    {
      const auto held = ndshm::create<int>(name, {1});
      board->self_kill_rate = static_cast<std::uint32_t>(20 + random() % 300);
      Pool pool(1 + random() % 4, [](std::uint32_t index) { task(index); },
                {.initialise = [&](const ndshm::Worker& worker) { start_worker(worker, name); },
                 .max_replacements = SIZE_MAX});
      for (int run = 0; run < 6; ++run) {
        for (auto& count : board->begun) count = 0;
        for (auto& count : board->ended) count = 0;
        const auto count = static_cast<std::uint32_t>(random() % max_tasks);
        const bool idempotent = random() % 3 == 0;
        const auto report = pool.try_run(Jobs(count, pool, random, true),
                                         {.idempotent = idempotent, .max_attempts = 1000, .task_timeout = 100ms});
        check(report, count, idempotent);
        tasks += count;
        failures += report.failures.size();
        replaced += report.replaced;
        if (random() % 4 == 0) Jobs(1, pool, random, true).maybe_kill();  // while they are idle
      }
    }
    if (has_children()) fail("a process was left");
    require_nothing_left(name);
  }
  std::printf("%llu rounds, %llu workers killed and replaced; %llu tasks, %llu of them reported as failed; killed\n",
              static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(replaced),
              static_cast<unsigned long long>(tasks), static_cast<unsigned long long>(failures));
  for (std::size_t i = 0; i < kill_names.size(); ++i) {
    std::printf("  %8llu %s\n", static_cast<unsigned long long>(board->kills[i]), kill_names[i]);
  }
  return 0;
}

/// An owner that keeps its pool busy until it is killed.
[[noreturn]] void own(const std::string& name, std::uint64_t seed) {
  Random random(seed);
  const auto held = ndshm::create<int>(name, {1});
  for (;;) {
    Pool pool(
        1 + random() % 4, [](std::uint32_t index) { task(index); },
        {.initialise = [&](const ndshm::Worker& worker) { start_worker(worker, name); }, .max_replacements = SIZE_MAX});
    for (int run = 0; run < 3; ++run) pool.try_run(Jobs(100, pool, random, false), {.task_timeout = 100ms});
  }
}

int torture_owners(std::uint64_t wanted, std::uint64_t seed) {
#if defined(__linux__)
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // so that the orphans can be waited for
#endif
  Random random(seed);
  board->self_kill_rate = 300;
  for (std::uint64_t round = 0; round < wanted; ++round) {
    const std::string name = "pool-torture-" + std::to_string(::getpid()) + "-" + std::to_string(round);
    int ends[2] = {};
    if (::pipe(ends) != 0) fail("pipe");
    const pid_t owner = ::fork();
    if (owner == 0) own(name, random());
    ::close(ends[1]);
    // A random time of the owner's life; what happens in it is up to the two.
    const timespec life{0, static_cast<long>(random() % 20'000'000)};
    ::nanosleep(&life, nullptr);
    ::kill(owner, SIGKILL);
    pollfd entry{ends[0], POLLIN, 0};
    if (::poll(&entry, 1, 60'000) != 1) fail("workers outlive their owner");
    ::close(ends[0]);
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    require_nothing_left(name);
  }
  std::printf("%llu owners killed: all their workers ended, nothing left after one sweep\n",
              static_cast<unsigned long long>(wanted));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (!(mode == "steps" && argc == 2) && !((mode == "workers" || mode == "owners") && argc == 4)) {
    std::fprintf(stderr, "usage: pool_torture steps\n       pool_torture workers|owners KILLS SEED\n");
    return 2;
  }
  auto memory = ndshm::create<std::byte>({sizeof(Board)});
  board = new (memory.data()) Board{};
  if (mode == "steps") return torture_steps();
  const std::uint64_t wanted = std::strtoull(argv[2], nullptr, 10);
  const std::uint64_t seed = std::strtoull(argv[3], nullptr, 10);
  return mode == "workers" ? torture_workers(wanted, seed) : torture_owners(wanted, seed);
}
