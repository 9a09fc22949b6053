// SPDX-License-Identifier: BSL-1.0
// use.hpp: some of each room, so that what the macros break in templates is seen, too. Included behind the library.
#pragma once

namespace {

struct Particle {
  float mass;
  double position[3];
};
NDSHM_STRUCT(Particle, mass, position)

[[maybe_unused]] void use_library() {
  auto array = ndshm::create<double>("macros", {2, 3});
  const auto same = ndshm::attach<const double, 2>(array.handle());
  array = 2 * same;
  const auto other = ndshm::create_or_attach<int, 1, ndshm::layout::column_major>("other", {4});
  const auto copy = ndshm::copy_of(xt::view(other, 1), {.reserve = ndshm::Reserve::lazy});
  const auto particles = ndshm::create<Particle>({8});

  ndshm::WorkerPool<ndshm::Range, std::size_t> pool(2, ndshm::WorkerProgram{"program"}, {.max_replacements = 1});
  (void)pool.map(ndshm::blocks(10, 3), {.progress = ndshm::progress_bar()});
  (void)pool.submit({0, 1}).wait_for(std::chrono::seconds(1));

  auto child = ndshm::spawn("program", {}, {array.handle()});
  (void)child.wait_for(std::chrono::seconds(1));
  (void)ndshm::list();
}

}  // namespace
