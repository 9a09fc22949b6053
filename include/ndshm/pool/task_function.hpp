// SPDX-License-Identifier: BSL-1.0
// task_function.hpp: what the function of a pool takes and returns, and how it is called. Includes worker.hpp.
#pragma once

#include <functional>
#include <ndshm/core/config.hpp>
#include <ndshm/pool/worker.hpp>
#include <type_traits>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// `type` is the type of the jobs that a function takes: that of its first parameter, without const and reference.
template <class Function>
struct TaskJob : TaskJob<decltype(&Function::operator())> {};
template <class R, class J, class... Rest>
struct TaskJob<R (*)(J, Rest...)> : std::type_identity<std::decay_t<J>> {};
template <class R, class C, class J, class... Rest>
struct TaskJob<R (C::*)(J, Rest...)> : std::type_identity<std::decay_t<J>> {};
template <class R, class C, class J, class... Rest>
struct TaskJob<R (C::*)(J, Rest...) const> : std::type_identity<std::decay_t<J>> {};
template <class R, class J, class... Rest>
struct TaskJob<R (*)(J, Rest...) noexcept> : std::type_identity<std::decay_t<J>> {};
template <class R, class C, class J, class... Rest>
struct TaskJob<R (C::*)(J, Rest...) noexcept> : std::type_identity<std::decay_t<J>> {};
template <class R, class C, class J, class... Rest>
struct TaskJob<R (C::*)(J, Rest...) const noexcept> : std::type_identity<std::decay_t<J>> {};

/// `type` is the type of what a function returns for a job, with or without a Worker as its second argument.
template <class Function, class Job = typename TaskJob<Function>::type>
struct TaskResult : std::decay<typename std::conditional_t<std::is_invocable_v<Function&, const Job&, const Worker&>,
                                                           std::invoke_result<Function&, const Job&, const Worker&>,
                                                           std::invoke_result<Function&, const Job&>>::type> {};

namespace detail {

/// Calls function(job) or function(job, worker).
template <class Function, class Job>
decltype(auto) call_task(Function& function, const Job& job, const Worker& worker) {
  if constexpr (std::is_invocable_v<Function&, const Job&, const Worker&>) {
    return std::invoke(function, job, worker);
  } else {
    return std::invoke(function, job);
  }
}

}  // namespace detail

}  // namespace ndshm
