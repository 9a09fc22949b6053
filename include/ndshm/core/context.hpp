// SPDX-License-Identifier: BSL-1.0
// context.hpp: who called, for messages. A context is handed down by value and becomes text only where something fails:
// a call that succeeds composes none. Includes text.hpp.
#pragma once

#include <cstddef>
#include <ndshm/core/text.hpp>
#include <string>
#include <string_view>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// The operation and what it is done to. Views the caller's text, which has to outlive the call.
class Context {
 public:
  constexpr Context() = default;
  /// `name` is empty for an array without a name.
  constexpr explicit Context(std::string_view operation, std::string_view name = {}) noexcept
      : operation_(operation), name_(name) {}

  /// The same, about one of several handles.
  constexpr Context of_handle(std::size_t index) const noexcept {
    Context result = *this;
    result.handle_ = index;
    return result;
  }

  /// `create "weights": `, `create: ` without a name, nothing without an operation: how every message starts.
  std::string to_string() const {
    if (operation_.empty()) return {};
    std::string text(operation_);
    if (!name_.empty()) text.append(" ").append(in_quotes(name_));
    text += ": ";
    if (handle_ != no_handle) text.append("handle ").append(std::to_string(handle_)).append(": ");
    return text;
  }

  friend std::string operator+(const Context& context, std::string_view facts) {
    return context.to_string().append(facts);
  }

 private:
  static constexpr std::size_t no_handle = static_cast<std::size_t>(-1);

  std::string_view operation_;
  std::string_view name_;
  std::size_t handle_ = no_handle;
};

}  // namespace ndshm::detail
