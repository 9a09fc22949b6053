// SPDX-License-Identifier: BSL-1.0
// holder.hpp: arrays that another process holds, so that this one, and those that it forks, attach what they have not
// mapped yet. Includes ndshm.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <ndshm/ndshm.hpp>
#include <optional>
#include <string>
#include <system_error>

#include "measure.hpp"

namespace measure {

/// A process that holds a named array of ones.
class Holder {
 public:
  /// Where it is not filled, it takes no memory either, and may be larger than that.
  explicit Holder(std::size_t bytes, bool filled = true) : name_(unique_name("held")) {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    process_ = ndshm::fork(
        [&] {
          ::close(ends_[1]);  // so that this process ends with the other one, however that ends
          const std::array count{bytes / sizeof(double)};  // copy_of: others see it when it is filled
          const auto array = filled ? ndshm::copy_of(name_, xt::ones<double>(count))
                                    : ndshm::create<double>(name_, count, {.reserve = ndshm::reserve::lazy});
          char end = 0;
          [[maybe_unused]] const auto got = ::read(ends_[0], &end, 1);
        },
        {.allow_threads = true});
    handle_ = ndshm::attach<const double, 1>(name_, {.timeout = std::chrono::minutes(1)}).handle();
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() {
    [[maybe_unused]] const auto done = ::write(ends_[1], "", 1);
    process_.wait();
    for (const int end : ends_) ::close(end);
  }

  const std::string& name() const { return name_; }
  std::uint64_t pid() const { return process_.pid(); }
  /// Grants reading only.
  const ndshm::Handle& handle() const { return *handle_; }

 private:
  std::string name_;
  std::array<int, 2> ends_{};
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

}  // namespace measure
