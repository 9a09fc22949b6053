// SPDX-License-Identifier: BSL-1.0
// first_touch.cpp: what it costs to have memory in which everything has been written once. Sides: the heap, bare shared
// memory, and the ways in which ndshm takes memory: at once or on first touch, in small or huge pages, filled by one
// process or by all workers.
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <ndshm/ndshm.hpp>
#include <thread>

#include "measure.hpp"
#include "processes.hpp"

namespace {

using measure::seconds_of;
using ndshm::HugePages;
using ndshm::Reserve;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

/// Shared memory of a descriptor, or without one.
void* map(int fd, std::size_t bytes) {
  const int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (memory == MAP_FAILED) fail("mmap");
  return memory;
}

void fill(double* begin, double* end) { std::fill(begin, end, 1.0); }

/// Creating and filling; what is made goes when the time has been taken.
void add_ndshm(std::size_t bytes, const std::string& side, Reserve reserved, HugePages pages, bool by_workers) {
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

/// Gives this process a /dev/shm of its own, where huge pages are on. To mount that takes root.
void mount_huge_pages(std::size_t bytes) {
  const std::string options = "huge=advise,size=" + std::to_string(2 * bytes);
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", "/dev/shm", "tmpfs", 0, options.c_str()) != 0) {
    throw measure::LeftOut(std::string("a /dev/shm with huge pages cannot be mounted, which takes root: ") +
                           std::strerror(errno));
  }
}

/// Named memory where huge pages are on. The system calls do not ask for them.
void add_huge_pages(std::size_t bytes) {
  const std::size_t count = bytes / sizeof(double);
  const auto add = [=](const std::string& side, auto create_and_fill) {
    measure::add_timed("huge_pages", bytes, side, [=] {
      return measure::in_child([=] {
        mount_huge_pages(bytes);
        create_and_fill();  // a virtual machine may have to get pages from its host first
        return create_and_fill;
      });
    });
  };
  add("system_calls", [=] {
    void* memory = nullptr;
    const double seconds = seconds_of([&] {
      const int fd = ::shm_open("/bare", O_CREAT | O_EXCL | O_RDWR, 0600);
      if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(bytes)) != 0) fail("shm_open, ftruncate");
      memory = map(fd, bytes);
      ::close(fd);
      fill(static_cast<double*>(memory), static_cast<double*>(memory) + count);
    });
    ::munmap(memory, bytes);
    ::shm_unlink("/bare");
    return seconds;
  });
  for (const HugePages pages : {HugePages::never, HugePages::advise}) {
    add(pages == HugePages::never ? "ndshm_eager_small" : "ndshm_eager_huge", [=] {
      ndshm::SharedArray<double, 1> array;
      return seconds_of([&] {
        array = ndshm::create<double>("array", {count}, {.huge_pages = pages});
        fill(array.data(), array.data() + count);
      });
    });
  }
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
        memory = map(-1, bytes);
        fill(static_cast<double*>(memory), static_cast<double*>(memory) + bytes / sizeof(double));
      });
      ::munmap(memory, bytes);
      return seconds;
    };
  });
  for (const bool by_workers : {false, true}) {
    const std::string by = by_workers ? "_by_workers" : "";
    add_ndshm(bytes, "ndshm_eager_small" + by, Reserve::eager, HugePages::never, by_workers);
    add_ndshm(bytes, "ndshm_eager_huge" + by, Reserve::eager, HugePages::advise, by_workers);
    add_ndshm(bytes, "ndshm_lazy_small" + by, Reserve::lazy, HugePages::never, by_workers);
    add_ndshm(bytes, "ndshm_lazy_huge" + by, Reserve::lazy, HugePages::advise, by_workers);
  }
}

}  // namespace

void measure::add_benchmarks(const Settings& settings) {
  constexpr std::size_t mib = std::size_t{1} << 20;
  ::mallopt(M_MMAP_THRESHOLD, static_cast<int>(mib));  // or the heap would hand out what has been touched before
  for (const std::size_t bytes : settings.quick ? std::vector{16 * mib} : std::vector{16 * mib, 128 * mib}) {
    add_size(bytes);
    add_huge_pages(bytes);
  }
}
