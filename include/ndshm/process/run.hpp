// SPDX-License-Identifier: BSL-1.0
// run.hpp: running the function of a child, so that what it throws reaches the parent. Includes platform/, no xtensor.
#pragma once

#include <boost/core/demangle.hpp>
#include <cstdio>
#include <exception>
#include <functional>
#include <ndshm/platform/platform.hpp>
#include <ndshm/process/process.hpp>
#include <string>
#include <type_traits>
#include <typeinfo>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {

/// `std::runtime_error: out of cheese`, in a catch block.
inline std::string text_of_current_exception() {
  try {
    throw;
  } catch (const std::exception& error) {
    return boost::core::demangle(typeid(error).name()) + ": " + error.what();
  } catch (...) {
    return "an exception that is not a std::exception";
  }
}

/// Runs a child's function: the exit code. The exception that leaves it is reported to the parent, or printed when no
/// parent listens.
template <class Function>
int run_and_report(Function& function) {
  static_assert(std::is_invocable_v<Function&>, "ndshm: a child runs a function without parameters");
  const auto report = [](const std::string& text) {
    if (!os::report_to_parent(text)) std::fprintf(stderr, "%s\n", text.c_str());
  };
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Function&>>) {
      std::invoke(function);
      return 0;
    } else {
      return static_cast<int>(std::invoke(function));
    }
  } catch (...) {
    report(text_of_current_exception());
  }
  return Process::exception_exit_code;
}

}  // namespace ndshm::detail
