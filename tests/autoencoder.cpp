// SPDX-License-Identifier: BSL-1.0
// autoencoder.cpp: the network of the example ensemble: its gradient against finite differences, its loss by hand.
#include "../examples/autoencoder.hpp"

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "catch.hpp"

namespace {

std::vector<double> some_rows(std::size_t size) {
  std::vector<double> rows(size);
  for (std::size_t i = 0; i < size; ++i) rows[i] = std::sin(static_cast<double>(i * i + 1));
  return rows;
}

/// Parameters with biases that are not 0.
std::vector<double> some_parameters(const Autoencoder& network) {
  std::vector<double> parameters(network.parameter_count());
  network.initialise(parameters, 7);
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] += 0.1 * std::cos(static_cast<double>(i));
  return parameters;
}

}  // namespace

TEST_CASE("the gradient is that of central finite differences, for every parameter") {
  for (const auto [inputs, hidden, count] : {std::array<std::size_t, 3>{5, 3, 4}, {3, 5, 1}, {1, 1, 7}, {8, 2, 20}}) {
    const Autoencoder network(inputs, hidden);
    const std::vector<double> rows = some_rows(count * inputs);
    const std::vector<double> parameters = some_parameters(network);
    std::vector<double> gradient(parameters.size(), 1e9);  // has to be overwritten
    CHECK(network.gradient(parameters, rows, gradient) == Approx(network.loss(parameters, rows)));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      constexpr double step = 1e-5;
      std::vector<double> moved = parameters;
      moved[i] = parameters[i] + step;
      const double above = network.loss(moved, rows);
      moved[i] = parameters[i] - step;
      const double below = network.loss(moved, rows);
      INFO("inputs " << inputs << ", hidden " << hidden << ", parameter " << i);
      CHECK(gradient[i] == Approx((above - below) / (2 * step)).epsilon(1e-6).margin(1e-8));
    }
  }
}

TEST_CASE("the loss is half the squared distance, the mean over the rows") {
  const Autoencoder network(2, 1);
  std::vector<double> parameters(network.parameter_count(), 0.0);
  REQUIRE(parameters.size() == 7);
  const std::vector<double> rows{3, 4, 1, 0};
  CHECK(network.loss(parameters, rows) == Approx((25.0 + 1.0) / 2 / 2));
  // W1 = (1, 0), b1 = 0.5, W2 = (2, 0), b2 = (0, 4)
  parameters = {1, 0, 0.5, 2, 0, 0, 4};
  CHECK(network.loss(parameters, std::span(rows).first(2)) == Approx(0.5 * std::pow(2 * std::tanh(3.5) - 3, 2)));
}

TEST_CASE("a seed stands for the same weights everywhere, another one for others") {
  const Autoencoder network(4, 2);
  std::vector<double> a(network.parameter_count());
  std::vector<double> b = a;
  std::vector<double> c = a;
  network.initialise(a, 1);
  network.initialise(b, 1);
  network.initialise(c, 2);
  CHECK(a == b);
  CHECK(a != c);
  CHECK(a[0] == Approx(std::sqrt(0.75) * (1791095845 / 2147483648.0 - 1)));  // the first number of mt19937(1)
}
