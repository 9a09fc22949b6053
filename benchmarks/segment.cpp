// SPDX-License-Identifier: BSL-1.0
// segment.cpp: what it costs to create an array, to create and fill it, to attach it by its name, and to let go of it.
// Sides: bare system calls, Boost's managed_shared_memory, Python's SharedMemory, an MPI shared window.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/interprocess/managed_shared_memory.hpp>
#include <ndshm/ndshm.hpp>

#include "measure.hpp"
#include "processes.hpp"

namespace {

namespace ipc = boost::interprocess;
using measure::seconds_of;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

/// Memory as one gets it without any library.
struct Bare {
  void* address = nullptr;
  std::size_t bytes = 0;
  int fd = -1;

  double* data() const { return static_cast<double*>(address); }
};

Bare create_bare(const std::string& path, std::size_t bytes, bool reserve) {
  Bare memory{nullptr, bytes, ::shm_open(path.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600)};
  if (memory.fd < 0) fail("shm_open");
  const auto size = static_cast<off_t>(bytes);
  if (::ftruncate(memory.fd, size) != 0) fail("ftruncate");
  if (reserve && ::posix_fallocate(memory.fd, 0, size) != 0) fail("posix_fallocate");
  memory.address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0);
  if (memory.address == MAP_FAILED) fail("mmap");
  return memory;
}

Bare attach_bare(const std::string& path) {
  Bare memory{nullptr, 0, ::shm_open(path.c_str(), O_RDWR, 0)};
  if (memory.fd < 0) fail("shm_open");
  struct stat status {};
  if (::fstat(memory.fd, &status) != 0) fail("fstat");
  memory.bytes = static_cast<std::size_t>(status.st_size);
  memory.address = ::mmap(nullptr, memory.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0);
  if (memory.address == MAP_FAILED) fail("mmap");
  return memory;
}

void detach_bare(const Bare& memory) {
  ::munmap(memory.address, memory.bytes);
  ::close(memory.fd);
}

std::size_t count_for(std::size_t bytes) { return bytes / sizeof(double); }

/// A segment of Boost's, with room for its own book-keeping, and an array of zeros in it.
struct BoostArray {
  explicit BoostArray(const std::string& name, std::size_t bytes)
      : segment(ipc::create_only, name.c_str(), bytes + 65536),
        data(segment.construct<double>("data")[count_for(bytes)]()) {}
  explicit BoostArray(const std::string& name)
      : segment(ipc::open_only, name.c_str()), data(segment.find<double>("data").first) {}

  ipc::managed_shared_memory segment;
  double* data;
};

/// One that others can open as long as this object lives.
struct HeldBoostArray {
  explicit HeldBoostArray(std::size_t bytes) : array(name, bytes) {}
  HeldBoostArray(const HeldBoostArray&) = delete;
  HeldBoostArray& operator=(const HeldBoostArray&) = delete;
  ~HeldBoostArray() { ipc::shared_memory_object::remove(name.c_str()); }

  const std::string name = measure::unique_name("boost");
  BoostArray array;
};

void fill(double* data, std::size_t bytes) { std::fill(data, data + count_for(bytes), 1.0); }

/// Times create(), which returns something with an array in it, and if wanted fill(array); undo(array) is not timed.
template <class Create, class Fill, class Undo>
double create_once(bool filled, Create create, Fill fill_it, Undo undo) {
  const auto start = measure::Clock::now();
  auto array = create();
  if (filled) fill_it(array);
  benchmark::ClobberMemory();
  const double seconds = measure::seconds_since(start);
  undo(std::move(array));
  return seconds;
}

