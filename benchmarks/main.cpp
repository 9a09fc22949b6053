// SPDX-License-Identifier: BSL-1.0
// main.cpp: the main() of every benchmark program: Google Benchmark's, and --quick. What does not depend on which
// program it is stands here too.
#include <array>
#include <boost/version.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <ndshm/version.hpp>
#include <string>
#include <string_view>

#include "measure.hpp"

#define NDSHM_TEXT_OF(x) #x
#define NDSHM_TEXT(x) NDSHM_TEXT_OF(x)

namespace measure {

std::uint64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::uint64_t kib = 0;
  for (std::string word; file >> word;) {
    if (word == "MemAvailable:" && file >> kib) return kib * 1024 / 10 * 9;
  }
  return UINT64_MAX;
}

Peer& python() {
  const std::string interpreter = NDSHM_BENCHMARK_PYTHON;
  static Peer peer(interpreter.empty() ? std::vector<std::string>{}
                                       : std::vector<std::string>{interpreter, NDSHM_BENCHMARK_PYTHON_PEER},
                   "Python with NumPy is not installed");
  return peer;
}

Peer& mpi(std::size_t processes) {
  static std::map<std::size_t, Peer> peers;
  const std::string launcher = NDSHM_BENCHMARK_MPI;
  std::vector<std::string> command;
  if (!launcher.empty()) {
    // Open MPI wants to be asked for more processes than there are cores, and for root.
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    ::setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 1);
    command = {launcher, "-n", std::to_string(processes), NDSHM_BENCHMARK_MPI_PEER};
  }
  return peers.try_emplace(processes, command, "MPI is not installed").first->second;
}

}  // namespace measure

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a process that has ended is an error of one benchmark, not the end of this program
  measure::Settings settings;
  int kept = 0;
  for (int i = 0; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--quick") {
      settings.quick = true;
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  argv[argc] = nullptr;

  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext(
      "ndshm", NDSHM_TEXT(NDSHM_VERSION_MAJOR) "." NDSHM_TEXT(NDSHM_VERSION_MINOR) "." NDSHM_TEXT(NDSHM_VERSION_PATCH));
  benchmark::AddCustomContext("boost", BOOST_LIB_VERSION);
  benchmark::AddCustomContext("xtensor", NDSHM_BENCHMARK_XTENSOR);
  benchmark::AddCustomContext("compiler", NDSHM_BENCHMARK_COMPILER);
  benchmark::AddCustomContext("mpi", NDSHM_BENCHMARK_MPI_VERSION);
  benchmark::AddCustomContext("python", NDSHM_BENCHMARK_PYTHON);
  measure::add_benchmarks(settings);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
