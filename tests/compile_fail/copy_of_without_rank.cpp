// expect: ndshm: this shape does not say its number of dimensions; write it: create<T, N>, copy_of<N>
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>
#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xarray.hpp>
#else
#include <xtensor/xarray.hpp>
#endif

auto copy(const xt::xarray<double>& image) { return ndshm::copy_of("image", image); }
