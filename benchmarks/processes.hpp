// SPDX-License-Identifier: BSL-1.0
// processes.hpp: what happens in processes that are forked for it: one that holds an array, so that this one, and those
// that it forks, attach what they have not mapped; and a measurement in a process of its own. Includes ndshm.
#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <ndshm/ndshm.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

#include "measure.hpp"

namespace measure {

/// Both ends of a pipe.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    ::fcntl(ends_[0], F_SETPIPE_SZ, 1 << 20);  // as large as an ordinary user may make it
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_writer();
    close_reader();
  }
  void close_reader() { close_end(0); }
  void close_writer() { close_end(1); }
  void write(const void* from, std::size_t bytes) {
    for (const auto* next = static_cast<const char*>(from); bytes > 0;) {
      const ssize_t done = ::write(ends_[1], next, bytes);
      if (done <= 0) throw std::system_error(errno, std::generic_category(), "write");
      next += done;
      bytes -= static_cast<std::size_t>(done);
    }
  }
  /// At most `bytes`; 0 at the end.
  std::size_t read_some(void* to, std::size_t bytes) {
    const ssize_t done = ::read(ends_[0], to, bytes);
    if (done < 0) throw std::system_error(errno, std::generic_category(), "read");
    return static_cast<std::size_t>(done);
  }
  /// All of it, or false at the end.
  bool read(void* to, std::size_t bytes) {
    for (auto* next = static_cast<char*>(to); bytes > 0;) {
      const std::size_t done = read_some(next, bytes);
      if (done == 0) return false;
      next += done;
      bytes -= done;
    }
    return true;
  }
  /// A text with its length before it, at once.
  void write_text(const std::string& text) {
    const std::size_t length = text.size();
    std::string message(reinterpret_cast<const char*>(&length), sizeof length);
    message += text;
    write(message.data(), message.size());
  }
  /// Nothing at the end.
  std::optional<std::string> read_text() {
    std::size_t length = 0;
    if (!read(&length, sizeof length)) return std::nullopt;
    std::string text(length, '\0');
    if (!read(text.data(), length)) return std::nullopt;
    return text;
  }

 private:
  void close_end(std::size_t end) {
    if (ends_[end] >= 0) ::close(std::exchange(ends_[end], -1));
  }

  std::array<int, 2> ends_{-1, -1};
};

/// In a forked process: it ends with the one that forked it, however that ends. For what waits in ways that do not
/// tell.
inline void watch_parent() { ::prctl(PR_SET_PDEATHSIG, SIGKILL); }

/// A process that holds a named array of ones.
class Holder {
 public:
  /// Where it is not filled, it takes no memory either, and may be larger than that.
  explicit Holder(std::size_t bytes, bool filled = true) : name_(unique_name("held")) {
    process_ = ndshm::fork(
        [&] {
          end_.close_writer();  // so that this process ends with the other one, however that ends
          const std::array count{bytes / sizeof(double)};  // copy_of: others see it when it is filled
          const auto array = filled ? ndshm::copy_of(name_, xt::ones<double>(count))
                                    : ndshm::create<double>(name_, count, {.reserve = ndshm::Reserve::lazy});
          char end = 0;
          end_.read(&end, 1);
        },
        {.allow_threads = true});
    handle_ = ndshm::attach<const double, 1>(name_, {.timeout = std::chrono::minutes(1)}).handle();
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() {
    end_.write("", 1);  // processes that were forked later have its writing end, too
    process_.wait();
  }

  const std::string& name() const { return name_; }
  std::uint64_t pid() const { return process_.pid(); }
  /// Grants reading only.
  const ndshm::Handle& handle() const { return *handle_; }

 private:
  std::string name_;
  Pipe end_;
  ndshm::Process process_;
  std::optional<ndshm::Handle> handle_;
};

/// The one of that size, made when it is first asked for, and kept: filling large ones takes seconds.
inline const Holder& holder_of(std::size_t bytes, bool filled = true) {
  static std::map<std::size_t, Holder> holders;
  const auto found = holders.find(bytes);
  if (found != holders.end()) return found->second;
  if (filled) require_memory(bytes);
  return holders.try_emplace(bytes, bytes, filled).first->second;
}

/// A forked process that measures itself. `make()` is called there and returns the iteration, a function that returns
/// seconds; what this returns is an iteration here that asks for one there.
template <class Make>
auto in_child(Make make) {
  struct Child {
    Pipe requests;
    Pipe answers;
    ndshm::Process process;

    Child() = default;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
      requests.close_writer();
      if (process.pid() != 0) process.wait();
    }
  };
  const auto child = std::make_shared<Child>();
  child->process = ndshm::fork([&] {
    child->requests.close_writer();
    try {
      auto iteration = make();
      for (char request = 0; child->requests.read(&request, 1);) {
        const double seconds = iteration();
        child->answers.write_text(std::string(reinterpret_cast<const char*>(&seconds), sizeof seconds));
      }
    } catch (const LeftOut& reason) {
      child->answers.write_text(reason.what());
    }
  });
  child->requests.close_reader();
  child->answers.close_writer();
  return [=] {
    child->requests.write("", 1);
    const auto answer = child->answers.read_text();
    if (!answer) throw std::runtime_error(child->process.wait().to_string());
    double seconds = 0;
    if (answer->size() != sizeof seconds) throw LeftOut(*answer);
    std::memcpy(&seconds, answer->data(), sizeof seconds);
    return seconds;
  };
}

}  // namespace measure
