// SPDX-License-Identifier: BSL-1.0
// torture.cpp: processes that create, attach, fork while attached, detach and sweep, and are killed at random and at
// every place between two system calls. Checks the promises of segment.hpp; ends with 0 only when none was broken.
//
//   torture steps              kills one process at each crash point of each scenario, one after the other
//   torture random KILLS SEED  lets six processes fight over a few names until KILLS of them were killed
//   torture clean ROUNDS SEED  the same fight without kills: no name may be left, not even before a sweep
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <ndshm/ndshm.hpp>
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

namespace os = ndshm::detail::os;
using Array = ndshm::SharedArray<std::uint32_t, 1>;

constexpr int worker_count = 6;
constexpr int name_count = 5;
constexpr std::size_t elements = 3000;  // a few pages
constexpr std::uint32_t pattern = 0x5a5a5a5a;

// ---- what all processes of the test count together, in a mapping of its own ----------------------------------------

enum Violation {
  removed_live,
  bound_to_other,
  half_built,
  unexpected_error,
  leaked,
  left_by_clean_exit,
  stale_attached,
  violation_kinds
};
constexpr std::array<const char*, violation_kinds> violation_names{
    "live segments removed", "names bound to another segment",          "half-built segments seen", "unexpected errors",
    "leaked after a sweep",  "names left by clean exits without kills", "dead segments attached"};

struct Point {
  std::array<char, 32> name;
  std::atomic<std::uint64_t> passed;
  std::atomic<std::uint64_t> killed;
};

struct Board {
  std::atomic<std::uint64_t> creates, attaches, detaches, forks, sweeps, checks, self_kills;
  std::array<std::atomic<std::uint64_t>, violation_kinds> violations;
  std::array<char, 512> first_error;
  std::atomic<bool> stop;
  std::atomic<int> point_count;
  std::array<Point, 64> points;
};
Board* board = nullptr;

void violation(Violation kind, std::string_view what = {}) {
  if (board->violations[kind]++ == 0 && !what.empty() && board->first_error[0] == 0) {
    std::snprintf(board->first_error.data(), board->first_error.size(), "%.*s", static_cast<int>(what.size()),
                  what.data());
  }
}

std::uint64_t violations() {
  std::uint64_t sum = 0;
  for (const auto& count : board->violations) sum += count;
  return sum;
}

Point& point_named(const char* name) {
  for (int known = 0;;) {
    const int count = board->point_count.load();
    for (; known < count; ++known) {
      Point& point = board->points[static_cast<std::size_t>(known)];
      if (std::strncmp(point.name.data(), name, point.name.size() - 1) == 0) return point;
    }
    // A process may die between taking the slot and naming it; then the slot stays empty, which is no harm.
    const auto slot = static_cast<std::size_t>(board->point_count.fetch_add(1));
    if (slot >= board->points.size()) std::abort();
    std::strncpy(board->points[slot].name.data(), name, board->points[slot].name.size() - 1);
  }
}

// ---- dying ---------------------------------------------------------------------------------------------------------

std::uint64_t random_state = 1;
std::uint64_t random_number() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

[[noreturn]] void die(Point& point) {
  ++point.killed;
  ++board->self_kills;
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

bool dying = false;      // random mode: this process dies at one crash point in 97
int steps_to_live = -1;  // steps mode: this process dies at its n-th crash point

void at_crash_point(const char* where) {
  if (!dying && steps_to_live < 0) return;
  Point& point = point_named(where);
  ++point.passed;
  if (dying && random_number() % 97 == 0) die(point);
  if (steps_to_live >= 0 && steps_to_live-- == 0) die(point);
}

// ---- what has to hold ----------------------------------------------------------------------------------------------

std::string prefix;  // of all names of this run

std::string name_of(std::uint64_t number) { return prefix + std::to_string(number); }

std::size_t count_names() {
  std::size_t count = 0;
  for (const std::string& name : os::names()) count += name.starts_with(prefix) ? 1 : 0;
  return count;
}

/// While an array is attached its name exists and means this very segment, complete.
void check(const Array& array) {
  ++board->checks;
  for (const std::uint32_t element : array) {
    if (element != pattern) return violation(half_built, "an element is not what the creator wrote");
  }
  const auto object = os::peek_named({array.name()});
  if (!object) return violation(removed_live);
  if (uuid_of(ndshm::detail::describe(*object, ndshm::detail::Context("check")).control) != array.uuid())
    violation(bound_to_other);
}

Array create(const std::string& name) {
  xt::xtensor<std::uint32_t, 1> values({elements}, pattern);
  Array array = ndshm::copy_of(name, values);
  ++board->creates;
  return array;
}

Array attach(const std::string& name) {
  Array array = ndshm::attach<std::uint32_t, 1>(name);
  ++board->attaches;
  return array;
}

/// Errors that other processes may cause; all others are violations.
bool expected(const ndshm::Error& error) {
  return error.condition() == ndshm::errc::not_found || error.condition() == ndshm::errc::already_exists;
}

/// Runs `scenario` in a child that dies at its crash point number `step`; false when it ended before.
bool dies_at(int step, const std::function<void()>& scenario) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    steps_to_live = step;
    try {
      scenario();
    } catch (const ndshm::Error& error) {
      if (!expected(error)) violation(unexpected_error, error.what());
    }
    ::_exit(0);
  }
  ::setpgid(child, child);
  int status = 0;
  ::waitpid(child, &status, 0);
  // Its own children are adopted by this process: they hold what they inherited until they are gone, too.
  while (::waitpid(-child, nullptr, 0) > 0) {
  }
  if (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0) violation(unexpected_error, "a child ended in another way");
  return WIFSIGNALED(status);
}

