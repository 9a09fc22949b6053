// SPDX-License-Identifier: BSL-1.0
// inherited.hpp: a program that ndshm::spawn() started finds here what it was given. Includes format/ and platform/, no
// xtensor.
//
//   auto array = ndshm::attach<double, 2>(ndshm::inherited(0));
//
// The handles travel in the variables NDSHM_HANDLE_0, _1, … and NDSHM_HANDLE_COUNT, those of anonymous arrays with a
// descriptor, whose place among the inherited ones stands in the text. All variables that start with NDSHM_ are the
// library's own, meant for one child alone: spawn() does not pass on those that this process was given.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <ndshm/core/error.hpp>
#include <ndshm/format/handle.hpp>
#include <ndshm/format/place.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/process/run.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

inline constexpr const char* handle_variable = "NDSHM_HANDLE_";
inline constexpr const char* count_variable = "NDSHM_HANDLE_COUNT";

/// Returns the texts of the handles that this process was given; none if spawn() did not start it.
inline const std::vector<std::string>& inherited_texts() {
  static const std::vector<std::string>& texts = *new std::vector<std::string>([] {  // never destroyed
    std::vector<std::string> found;
    const char* const value = std::getenv(count_variable);
    if (!os::inherited_descriptors() || value == nullptr) return found;
    const std::string_view digits = value;
    std::size_t count = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), count);
    while (found.size() < count) {
      const char* const text = std::getenv((handle_variable + std::to_string(found.size())).c_str());
      if (text == nullptr) break;
      found.emplace_back(text);
    }
    return found;
  }());
  return texts;
}

}  // namespace ndshm::detail

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// Returns how many handles the spawn() that started this process passed on; 0 if spawn() did not start it.
inline std::size_t inherited_count() { return detail::inherited_texts().size(); }

/// Returns handle number `index` of those given to spawn(). It can be attached any number of times: its descriptor
/// stays open, and with it the memory of an anonymous array, until this process ends. Programs that this one starts do
/// not inherit it unless it is passed on again. Throws: errc::not_found if there are not that many handles,
/// errc::invalid_handle if the handle's text, or its descriptor, is not one that spawn() passes on.
inline Handle inherited(std::size_t index) {
  const std::vector<std::string>& texts = detail::inherited_texts();
  const auto given = detail::os::inherited_descriptors();
  if (index >= texts.size()) {
    throw Error(errc::not_found,
                "inherited: there is no handle " + std::to_string(index) + ", " +
                    (given ? "this process was given " + std::to_string(texts.size())
                           : "this process was not started by ndshm::spawn"),
                "pass it to ndshm::spawn(program, arguments, {handle, ...})");
  }
  Handle handle = Handle::parse(texts[index]);
  if (handle.is_named()) return handle;
  const auto* const place = std::get_if<InheritedPlace>(&handle.place());
  if (place != nullptr && place->index < given.value_or(0)) {
    return handle.at(DescriptorPlace{detail::os::inherited_descriptor(place->index)});
  }
  throw Error(errc::invalid_handle, "inherited: handle " + std::to_string(index) +
                                        (place != nullptr ? " refers to descriptor " + std::to_string(place->index) +
                                                                " of those that this process was given"
                                                          : " refers to no descriptor that this process was given"));
}

/// Runs the function of a main() program: `return ndshm::run_main([&] { … });`. The function returns void or an int.
/// Returns the exit code: that of the function, or Process::exception_exit_code if it throws. The text of the exception
/// reaches the Process of the spawn() that started this program, or is printed if there is none. Never throws.
template <class Function>
int run_main(Function&& function) {
  inherited_count();  // what was handed over closes on exec from here on
  return detail::run_and_report(function);
}

}  // namespace ndshm
