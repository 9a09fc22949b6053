// SPDX-License-Identifier: BSL-1.0
// access.cpp: what it costs to use an array once it is there. Sides: a loop over a pointer, the same xt::xtensor on the
// heap, a SharedArray.
#include <ndshm/ndshm.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "measure.hpp"

namespace {

using Plain = std::vector<double>;
using Heap = xt::xtensor<double, 2>;
using Shared = ndshm::SharedArray<double, 2>;

Plain make_plain(std::size_t n) { return Plain(n * n, 1.0); }
Heap make_heap(std::size_t n) { return xt::ones<double>({n, n}); }
Shared make_shared(std::size_t n) {
  auto array = ndshm::create<double>({n, n});
  array.fill(1.0);
  return array;
}

// Where in memory the compiler happens to put a loop changes its time, on some processors by half and more, and has
// nothing to do with what the loop does. So each is compiled at four places within a line of the instruction cache, and
// the fastest counts.
constexpr std::size_t line_bytes = 64;
constexpr std::size_t places = 4;
#if defined(__x86_64__) || defined(__i386__)
constexpr std::size_t nop_bytes = 1;
#else
constexpr std::size_t nop_bytes = 4;
#endif

template <std::size_t Place, class Kernel, class A>
[[gnu::noinline, gnu::flatten]] void run_at(const Kernel& kernel, A& a, A& b) {
  asm volatile(".balign %c0\n.rept %c1\nnop\n.endr" : : "i"(line_bytes), "i"(line_bytes / places * Place / nop_bytes));
  kernel(a, b);
}

template <class Kernel, class A>
using Call = void (*)(const Kernel&, A&, A&);

template <class Kernel, class A>
Call<Kernel, A> fastest_place(const Kernel& kernel, A& a, A& b) {
  const auto calls = []<std::size_t... Place>(std::index_sequence<Place...>) {
    return std::array<Call<Kernel, A>, places>{&run_at<Place, Kernel, A>...};
  }
  (std::make_index_sequence<places>{});
  const auto seconds_per_call = [&](Call<Kernel, A> call) {
    std::size_t count = 0;
    const auto start = measure::Clock::now();
    do {
      call(kernel, a, b);
      ++count;
    } while (measure::Clock::now() - start < std::chrono::microseconds(200));
    return measure::seconds_since(start) / static_cast<double>(count);
  };
  std::array<double, places> fastest{};
  fastest.fill(std::numeric_limits<double>::infinity());
  const auto start = measure::Clock::now();
  do {  // in turn, so that a disturbance does not fall on one of them
    for (std::size_t place = 0; place < places; ++place) {
      fastest[place] = std::min(fastest[place], seconds_per_call(calls[place]));
    }
  } while (measure::Clock::now() - start < std::chrono::milliseconds(10));
  return calls[static_cast<std::size_t>(std::ranges::min_element(fastest) - fastest.begin())];
}

/// Two arrays of that side, which are made when they are first needed, and kept.
template <class Make>
auto& two_of(Make make, std::size_t n) {
  using Array = decltype(make(n));
  static std::map<std::size_t, std::pair<Array, Array>> arrays;
  const auto found = arrays.find(n);
  return found != arrays.end() ? found->second : arrays.try_emplace(n, make(n), make(n)).first->second;
}

/// One topic on n x n elements. The kernels take two arrays of them, or pointers to two, and n.
template <class OnPointers, class OnArrays>
void add_topic(const std::string& topic, std::size_t n, OnPointers on_pointers, OnArrays on_arrays) {
  const auto add_side = [&](const std::string& side, auto make, auto kernel) {
    measure::add_loop(topic, n * n * sizeof(double), side, [=](benchmark::State& state) {
      auto& [a, b] = two_of(make, n);
      const auto call = fastest_place(kernel, a, b);
      for (auto _ : state) {
        call(kernel, a, b);
        benchmark::ClobberMemory();
      }
    });
  };
  add_side("pointer", make_plain, [=](Plain& a, Plain& b) { on_pointers(a.data(), b.data(), n); });
  add_side("xtensor", make_heap, on_arrays);
  add_side("ndshm", make_shared, on_arrays);
}

void add_size(std::size_t n) {
  add_topic(
      "operator", n,
      [](double* a, double*, std::size_t extent) {
        for (std::size_t i = 0; i < extent; ++i) {
          for (std::size_t j = 0; j < extent; ++j) a[i * extent + j] += 1.0;
        }
      },
      [](auto& a, auto&) {
        for (std::size_t i = 0; i < a.shape(0); ++i) {
          for (std::size_t j = 0; j < a.shape(1); ++j) a(i, j) += 1.0;
        }
      });
  add_topic(
      "iteration", n,
      [](double* a, double*, std::size_t extent) {
        for (double* element = a; element != a + extent * extent; ++element) *element += 1.0;
      },
      [](auto& a, auto&) {
        for (double& element : a) element += 1.0;
      });
  add_topic(
      "sum", n,
      [](double* a, double*, std::size_t extent) {
        double sum = 0;
        for (std::size_t i = 0; i < extent * extent; ++i) sum += a[i];
        benchmark::DoNotOptimize(sum);
      },
      [](auto& a, auto&) {
        double sum = xt::sum(a)();
        benchmark::DoNotOptimize(sum);
      });
  add_topic(
      "axpy", n,
      [](double* a, double* b, std::size_t extent) {
        for (std::size_t i = 0; i < extent * extent; ++i) b[i] = 0.5 * a[i] + b[i];
      },
      [](auto& a, auto& b) { xt::noalias(b) = 0.5 * a + b; });
  add_topic(
      "strided_view", n,
      [](double* a, double*, std::size_t extent) {
        double sum = 0;
        for (std::size_t i = 0; i < extent; i += 2) {
          for (std::size_t j = 0; j < extent; j += 2) sum += a[i * extent + j];
        }
        benchmark::DoNotOptimize(sum);
      },
      [](auto& a, auto&) {
        const auto end = static_cast<std::ptrdiff_t>(a.shape(0));
        double sum = xt::sum(xt::view(a, xt::range(0, end, 2), xt::range(0, end, 2)))();
        benchmark::DoNotOptimize(sum);
      });
  add_topic(
      "transposed_copy", n,
      [](double* a, double* b, std::size_t extent) {
        for (std::size_t i = 0; i < extent; ++i) {
          for (std::size_t j = 0; j < extent; ++j) b[i * extent + j] = a[j * extent + i];
        }
      },
      [](auto& a, auto& b) { xt::noalias(b) = xt::transpose(a); });
}

}  // namespace

void measure::add_benchmarks(const Settings& settings) {
  add_size(40);                            // 12 KiB: two of them are in the first level of the cache
  if (!settings.quick) add_size(400);      // 1.25 MiB
  add_size(settings.quick ? 1000 : 2600);  // 52 MiB: in no cache
}
