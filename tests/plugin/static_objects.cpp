// SPDX-License-Identifier: BSL-1.0
// static_objects.cpp: destructors of static objects that were made before the library was first used, and threads that
// outlive main(): nothing that they need has been destroyed. AddressSanitizer sees more of it.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ndshm/ndshm.hpp>
#include <string>
#include <thread>

#include "require.hpp"

namespace {

struct Particle {
  float x, y;
  double mass;
  int a_name_that_is_too_long_for_the_text_to_lie_in_the_string_itself;
};
NDSHM_STRUCT(Particle, x, y, mass, a_name_that_is_too_long_for_the_text_to_lie_in_the_string_itself)

void use_everything() {
  const std::string name = "static-" + std::to_string(::getpid());
  const auto array = ndshm::create<Particle>({10});
#if NDSHM_HAS_PROCESS_HANDLES || NDSHM_HAS_FORK
  REQUIRE((ndshm::attach<Particle, 1>(array.handle()).size() == 10));
#endif
  const auto named = ndshm::create<Particle>(name, {3});
  REQUIRE((ndshm::attach<Particle, 1>(name).size() == 3));
  bool thrown = false;
  try {
    ndshm::attach<Particle, 1>(name + "-none");
  } catch (const ndshm::Error& error) {
    thrown = error.code() == ndshm::errc::not_found;
  }
  REQUIRE(thrown);
  REQUIRE(ndshm::inherited_count() == 0);
}

struct Early {
  ~Early() {
    use_everything();
    std::fputs("used in a static destructor\n", stdout);
  }
} early;

std::atomic<bool> started = false;

}  // namespace

int main() {
  use_everything();
  std::thread([] {
    started = true;
    for (;;) ndshm::create<Particle>({10});
  }).detach();
  while (!started) std::this_thread::yield();
  return 0;
}
