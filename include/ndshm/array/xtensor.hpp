// SPDX-License-Identifier: BSL-1.0
// xtensor.hpp: the only file that includes xtensor, whose headers moved into folders with 0.26. Supports 0.24.3 to
// 0.27.
#pragma once

#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xbuffer_adaptor.hpp>
#include <xtensor/containers/xcontainer.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/core/xassign.hpp>
#include <xtensor/core/xlayout.hpp>
#include <xtensor/core/xmath.hpp>
#include <xtensor/core/xnoalias.hpp>
#include <xtensor/core/xsemantic.hpp>
#include <xtensor/core/xstrides.hpp>
#include <xtensor/io/xio.hpp>
#include <xtensor/views/xbroadcast.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xassign.hpp>
#include <xtensor/xbroadcast.hpp>
#include <xtensor/xcontainer.hpp>
#include <xtensor/xio.hpp>
#include <xtensor/xlayout.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xsemantic.hpp>
#include <xtensor/xstrides.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#endif

#include <ndshm/fwd.hpp>

static_assert(ndshm::layout{1} == xt::layout_type::row_major,
              "ndshm: fwd.hpp takes another number for row_major than this xtensor");
