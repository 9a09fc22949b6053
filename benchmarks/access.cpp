// SPDX-License-Identifier: BSL-1.0
// access.cpp: what it costs to use an array once it is there. Sides: a loop over a pointer, the same xt::xtensor on the
// heap, a SharedArray.
#include <ndshm/ndshm.hpp>

#include "measure.hpp"

namespace {

using Heap = xt::xtensor<double, 2>;
using Shared = ndshm::SharedArray<double, 2>;

Heap make_heap(std::size_t n) { return xt::ones<double>({n, n}); }
Shared make_shared(std::size_t n) {
  auto array = ndshm::create<double>({n, n});
  array.fill(1.0);
  return array;
}

/// One topic on n x n elements. The functions take two arrays of them.
template <class OnPointers, class OnArrays>
void add_topic(const std::string& topic, std::size_t n, OnPointers on_pointers, OnArrays on_arrays) {
  const std::size_t bytes = n * n * sizeof(double);
  measure::add_loop(topic, bytes, "pointer", [=](benchmark::State& state) {
    std::vector<double> a(n * n, 1.0);
    std::vector<double> b(n * n, 1.0);
    for (auto _ : state) {
      on_pointers(a.data(), b.data(), n);
      benchmark::ClobberMemory();
    }
  });
  const auto add_arrays = [&](const std::string& side, auto make) {
    measure::add_loop(topic, bytes, side, [=](benchmark::State& state) {
      auto a = make(n);
      auto b = make(n);
      for (auto _ : state) {
        on_arrays(a, b);
        benchmark::ClobberMemory();
      }
    });
  };
  add_arrays("xtensor", make_heap);
  add_arrays("ndshm", make_shared);
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
  add_size(56);                            // 24 KiB: in the first level of the cache
  if (!settings.quick) add_size(400);      // 1.25 MiB
  add_size(settings.quick ? 1000 : 2600);  // 52 MiB: in no cache
}
