// expect: ndshm: describe this struct after its definition: NDSHM_STRUCT(Type, member, member)
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

struct Particle {
  float x;
  float y;
};

auto array = ndshm::create<Particle>({4});
