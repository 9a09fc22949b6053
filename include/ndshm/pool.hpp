// SPDX-License-Identifier: BSL-1.0
// pool.hpp: WorkerPool, whose worker processes take tasks until all are done, and what cuts work into tasks.
#pragma once

#include <ndshm/pool/blocks.hpp>
#include <ndshm/pool/options.hpp>
#include <ndshm/pool/pending_task.hpp>
#include <ndshm/pool/progress.hpp>
#include <ndshm/pool/progress_state.hpp>
#include <ndshm/pool/report.hpp>
#include <ndshm/pool/task_function.hpp>
#include <ndshm/pool/work.hpp>
#include <ndshm/pool/worker.hpp>
#include <ndshm/pool/worker_pool.hpp>
