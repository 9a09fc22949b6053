// SPDX-License-Identifier: BSL-1.0
// handover.cpp: how long it takes until a waiting process has an array: until it has seen the first element, and until
// it has read all of it once. Sides: a path through a pipe, and bare system calls; a handle through a pipe, for a
// process that has to map the array or has it mapped; the bytes through a pipe; Boost's message_queue; Python's
// multiprocessing, with pickling and with SharedMemory.
//
// The time starts before the sender does anything and ends in the receiver, whose clock is the same. The receiver waits
// in a system call; what it reads into is memory that it has touched before.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstring>
#include <functional>
#include <memory>
#include <ndshm/ndshm.hpp>
#include <optional>

#include "kernels.hpp"
#include "measure.hpp"
#include "processes.hpp"

namespace {

namespace ipc = boost::interprocess;
using Clock = measure::Clock;
using measure::Pipe;

/// A forked process that gets arrays.
class Receiver {
 public:
  /// Receives one array: when it had what was wanted of it, or nothing at the end.
  using Receive = std::function<std::optional<Clock::time_point>()>;

  /// `make()` is called in that process and returns what is then called again and again; `end()` is called in this one
  /// and makes it return nothing.
  Receiver(const std::function<Receive()>& make, std::function<void()> end) : end_(std::move(end)) {
    process_ = ndshm::fork([&] {
      const Receive receive = make();
      times_.write("", 1);
      while (const auto time = receive()) times_.write(&*time, sizeof *time);
    });
    times_.close_writer();
    char ready = 0;
    if (!times_.read(&ready, 1)) throw std::runtime_error("the receiver has ended");
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  ~Receiver() {
    end_();
    process_.wait();
  }

  /// Seconds from before `send` is called until the receiver had what was wanted.
  template <class Send>
  double seconds_for(Send send) {
    measure::let_others_fall_asleep();
    const auto start = Clock::now();
    send();
    Clock::time_point end;
    if (!times_.read(&end, sizeof end)) throw std::runtime_error("the receiver has ended");
    return std::chrono::duration<double>(end - start).count();
  }

 private:
  std::function<void()> end_;
  Pipe times_;
  ndshm::Process process_;
};

/// One that reads from a pipe: `make(pipe)` there, `end` by closing it.
template <class Make>
std::shared_ptr<Receiver> receiver_of(const std::shared_ptr<Pipe>& pipe, Make make) {
  auto receiver = std::make_shared<Receiver>(
      [&]() -> Receiver::Receive {
        pipe->close_writer();
        return make(pipe);
      },
      [=] { pipe->close_writer(); });
  pipe->close_reader();
  return receiver;
}

enum class Wanted { first, all };

std::string topic_of(Wanted wanted) { return wanted == Wanted::first ? "handover_first" : "handover_all"; }

void look_at(const double* data, std::size_t count, Wanted wanted) {
  double seen = wanted == Wanted::first ? data[0] : measure::read_all({data, count});
  benchmark::DoNotOptimize(seen);
}

/// Whether the receiver maps the array for each message, or has kept it mapped since it got it once before.
enum class Mapped { anew, already };

/// A text through a pipe, by which the receiver finds an array that another process holds: `find(text)` returns when it
/// has seen what is wanted.
template <class TextOf, class Find>
void add_text(Wanted wanted, std::size_t bytes, bool filled, Mapped mapped, TextOf text_of, Find find,
              const std::string& side) {
  measure::add_timed(topic_of(wanted), bytes, side, [=] {
    const measure::Holder& holder = measure::holder_of(bytes, filled);
    const auto pipe = std::make_shared<Pipe>();
    const auto receiver = receiver_of(pipe, [=](const std::shared_ptr<Pipe>& input) -> Receiver::Receive {
      return [=]() -> std::optional<Clock::time_point> {
        const auto text = input->read_text();
        if (!text) return std::nullopt;
        return find(*text);
      };
    });
    const auto iteration = [=, &holder] { return receiver->seconds_for([&] { pipe->write_text(text_of(holder)); }); };
    if (mapped == Mapped::already) iteration();
    return iteration;
  });
}

void add_handle(Wanted wanted, std::size_t bytes, Mapped mapped, bool filled = true) {
  using Array = ndshm::SharedArray<const double, 1>;
  const auto text_of = [](const measure::Holder& holder) { return holder.handle().to_string(); };
  const auto find = [=, kept = std::make_shared<Array>()](const std::string& text) {
    Array array = ndshm::attach<const double, 1>(ndshm::Handle::parse(text));
    look_at(array.data(), array.size(), wanted);
    const auto time = Clock::now();
    if (mapped == Mapped::already) *kept = std::move(array);
    return time;
  };
  add_text(wanted, bytes, filled, mapped, text_of, find, mapped == Mapped::already ? "ndshm_warm" : "ndshm");
}

/// The same array as no library hands it over: by its path, unchecked.
void add_path(Wanted wanted, std::size_t bytes, bool filled = true) {
  const auto text_of = [](const measure::Holder& holder) { return "/ndshm." + holder.name(); };
  const auto find = [=](const std::string& path) {
    constexpr std::size_t header = 128;
    const int fd = ::shm_open(path.c_str(), O_RDONLY, 0);
    struct stat status {};
    if (fd < 0 || ::fstat(fd, &status) != 0) throw std::system_error(errno, std::generic_category(), path);
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const start = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (start == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    look_at(static_cast<const double*>(start) + header / sizeof(double), bytes / sizeof(double), wanted);
    const auto time = Clock::now();
    ::munmap(start, size);
    ::close(fd);
    return time;
  };
  add_text(wanted, bytes, filled, Mapped::anew, text_of, find, "system_calls");
}

/// The elements that are sent as bytes, and a buffer of the receiver's that has been touched.
using Elements = std::shared_ptr<const ndshm::SharedArray<const double, 1>>;
Elements elements_of(std::size_t bytes) {
  measure::require_memory(2 * bytes);
  return std::make_shared<const ndshm::SharedArray<const double, 1>>(
      ndshm::attach<const double, 1>(measure::holder_of(bytes).handle()));
}
std::shared_ptr<std::vector<double>> buffer_of(std::size_t bytes) {
  return std::make_shared<std::vector<double>>(bytes / sizeof(double), 0.0);
}

/// What a receiver of bytes does: `some(to, most)` receives some of them, 0 at the end.
template <class Some>
Receiver::Receive receive_bytes(Wanted wanted, std::size_t bytes, std::size_t room, Some some) {
  return [=, buffer = buffer_of(room)]() -> std::optional<Clock::time_point> {
    auto* const start = reinterpret_cast<char*>(buffer->data());
    std::size_t got = some(start, bytes);
    if (got == 0) return std::nullopt;
    look_at(buffer->data(), 1, Wanted::first);
    const auto time = Clock::now();
    while (got < bytes) got += some(start + got, bytes - got);
    if (wanted == Wanted::first) return time;
    look_at(buffer->data(), bytes / sizeof(double), wanted);
    return Clock::now();
  };
}

void add_pipe(Wanted wanted, std::size_t bytes) {
  measure::add_timed(topic_of(wanted), bytes, "pipe", [=] {
    const Elements elements = elements_of(bytes);
    const auto pipe = std::make_shared<Pipe>();
    const auto receiver = receiver_of(pipe, [=](const std::shared_ptr<Pipe>& input) {
      return receive_bytes(wanted, bytes, bytes,
                           [=](char* to, std::size_t most) { return input->read_some(to, most); });
    });
    return [=] { return receiver->seconds_for([&] { pipe->write(elements->data(), bytes); }); };
  });
}

/// Through Boost's message queue, in messages of at most 64 KiB, and as many of them as a pipe holds.
void add_message_queue(Wanted wanted, std::size_t bytes) {
  measure::add_timed(topic_of(wanted), bytes, "boost_message_queue", [=] {
    constexpr std::size_t piece = 65536;
    const Elements elements = elements_of(bytes);
    const std::string name = measure::unique_name("queue");
    const std::shared_ptr<ipc::message_queue> queue(new ipc::message_queue(ipc::create_only, name.c_str(), 16, piece),
                                                    [=](ipc::message_queue* made) {
                                                      delete made;
                                                      ipc::message_queue::remove(name.c_str());
                                                    });
    const auto make = [=] {
      measure::watch_parent();
      // A message is received into a buffer that has room for the largest.
      return receive_bytes(wanted, bytes, bytes + piece, [=](char* to, std::size_t) {
        std::size_t got = 0;
        unsigned priority = 0;
        queue->receive(to, piece, got, priority);
        return got;
      });
    };
    const auto receiver = std::make_shared<Receiver>(make, [=] { queue->send("", 0, 0); });
    return [=] {
      return receiver->seconds_for([&] {
        const auto* const start = reinterpret_cast<const char*>(elements->data());
        for (std::size_t sent = 0; sent < bytes; sent += piece) {
          queue->send(start + sent, std::min(piece, bytes - sent), 0);
        }
      });
    };
  });
}

}  // namespace

void measure::add_benchmarks(const Settings& settings) {
  constexpr std::size_t kib = 1024;
  constexpr std::size_t mib = kib * kib;
  const std::vector<std::size_t> sizes = settings.quick
                                             ? std::vector<std::size_t>{kib, 4 * mib}
                                             : std::vector<std::size_t>{kib, 64 * kib, 4 * mib, 256 * mib, 4096 * mib};
  // How much is copied only to see the first element.
  constexpr std::size_t copied = 256 * mib;
  for (const Wanted wanted : {Wanted::first, Wanted::all}) {
    for (const std::size_t bytes : sizes) {
      add_path(wanted, bytes);
      add_handle(wanted, bytes, Mapped::anew);
      add_handle(wanted, bytes, Mapped::already);
      const auto ask_python = [&](const std::string& way) {
        const std::string topic = topic_of(wanted);
        measure::add_peer(topic, bytes, "python_" + way, measure::python,
                          topic + "_" + way + " " + std::to_string(bytes));
      };
      ask_python("shared_memory");
      if (wanted == Wanted::first && bytes > copied) continue;
      add_pipe(wanted, bytes);
      add_message_queue(wanted, bytes);
      ask_python("pickle");
    }
  }
  // As large as no memory is, hardly any of it written: for the process that looks at it, it makes no difference.
  add_path(Wanted::first, 16384 * mib, false);
  add_handle(Wanted::first, 16384 * mib, Mapped::anew, false);
}
