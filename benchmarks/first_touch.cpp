// SPDX-License-Identifier: BSL-1.0
// first_touch.cpp: what it costs to have memory in which everything has been written once. Sides: the heap, bare shared
// memory, and the ways in which ndshm takes memory: at once or on first touch, in small or huge pages, filled by one
// process or by all workers.
#include <malloc.h>
#include <sys/mman.h>

#include <memory>
#include <ndshm/ndshm.hpp>
#include <thread>

#include "measure.hpp"

namespace {

using measure::seconds_of;
using ndshm::huge_pages;
using ndshm::reserve;

void fill(double* begin, double* end) { std::fill(begin, end, 1.0); }

/// Creating and filling; what is made goes when the time has been taken.
void add_ndshm(std::size_t bytes, const std::string& side, reserve reserved, huge_pages pages, bool by_workers) {
  measure::add_timed("first_touch", bytes, side, [=] {
    return [=] {
      const std::size_t count = bytes / sizeof(double);
      ndshm::SharedArray<double, 1> array;
      std::optional<ndshm::WorkerPool<int>> pool;
      return seconds_of([&] {
        array = ndshm::create<double>({count}, {.reserve = reserved, .huge_pages = pages});
        if (!by_workers) return fill(array.data(), array.data() + count);
        const std::size_t workers = std::max(1U, std::thread::hardware_concurrency());
        pool.emplace(
            workers, [](int) {}, ndshm::PoolOptions{.first_touch = [&](const ndshm::Worker& worker) {
              const ndshm::Range mine = worker.share(count);
              fill(array.data() + mine.begin, array.data() + mine.end);
            }});
      });
    };
  });
}

void add_size(std::size_t bytes) {
  measure::add_timed("first_touch", bytes, "heap", [=] {
    return [=] {
      std::unique_ptr<double[]> array;
      const std::size_t count = bytes / sizeof(double);
      return seconds_of([&] {
        array.reset(new double[count]);
        fill(array.get(), array.get() + count);
      });
    };
  });
  measure::add_timed("first_touch", bytes, "system_calls", [=] {
    return [=] {
      void* memory = nullptr;
      const double seconds = seconds_of([&] {
        memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
        fill(static_cast<double*>(memory), static_cast<double*>(memory) + bytes / sizeof(double));
      });
      ::munmap(memory, bytes);
      return seconds;
    };
  });
  for (const bool by_workers : {false, true}) {
    const std::string by = by_workers ? "_by_workers" : "";
    add_ndshm(bytes, "ndshm_eager_small" + by, reserve::eager, huge_pages::never, by_workers);
    add_ndshm(bytes, "ndshm_eager_huge" + by, reserve::eager, huge_pages::advise, by_workers);
    add_ndshm(bytes, "ndshm_lazy_small" + by, reserve::lazy, huge_pages::never, by_workers);
    add_ndshm(bytes, "ndshm_lazy_huge" + by, reserve::lazy, huge_pages::advise, by_workers);
  }
}

}  // namespace

void measure::add_benchmarks(const Settings& settings) {
  constexpr std::size_t mib = std::size_t{1} << 20;
  ::mallopt(M_MMAP_THRESHOLD, static_cast<int>(mib));  // or the heap would hand out what has been touched before
  if (settings.quick) return add_size(16 * mib);
  add_size(16 * mib);
  add_size(128 * mib);
}
