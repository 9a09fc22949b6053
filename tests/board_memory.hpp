// SPDX-License-Identifier: BSL-1.0
// board_memory.hpp: task boards without shared memory, for tests in which threads or nobody stand in for the workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <ndshm/pool/task_board.hpp>
#include <vector>

inline constexpr ndshm::detail::TaskTypes board_types{sizeof(std::uint64_t), sizeof(std::uint64_t), 1};

/// The memory of a board, zeroed and aligned as a shared segment is.
class BoardMemory {
 public:
  BoardMemory(std::size_t workers, std::size_t cells)
      : bytes_(ndshm::detail::TaskBoard::bytes_for(board_types, workers, cells)),
        room_(bytes_ + 64),
        start_(room_.data()) {
    std::size_t room = room_.size();
    std::align(64, bytes_, start_, room);
  }
  std::byte* data() { return static_cast<std::byte*>(start_); }
  std::size_t size() const { return bytes_; }

 private:
  std::size_t bytes_;
  std::vector<std::byte> room_;
  void* start_;
};

inline std::uint64_t number_in(const std::byte* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}
