// SPDX-License-Identifier: BSL-1.0
// compile.cpp: what a translation unit costs that includes ndshm, against one that includes xtensor alone: the time of
// the compiler, and what it gets to see. ndshm/array/xtensor.hpp includes xtensor and next to nothing else.
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "measure.hpp"

namespace {

/// Runs a command of the shell, and throws when it fails.
void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);  // NOLINT(cert-env33-c)
}

/// A file in a folder of its own that goes with this object.
class Source {
 public:
  explicit Source(const std::string& text) {
    if (::mkdtemp(folder_.data()) == nullptr) throw std::system_error(errno, std::generic_category(), "mkdtemp");
    std::ofstream(path(".cpp")) << text;
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source() {
    for (const char* const name : {".cpp", ".i", ".o"}) ::unlink(path(name).c_str());
    ::rmdir(folder_.c_str());
  }
  std::string path(const std::string& extension) const { return folder_ + "/unit" + extension; }

 private:
  std::string folder_ = "/tmp/ndshm-benchmark-XXXXXX";
};

void add_unit(const std::string& side, const std::string& text) {
  measure::add_timed("compile", 1, side, [=] {
    const auto source = std::make_shared<Source>(text);
    return [=] {
      return measure::seconds_of(
          [&] { run(NDSHM_BENCHMARK_COMPILE " -c -o " + source->path(".o") + " " + source->path(".cpp")); });
    };
  });
  measure::add_loop("preprocessed", 1, side, [=](benchmark::State& state) {
    const Source source(text);
    for (auto _ : state) {
      run(NDSHM_BENCHMARK_COMPILE " -E -P -o " + source.path(".i") + " " + source.path(".cpp"));
      std::ifstream file(source.path(".i"));
      double lines = 0;
      double bytes = 0;
      for (std::string line; std::getline(file, line); bytes += static_cast<double>(line.size() + 1)) ++lines;
      state.counters["lines"] = lines;
      state.counters["bytes"] = bytes;
    }
  })->Iterations(1);
}

}  // namespace

void measure::add_benchmarks(const Settings&) {
  add_unit("nothing", "int main() {}\n");
  const std::string body = "int main() { xt::xtensor<double, 2> a({2, 3}); return static_cast<int>(xt::sum(a)()); }\n";
  add_unit("xtensor", "#include <ndshm/array/xtensor.hpp>\n" + body);
  add_unit("ndshm", "#include <ndshm/ndshm.hpp>\n" + body);
  add_unit("ndshm_used",
           "#include <ndshm/ndshm.hpp>\nint main() { auto a = ndshm::create<double>({2, 3}); return "
           "static_cast<int>(xt::sum(a)()); }\n");
}
