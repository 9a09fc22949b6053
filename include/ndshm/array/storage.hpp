// SPDX-License-Identifier: BSL-1.0
// storage.hpp: the elements of an array as xtensor wants to see a container's storage. Includes segment/mapping.hpp, no
// xtensor.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <ndshm/segment/mapping.hpp>
#include <type_traits>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// The elements as xtensor wants to see a container's storage: a span that keeps them mapped. Indices are signed
/// under the hood, because a view may run backwards.
template <class T>
class SharedStorage {
 public:
  using value_type = std::remove_const_t<T>;
  using allocator_type = std::allocator<value_type>;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using reference = T&;
  using const_reference = const T&;
  using pointer = T*;
  using const_pointer = const T*;
  using iterator = T*;
  using const_iterator = const T*;
  using reverse_iterator = std::reverse_iterator<iterator>;
  using const_reverse_iterator = std::reverse_iterator<const_iterator>;

  SharedStorage() = default;
  SharedStorage(std::shared_ptr<const Mapping> mapping, T* data, size_type size) noexcept
      : mapping_(std::move(mapping)), data_(data), size_(size) {}
  SharedStorage(SharedStorage&& other) noexcept
      : mapping_(std::move(other.mapping_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  SharedStorage& operator=(SharedStorage&& other) noexcept {
    mapping_ = std::move(other.mapping_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  SharedStorage(const SharedStorage&) = delete;
  SharedStorage& operator=(const SharedStorage&) = delete;
  ~SharedStorage() = default;

  size_type size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  pointer data() noexcept { return data_; }
  const_pointer data() const noexcept { return data_; }
  reference operator[](size_type i) noexcept { return data_[static_cast<difference_type>(i)]; }
  const_reference operator[](size_type i) const noexcept { return data_[static_cast<difference_type>(i)]; }
  reference front() noexcept { return data_[0]; }
  const_reference front() const noexcept { return data_[0]; }
  reference back() noexcept { return data_[size_ - 1]; }
  const_reference back() const noexcept { return data_[size_ - 1]; }
  iterator begin() noexcept { return data_; }
  iterator end() noexcept { return data_ + size_; }
  const_iterator begin() const noexcept { return data_; }
  const_iterator end() const noexcept { return data_ + size_; }
  const_iterator cbegin() const noexcept { return data_; }
  const_iterator cend() const noexcept { return data_ + size_; }
  reverse_iterator rbegin() noexcept { return reverse_iterator(end()); }
  reverse_iterator rend() noexcept { return reverse_iterator(begin()); }
  const_reverse_iterator rbegin() const noexcept { return const_reverse_iterator(end()); }
  const_reverse_iterator rend() const noexcept { return const_reverse_iterator(begin()); }
  const_reverse_iterator crbegin() const noexcept { return rbegin(); }
  const_reverse_iterator crend() const noexcept { return rend(); }

  /// The segment that the elements lie in; nullptr where there is none.
  const Segment* segment() const noexcept { return mapping_ ? mapping_->segment() : nullptr; }

 private:
  std::shared_ptr<const Mapping> mapping_;
  T* data_ = nullptr;
  size_type size_ = 0;
};

}  // namespace ndshm::detail
