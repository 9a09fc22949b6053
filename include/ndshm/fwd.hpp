// SPDX-License-Identifier: BSL-1.0
// fwd.hpp: declarations alone, for headers that pass arrays, handles and pools on without looking into them. Declares
// nothing that it would have to define; includes nothing of xtensor, whose layout it declares as xtensor does.
#pragma once

#include <cstddef>
#include <ndshm/core/config.hpp>

namespace xt {
enum class layout_type;
}  // namespace xt

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// The order of the elements: layout::row_major (C), layout::column_major (Fortran), layout::dynamic (any strides).
using layout = xt::layout_type;

class Error;
class ExitStatus;
class Handle;
class Process;
class ReceivedHandle;
struct Progress;
struct Range;
struct RunReport;
struct SegmentInfo;
struct TaskFailure;
struct Worker;
struct WorkerProgram;

template <class T, std::size_t N, layout L = layout{1}>  // layout::row_major; array/xtensor.hpp sees to it that it is
class SharedArray;

template <class Job, class Result>
class WorkerPool;

}  // namespace ndshm
