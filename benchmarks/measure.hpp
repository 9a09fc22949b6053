// SPDX-License-Identifier: BSL-1.0
// measure.hpp: what the benchmark programs share: how a benchmark is named, so that the report finds it; stopwatches;
// and peers, other programs that measure themselves, such as Python. Includes Google Benchmark, no ndshm.
#pragma once

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace measure {

/// What to register: all of it, or so little that the whole suite takes less than a minute.
struct Settings {
  bool quick = false;
};

/// Registers the benchmarks of a program; each program has its own, and shares main.cpp.
void add_benchmarks(const Settings& settings);

/// Thrown by a side that cannot be measured here. The report says why in place of a number.
class LeftOut : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// How long a call takes.
template <class Call>
double seconds_of(Call&& call) {
  const auto start = Clock::now();
  std::forward<Call>(call)();
  return seconds_since(start);
}

/// Passes time without letting this processor go, so that another process comes to wait before it is measured.
inline void let_others_fall_asleep() {
  for (const auto start = Clock::now(); Clock::now() - start < std::chrono::microseconds(50);) {
  }
}

/// A benchmark is called TOPIC/PARAMETER/SIDE: what is measured, on how much, and who does it. The report sets the
/// sides of one topic and parameter against each other. `run` takes a benchmark::State&; what it throws is an entry
/// too.
template <class Run>
benchmark::internal::Benchmark* add(const std::string& topic, std::size_t parameter, const std::string& side, Run run) {
  const std::string name = topic + "/" + std::to_string(parameter) + "/" + side;
  return benchmark::RegisterBenchmark(name.c_str(), [run = std::move(run)](benchmark::State& state) {
    try {
      run(state);
    } catch (const LeftOut& reason) {
      state.SkipWithError((std::string("left out: ") + reason.what()).c_str());
    } catch (const std::exception& error) {
      state.SkipWithError(error.what());
    }
  });
}

/// Runs iterations that return seconds, after one that does not count: it finds the caches and page tables empty. One
/// that takes very long counts all the same.
template <class Iteration, class Tell>
void time_iterations(benchmark::State& state, Iteration& iteration, Tell tell) {
  std::optional<double> first = iteration();
  if (*first < 0.1) first.reset();
  for (auto _ : state) {
    const double seconds = first ? *std::exchange(first, std::nullopt) : iteration();
    state.SetIterationTime(seconds);
    tell(seconds);
  }
}

/// One whose every iteration times a part of itself: `make()` prepares what the iterations need and returns the
/// iteration, a function that returns seconds. Where it does something `per` times, the report divides by that.
template <class Make>
void add_timed(const std::string& topic, std::size_t parameter, const std::string& side, Make make,
               std::size_t per = 1) {
  add(topic, parameter, side, [per, make = std::move(make)](benchmark::State& state) {
    auto iteration = make();
    time_iterations(state, iteration, [](double) {});
    if (per != 1) state.counters["per"] = static_cast<double>(per);
  })->UseManualTime();
}

/// One that is timed as a whole, iteration by iteration.
template <class Run>
benchmark::internal::Benchmark* add_loop(const std::string& topic, std::size_t parameter, const std::string& side,
                                         Run run) {
  return add(topic, parameter, side, std::move(run))->UseRealTime();
}

/// The shares of a distribution that the report draws.
inline constexpr std::array quantiles{0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};

/// Adds the quantiles of some times, in seconds, to a benchmark.
inline void count_quantiles(benchmark::State& state, std::vector<double> seconds) {
  if (seconds.empty()) return;
  std::sort(seconds.begin(), seconds.end());
  for (const double quantile : quantiles) {
    std::ostringstream name;
    name << "q" << quantile;
    const auto last = static_cast<double>(seconds.size() - 1);
    state.counters[name.str()] = seconds[static_cast<std::size_t>(quantile * last + 0.5)];
  }
}

/// add_timed, with the distribution of the times.
template <class Make>
void add_distribution(const std::string& topic, std::size_t parameter, const std::string& side, Make make) {
  add(topic, parameter, side, [make = std::move(make)](benchmark::State& state) {
    auto iteration = make();
    std::vector<double> times;
    time_iterations(state, iteration, [&](double seconds) { times.push_back(seconds); });
    count_quantiles(state, std::move(times));
  })->UseManualTime();
}

/// Another program that measures itself. It gets a line `WHAT ARGUMENT… ITERATIONS` and answers with the seconds that
/// all iterations took, perhaps followed by pairs `name=value` that become counters; or with `left out: WHY`, or
/// `error: WHAT`. Started when it is first asked, ended with this program.
class Peer {
 public:
  /// `absent` says what is not installed, when the command is empty.
  Peer(std::vector<std::string> command, std::string absent)
      : command_(std::move(command)), absent_(std::move(absent)) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() {
    if (process_ == 0) return;
    std::fputs("end\n", requests_.get());  // forked processes may still have its input open
    requests_.reset();
    ::waitpid(process_, nullptr, 0);
  }

  std::string ask(const std::string& request) {
    if (command_.empty()) throw LeftOut(absent_);
    if (process_ == 0) start();
    std::fputs((request + "\n").c_str(), requests_.get());
    std::fflush(requests_.get());
    std::string line;
    for (int c = 0; (c = std::fgetc(answers_.get())) != '\n';) {
      if (c == EOF) throw std::runtime_error("error: " + command_.front() + " has ended");
      line.push_back(static_cast<char>(c));
    }
    const std::string left_out = "left out: ";
    if (line.starts_with(left_out)) throw LeftOut(line.substr(left_out.size()));
    if (line.starts_with("error: ")) throw std::runtime_error(line);
    return line;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;

  void start() {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe");
    }
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    for (std::string& argument : command_) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    const int error = ::posix_spawnp(&process_, arguments[0], &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    requests_.reset(::fdopen(in[1], "w"));
    answers_.reset(::fdopen(out[0], "r"));
    if (error != 0) throw std::system_error(error, std::generic_category(), command_.front());
  }

  std::vector<std::string> command_;
  std::string absent_;
  pid_t process_ = 0;
  File requests_;
  File answers_;
};

/// Python, which runs python_peer.py.
Peer& python();
/// Open MPI or another one, which runs mpi_peer.cpp in that many processes.
Peer& mpi(std::size_t processes);

/// One that a peer measures.
template <class WhichPeer>
void add_peer(const std::string& topic, std::size_t parameter, const std::string& side, WhichPeer which_peer,
              const std::string& request) {
  add(topic, parameter, side, [=](benchmark::State& state) {
    const auto iterations = state.max_iterations;
    std::istringstream answer(which_peer().ask(request + " " + std::to_string(iterations)));
    double seconds = 0;
    answer >> seconds;
    while (state.KeepRunningBatch(iterations)) state.SetIterationTime(seconds);
    for (std::string pair; answer >> pair;) {
      const std::size_t equals = pair.find('=');
      state.counters[pair.substr(0, equals)] = std::stod(pair.substr(equals + 1));
    }
  })->UseManualTime();
}

/// Bytes that can be taken without running out of memory; to leave out what does not fit.
std::uint64_t available_memory();

inline void require_memory(std::uint64_t bytes) {
  if (const std::uint64_t available = available_memory(); bytes > available) {
    throw LeftOut("takes " + std::to_string(bytes >> 20) + " MiB, and " + std::to_string(available >> 20) +
                  " MiB are available");
  }
}

/// A name that no other process has.
inline std::string unique_name(const std::string& what) {
  static std::size_t count = 0;
  return "benchmark-" + what + "-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
}

}  // namespace measure