/// A process that holds an array until it is told to check it once more and leave.
class Holder {
 public:
  explicit Holder(const std::string& name) {
    if (::pipe(ready_.data()) != 0 || ::pipe(leave_.data()) != 0) std::abort();
    child_ = ::fork();
    if (child_ == 0) {
      ::close(leave_[1]);
      const Array array = create(name);
      tell(ready_[1]);
      listen(leave_[0]);
      check(array);
      ::_exit(0);  // no destructor: the kernel lets go of the lock, nobody removes the name
    }
    listen(ready_[0]);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() {
    tell(leave_[1]);
    ::waitpid(child_, nullptr, 0);
    for (const int end : {ready_[0], ready_[1], leave_[0], leave_[1]}) ::close(end);
  }

 private:
  static void tell(int end) {
    if (::write(end, "x", 1) != 1) std::abort();
  }
  static void listen(int end) {
    char byte = 0;
    if (::read(end, &byte, 1) < 0) std::abort();
  }

  std::array<int, 2> ready_{};
  std::array<int, 2> leave_{};
  pid_t child_ = 0;
};

void leave_a_dead_one(const std::string& name) { const Holder holder(name); }

std::size_t steps() {
  const std::string live = name_of(0);
  const std::string fresh = name_of(1);
  const std::string dead = name_of(2);
  const std::string kept = name_of(3);
  struct Scenario {
    const char* name;
    std::function<void()> run;
  };
  const std::vector<Scenario> scenarios{
      {"create and detach", [&] { create(fresh); }},
      {"create over a dead one", [&] { create(dead); }},
      {"create over a live one", [&] { create(live); }},
      {"attach a live one", [&] { attach(live); }},
      {"attach it read-only", [&] { ndshm::attach<const std::uint32_t, 1>(live); }},
      {"attach a persistent one", [&] { attach(kept); }},
      {"attach a dead one", [&] { attach(dead); }},
      {"sweep", [&] { ndshm::sweep(); }},
      {"remove a persistent one", [&] { ndshm::remove(kept); }},
      {"create, fork, parent leaves first",
       [&] {
         Array array = create(fresh);
         const pid_t child = ::fork();
         if (child == 0) {
           check(array);
           array = Array();
           ::_exit(0);
         }
         array = Array();
         ::waitpid(child, nullptr, 0);
       }},
  };
  std::size_t kills = 0;
  for (const Scenario& scenario : scenarios) {
    std::size_t here = 0;
    for (int step = 0;; ++step) {
      bool died = false;
      {
        const Holder holder(live);
        ndshm::create<std::uint32_t>(kept, {1}, {.lifetime = ndshm::Lifetime::persistent});
        leave_a_dead_one(dead);
        died = dies_at(step, scenario.run);
        for (const std::string& name : {fresh, dead}) {
          try {
            attach(name);
            violation(stale_attached, name);
          } catch (const ndshm::Error& error) {
            if (error.condition() != ndshm::errc::not_found) violation(unexpected_error, error.what());
          }
          create(name);  // the name is free for its next owner
        }
        check(attach(live));
        leave_a_dead_one(dead);
        ndshm::remove(kept);
        ndshm::sweep();
        if (count_names() != 1) violation(leaked);
      }
      ndshm::sweep();
      if (count_names() != 0) violation(leaked);
      if (!died) break;
      ++here;
    }
    kills += here;
    std::printf("  %-36s %3zu crash points\n", scenario.name, here);
  }
  return kills;
}

// ---- the fight -----------------------------------------------------------------------------------------------------

void hold(const Array& array) {
  check(array);
  if (random_number() % 4 != 0) return;
  ::usleep(static_cast<useconds_t>(random_number() % 300));  // lets the others run; nothing depends on how long
  check(array);
}

void one_turn() {
  const std::string name = name_of(random_number() % name_count);
  const std::uint64_t choice = random_number() % 10;
  if (choice == 9) {
    ndshm::sweep();
    ++board->sweeps;
    return;
  }
  Array array = choice < 4 ? create(name) : attach(name);
  hold(array);
  if (random_number() % 8 == 0) {
    ++board->forks;
    const pid_t child = ::fork();
    if (child == 0) {
      random_state ^= 0xabcdef12345U;
      ::usleep(static_cast<useconds_t>(random_number() % 1500));
      check(array);
      array = Array();
      ++board->detaches;
      ::_exit(0);
    }
    if (child > 0 && random_number() % 2 == 0) {
      ::waitpid(child, nullptr, 0);
      check(array);  // the child has left, it is still ours
    }
  }
  array = Array();
  ++board->detaches;
}

[[noreturn]] void worker(std::uint64_t seed, bool kills) {
  ::setpgid(0, 0);
  random_state = seed * 0x9e3779b97f4a7c15U | 1;
  dying = kills;
  while (!board->stop) {
    try {
      one_turn();
    } catch (const ndshm::Error& error) {
      if (error.condition() == ndshm::errc::not_a_segment || error.condition() == ndshm::errc::damaged) {
        violation(half_built, error.what());
      } else if (!expected(error)) {
        violation(unexpected_error, error.what());
      }
    }
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
  ::_exit(0);
}

struct Fight {
  std::uint64_t rounds = 0;
  std::uint64_t kills = 0;
  std::uint64_t stale_names = 0;
};

Fight fight(std::uint64_t wanted_kills, std::uint64_t rounds, std::uint64_t seed, bool kills) {
  Fight result;
  std::uint64_t spawned = 0;
  std::array<pid_t, worker_count> workers{};
  const auto start = [&](pid_t& slot) {
    const std::uint64_t worker_seed = seed * 1'000'003 + ++spawned;
    slot = ::fork();
    if (slot == 0) worker(worker_seed, kills);
    ::setpgid(slot, slot);
  };
  random_state = seed | 1;
  while (violations() == 0 && (kills ? result.kills + board->self_kills < wanted_kills : result.rounds < rounds)) {
    board->stop = false;
    for (pid_t& slot : workers) start(slot);
    const int turns = 60 + static_cast<int>(random_number() % 100);
    for (int turn = 0; turn < turns; ++turn) {
      ::usleep(static_cast<useconds_t>(random_number() % 600));
      if (!kills) continue;
      const pid_t victim = workers[random_number() % worker_count];
      ::kill(random_number() % 2 == 0 ? victim : -victim, SIGKILL);  // itself, or with the children it forked
      ++result.kills;
      int status = 0;
      for (pid_t ended = ::waitpid(-1, &status, WNOHANG); ended > 0; ended = ::waitpid(-1, &status, WNOHANG)) {
        for (pid_t& slot : workers) {
          if (slot == ended) start(slot);
        }
      }
    }
    board->stop = true;
    if (kills) {
      for (const pid_t slot : workers) ::kill(-slot, SIGKILL);
    }
    // Everybody is gone, grandchildren too: they are adopted by this process, or their parents waited for them.
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
    const std::size_t stale = count_names();
    result.stale_names += stale;
    if (!kills && stale != 0) violation(left_by_clean_exit);
    ndshm::sweep();
    if (count_names() != 0) violation(leaked);
    ++result.rounds;
  }
  return result;
}

int report() {
  std::printf("  creates %llu, attaches %llu, detaches %llu, forks while attached %llu, sweeps %llu, checks %llu\n",
              static_cast<unsigned long long>(board->creates), static_cast<unsigned long long>(board->attaches),
              static_cast<unsigned long long>(board->detaches), static_cast<unsigned long long>(board->forks),
              static_cast<unsigned long long>(board->sweeps), static_cast<unsigned long long>(board->checks));
  std::printf("  killed at crash points:");
  for (int i = 0; i < board->point_count; ++i) {
    const Point& point = board->points[static_cast<std::size_t>(i)];
    std::printf(" [%s] %llu", point.name.data(), static_cast<unsigned long long>(point.killed));
  }
  std::printf("\n");
  for (std::size_t kind = 0; kind < violation_kinds; ++kind) {
    std::printf("  %s: %llu\n", violation_names[kind], static_cast<unsigned long long>(board->violations[kind]));
  }
  if (board->first_error[0] != 0) std::printf("  first: %s\n", board->first_error.data());
  std::printf(violations() == 0 ? "all promises held\n" : "A PROMISE WAS BROKEN\n");
  return violations() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const auto number = [&](int i) { return argc > i ? std::strtoull(argv[i], nullptr, 10) : 1; };
  void* const memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 2;
  board = new (memory) Board{};
  prefix = "x" + std::to_string(::getpid()) + ".";
  ndshm::detail::crash_point_hook = at_crash_point;
#if defined(__linux__)
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
#endif
  if (mode == "steps") {
    try {
      const std::size_t kills = steps();
      std::printf("%zu kills, one at each crash point\n", kills);
    } catch (const ndshm::Error& error) {
      violation(unexpected_error, error.what());
      ndshm::remove(name_of(3));
    }
  } else if (mode == "random" || mode == "clean") {
    const bool kills = mode == "random";
    const Fight result = fight(number(2), number(2), number(3), kills);
    std::printf("%llu rounds, %llu kills from outside, %llu at crash points, %llu stale names before sweeps\n",
                static_cast<unsigned long long>(result.rounds), static_cast<unsigned long long>(result.kills),
                static_cast<unsigned long long>(board->self_kills),
                static_cast<unsigned long long>(result.stale_names));
  } else {
    std::fprintf(stderr, "usage: torture steps | random KILLS SEED | clean ROUNDS SEED\n");
    return 2;
  }
  return report();
}
