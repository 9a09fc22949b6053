// SPDX-License-Identifier: BSL-1.0
// error.hpp: what the library throws. Every failure is an ndshm::Error whose text says what was tried, on what, the
// figures, a stable id in brackets, and the remedy. Includes the standard library alone.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <ndshm/core/config.hpp>
#include <new>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// What went wrong. The names are stable; Error::what() contains them as `[ndshm.name]`.
enum class errc {
  invalid_name = 1,   ///< a segment's name is empty, too long, or has a '/' or a NUL in it
  invalid_shape,      ///< a dimension is negative, or shape times element size does not fit into memory
  invalid_argument,   ///< an argument is outside what its documentation allows
  invalid_handle,     ///< a handle's text breaks a rule of the format
  invalid_header,     ///< a .npy header breaks a rule of the format
  not_found,          ///< there is no such segment, process or descriptor
  already_exists,     ///< the name belongs to a segment that is in use or persistent
  type_mismatch,      ///< the elements are of another type than T
  rank_mismatch,      ///< the array has another number of dimensions than N
  shape_mismatch,     ///< the shapes differ
  layout_mismatch,    ///< the elements do not lie in the order that L asks for
  read_only,          ///< writing was asked for where only reading is granted
  out_of_memory,      ///< the memory that was asked for is not there
  permission_denied,  ///< the system, or the owner check, refused access
  not_a_segment,      ///< an object is there, but it is not one of this library's
  damaged,            ///< a segment is shorter than its header says, or its control page is broken
  incompatible,       ///< a segment of another format version, byte order or ABI
  stale_handle,       ///< what the handle names is there, but it is another segment by now
  timed_out,          ///< the time-out ran out
  task_failed,        ///< tasks of a worker pool were not done; TaskError tells which
  worker_failed,      ///< a worker of a pool could not get ready
  cancelled,          ///< the pool was cancelled or closed before the work was done
  multithreaded,      ///< fork() was refused because other threads run
  unsupported,        ///< this system, or this build's platform path, cannot do it
  system_error        ///< any other refusal by the operating system; Error::os_error() tells which
};

/// Returns the name of a code as messages show it, for example "out_of_memory".
constexpr std::string_view to_string(errc code) noexcept {
  constexpr std::array<std::string_view, 26> names{
      "success",      "invalid_name",   "invalid_shape",     "invalid_argument", "invalid_handle", "invalid_header",
      "not_found",    "already_exists", "type_mismatch",     "rank_mismatch",    "shape_mismatch", "layout_mismatch",
      "read_only",    "out_of_memory",  "permission_denied", "not_a_segment",    "damaged",        "incompatible",
      "stale_handle", "timed_out",      "task_failed",       "worker_failed",    "cancelled",      "multithreaded",
      "unsupported",  "system_error"};
  const auto index = static_cast<std::size_t>(code);
  return index < names.size() ? names[index] : std::string_view{"unknown"};
}

/// Prints the name of a code. Throws: what the stream throws.
inline std::ostream& operator<<(std::ostream& out, errc code) { return out << to_string(code); }

namespace detail {

class NDSHM_VISIBLE ErrorCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "ndshm"; }
  std::string message(int value) const override { return std::string(to_string(static_cast<errc>(value))); }
};

/// Finds what all shared objects of a process have in common: what platform/ gives to this floor, which knows no
/// system. Set while static objects are made; until then each shared object is alone.
using ShareInProcess = void* (*)(const char* key, void* mine) noexcept;
inline constinit ShareInProcess category_sharer = nullptr;

alignas(ErrorCategory) inline constinit unsigned char category_memory[sizeof(ErrorCategory)] = {};

inline bool share_category(ShareInProcess share) noexcept {
  category_sharer = share;
  return true;
}

}  // namespace detail

/// Returns the std::error_category of ndshm::errc, named "ndshm". A process has one.
inline const std::error_category& error_category() noexcept {
  // Never destroyed: the destructor of a static object may meet an error.
  static detail::ErrorCategory& mine = *new (detail::category_memory) detail::ErrorCategory;
  if (detail::category_sharer == nullptr) return mine;
  static const std::error_category& one = *static_cast<const detail::ErrorCategory*>(
      detail::category_sharer("ndshm." NDSHM_DETAIL_QUOTE(NDSHM_ABI_NAMESPACE) ".error_category", &mine));
  return one;
}

/// Returns the std::error_code of an errc.
inline std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), error_category()}; }

/// Returns whether the code is the wanted one. Categories are compared by name, so that this also holds for an error
/// from a shared object that could not find the category of the others.
inline bool operator==(const std::error_code& code, errc wanted) noexcept {
  return code.value() == static_cast<int>(wanted) && std::string_view(code.category().name()) == "ndshm";
}

/// The one exception type of the library.
class NDSHM_VISIBLE Error : public std::system_error {
 public:
  /// Makes an error whose text is `facts [ndshm.code]; remedy`; it ends at the bracket if there is no remedy.
  Error(errc code, std::string_view facts, std::string_view remedy = {})
      : Error(code, std::error_code{}, facts, remedy) {}

  /// Does the same for an error of the operating system, whose text becomes part of the message.
  Error(errc code, std::error_code os_error, std::string_view facts, std::string_view remedy = {})
      : std::system_error(make_error_code(code)),
        os_error_(os_error),
        text_(std::make_shared<const std::string>(compose(code, os_error, facts, remedy))) {}

  /// Returns the message: operation, object, figures, `[ndshm.code]`, remedy.
  const char* what() const noexcept override { return text_->c_str(); }

  /// Returns the code as an enumerator.
  errc condition() const noexcept { return static_cast<errc>(code().value()); }

  /// Returns the message up to the bracket: operation, object, figures.
  std::string_view facts() const noexcept {
    const std::string_view text = *text_;
    return text.substr(0, text.rfind(" [ndshm."));
  }

  /// Returns the error of the operating system; empty (false) if it reported none.
  std::error_code os_error() const noexcept { return os_error_; }

 private:
  static std::string compose(errc code, std::error_code os_error, std::string_view facts, std::string_view remedy) {
    std::string text(facts);
    if (os_error) text.append(": ").append(os_error.message());
    text.append(" [ndshm.").append(to_string(code)).append("]");
    if (!remedy.empty()) text.append("; ").append(remedy);
    return text;
  }

  std::error_code os_error_;
  std::shared_ptr<const std::string> text_;  // shared: copying an exception must not throw
};

}  // namespace ndshm

template <>
struct std::is_error_code_enum<ndshm::errc> : std::true_type {};
