// SPDX-License-Identifier: BSL-1.0
// numpy_neighbour.cpp: three arrays that Python reads and changes in place, with NumPy alone: a matrix, one in Fortran
// order, and an array of structs that has no name.
// Usage: numpy_neighbour PYTHON SCRIPT, an interpreter that has NumPy and python/numpy_neighbour.py.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <string>

extern char** environ;

namespace {

/// NumPy sees the members as fields of these names, and the four bytes behind `id` as padding.
struct Particle {
  std::int32_t id;
  double mass;
  std::array<float, 3> position;
};
NDSHM_STRUCT(Particle, id, mass, position)

/// Runs a program with these arguments; returns its exit code.
int run(std::array<std::string, 5> arguments) {
  std::array<char*, arguments.size() + 1> argv{};  // ends in a null pointer
  for (std::size_t i = 0; i < arguments.size(); ++i) argv[i] = arguments[i].data();
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ);
  if (error != 0) throw std::system_error(error, std::generic_category(), argv[0]);
  int status = -1;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: " << argv[0] << " PYTHON SCRIPT\n";
    return 2;
  }
  const std::string run_id = std::to_string(::getpid());

  auto matrix = ndshm::create<double>("matrix-" + run_id, {2, 3});
  matrix = xt::ones<double>({2, 3});

  auto columns = ndshm::create<std::int32_t, 2, ndshm::layout::column_major>("columns-" + run_id, {2, 3});
  columns(0, 1) = 1;
  columns(1, 2) = 2;

  auto particles = ndshm::create<Particle>({2});  // seen through this process: /proc/PID/fd/N
  particles(0) = {1, 0.5, {1.0F, 2.0F, 3.0F}};
  particles(1) = {2, 1.5, {4.0F, 5.0F, 6.0F}};

  std::cout << "C++ has\n  " << matrix.path() << "\n  " << columns.path() << "\n  " << particles.path() << std::endl;
  const int exit_code = run({argv[1], argv[2], matrix.path(), columns.path(), particles.path()});

  std::cout << "C++ sees\n" << matrix << "\n" << columns << "\n";
  for (const Particle& particle : particles) {
    std::cout << "particle " << particle.id << ": mass " << particle.mass << ", x " << particle.position[0] << "\n";
  }
  return exit_code;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