/// Both topics that make an array: with and without filling it.
void add_creating(std::size_t bytes) {
  for (const bool filled : {false, true}) {
    const std::string topic = filled ? "create_fill" : "create";
    const std::string path = "/" + measure::unique_name("bare");
    for (const bool reserve : {false, true}) {
      measure::add_timed(topic, bytes, reserve ? "system_calls_reserved" : "system_calls", [=] {
        return [=] {
          return create_once(
              filled, [&] { return create_bare(path, bytes, reserve); },
              [&](const Bare& memory) { fill(memory.data(), bytes); },
              [&](const Bare& memory) {
                detach_bare(memory);
                ::shm_unlink(path.c_str());
              });
        };
      });
    }
    const auto add_ndshm = [&](const std::string& side, auto create) {
      measure::add_timed(topic, bytes, side, [=] {
        return [=] {
          return create_once(
              filled, create, [](auto& array) { array.fill(1.0); }, [](auto) {});
        };
      });
    };
    const std::string name = measure::unique_name("create");
    add_ndshm("ndshm", [=] { return ndshm::create<double>(name, {count_for(bytes)}); });
    add_ndshm("ndshm_anonymous", [=] { return ndshm::create<double>({count_for(bytes)}); });
    measure::add_timed(topic, bytes, "boost", [=] {
      return [=] {
        return create_once(
            filled, [&] { return std::make_unique<BoostArray>(name, bytes); },
            [&](const auto& array) { fill(array->data, bytes); },
            [&](auto array) {
              array.reset();
              ipc::shared_memory_object::remove(name.c_str());
            });
      };
    });
    measure::add_peer(topic, bytes, "python", measure::python, topic + " " + std::to_string(bytes));
    measure::add_peer(
        topic, bytes, "mpi", []() -> measure::Peer& { return measure::mpi(2); }, topic + " " + std::to_string(bytes));
  }
}

/// The three topics of one side: attach() with the first element, detaching what it returned, and both.
template <class Make>
void add_attaching(std::size_t bytes, const std::string& side, Make make) {
  enum class Part { attach, detach, both };
  const auto add = [&](const std::string& topic, Part part) {
    measure::add_timed(topic, bytes, side, [=] {
      return [attach_and_detach = make(), part] {
        const auto [attached, detached] = attach_and_detach();
        return part == Part::attach ? attached : part == Part::detach ? detached : attached + detached;
      };
    });
  };
  add("attach", Part::attach);
  add("detach", Part::detach);
  add("attach_detach", Part::both);
}

/// Times attach(), which returns something, with first(of it), and then detach(of it).
template <class Attach, class First, class Detach>
std::pair<double, double> attach_once(Attach attach, First first, Detach detach) {
  const auto start = measure::Clock::now();
  auto array = attach();
  benchmark::DoNotOptimize(first(array));
  const auto middle = measure::Clock::now();
  detach(std::move(array));
  const double detached = measure::seconds_since(middle);
  return {std::chrono::duration<double>(middle - start).count(), detached};
}

void add_attaching(std::size_t bytes) {
  add_attaching(bytes, "system_calls", [=] {
    return [path = "/ndshm." + measure::holder_of(bytes).name()] {
      return attach_once([&] { return attach_bare(path); }, [](const Bare& memory) { return memory.data()[16]; },
                         detach_bare);
    };
  });
  const auto add_ndshm = [&](const std::string& side, auto attach) {
    add_attaching(bytes, side, [=] {
      return [=, name = measure::holder_of(bytes).name()] {
        return attach_once([&] { return attach(name); }, [](const auto& array) { return array(0); }, [](auto) {});
      };
    });
  };
  add_ndshm("ndshm", [](const std::string& name) { return ndshm::attach<double, 1>(name); });
  add_ndshm("ndshm_read_only", [](const std::string& name) { return ndshm::attach<const double, 1>(name); });
  add_attaching(bytes, "boost", [=] {
    return [held = std::make_shared<HeldBoostArray>(bytes)] {
      return attach_once([&] { return std::make_unique<BoostArray>(held->name); },
                         [](const auto& array) { return array->data[0]; }, [](auto array) { array.reset(); });
    };
  });
  for (const std::string topic : {"attach", "detach", "attach_detach"}) {
    measure::add_peer(topic, bytes, "python", measure::python, topic + " " + std::to_string(bytes));
  }
}

}  // namespace

void measure::add_benchmarks(const Settings& settings) {
  constexpr std::size_t mib = std::size_t{1} << 20;
  const std::vector<std::size_t> sizes =
      settings.quick ? std::vector<std::size_t>{8192, 4 * mib} : std::vector<std::size_t>{8192, mib, 8 * mib, 64 * mib};
  for (const std::size_t bytes : sizes) {
    add_creating(bytes);
    add_attaching(bytes);
  }
}
