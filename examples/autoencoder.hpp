// SPDX-License-Identifier: BSL-1.0
// autoencoder.hpp: the network of ensemble.cpp: an autoencoder with one hidden layer, its loss and its gradient.
//   hidden = tanh(W1 x + b1), output = W2 hidden + b2
// The parameters are one span of numbers, W1 b1 W2 b2, so that they can lie anywhere: here, in a row of a shared array.
// tests/autoencoder.cpp compares the gradient with finite differences. Includes the standard library alone.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

class Autoencoder {
 public:
  Autoencoder(std::size_t inputs, std::size_t hidden) : inputs_(inputs), hidden_(hidden) {}

  std::size_t inputs() const noexcept { return inputs_; }
  std::size_t hidden() const noexcept { return hidden_; }
  std::size_t parameter_count() const noexcept { return 2 * inputs_ * hidden_ + hidden_ + inputs_; }

  /// Random weights for each seed, the same ones on every machine; the biases are 0.
  void initialise(std::span<double> parameters, std::uint32_t seed) const {
    std::mt19937 random(seed);
    const auto uniform = [&] { return static_cast<double>(random()) / 4294967296.0 * 2.0 - 1.0; };
    const std::size_t weights = inputs_ * hidden_;
    const double scale = std::sqrt(3.0 / static_cast<double>(inputs_));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const bool is_weight = i < weights || (i >= weights + hidden_ && i < 2 * weights + hidden_);
      parameters[i] = is_weight ? scale * uniform() : 0.0;
    }
  }

  /// Half the squared distance of the rows from their reconstruction, the mean over the rows. `rows` are one or more
  /// rows of `inputs` numbers, one behind the other.
  double loss(std::span<const double> parameters, std::span<const double> rows) const {
    Activations now(*this);
    double sum = 0;
    for (std::size_t row = 0; row < rows.size(); row += inputs_) {
      sum += forward(parameters, rows.subspan(row, inputs_), now);
    }
    return sum / static_cast<double>(rows.size() / inputs_);
  }

  /// Writes the derivative of the loss by each parameter into `gradient`; returns the loss.
  double gradient(std::span<const double> parameters, std::span<const double> rows, std::span<double> gradient) const {
    Activations now(*this);
    for (double& each : gradient) each = 0;
    double sum = 0;
    for (std::size_t row = 0; row < rows.size(); row += inputs_) {
      const auto x = rows.subspan(row, inputs_);
      sum += forward(parameters, x, now);
      backward(parameters, x, now, gradient);
    }
    const auto count = static_cast<double>(rows.size() / inputs_);
    for (double& each : gradient) each /= count;
    return sum / count;
  }

 private:
  struct Activations {
    explicit Activations(const Autoencoder& network) : hidden(network.hidden_), error(network.inputs_) {}
    std::vector<double> hidden;
    std::vector<double> error;  ///< output - input: the derivative of the loss by the output
  };

  // Where the weights between input i and hidden unit h, and the biases, stand among the parameters.
  std::size_t w1(std::size_t h, std::size_t i) const noexcept { return h * inputs_ + i; }
  std::size_t b1(std::size_t h) const noexcept { return inputs_ * hidden_ + h; }
  std::size_t w2(std::size_t i, std::size_t h) const noexcept { return (inputs_ + 1) * hidden_ + i * hidden_ + h; }
  std::size_t b2(std::size_t i) const noexcept { return (2 * inputs_ + 1) * hidden_ + i; }

  double forward(std::span<const double> parameters, std::span<const double> x, Activations& now) const {
    for (std::size_t h = 0; h < hidden_; ++h) {
      double sum = parameters[b1(h)];
      for (std::size_t i = 0; i < inputs_; ++i) sum += parameters[w1(h, i)] * x[i];
      now.hidden[h] = std::tanh(sum);
    }
    double loss = 0;
    for (std::size_t i = 0; i < inputs_; ++i) {
      double sum = parameters[b2(i)];
      for (std::size_t h = 0; h < hidden_; ++h) sum += parameters[w2(i, h)] * now.hidden[h];
      now.error[i] = sum - x[i];
      loss += 0.5 * now.error[i] * now.error[i];
    }
    return loss;
  }

  void backward(std::span<const double> parameters, std::span<const double> x, const Activations& now,
                std::span<double> gradient) const {
    for (std::size_t i = 0; i < inputs_; ++i) {
      gradient[b2(i)] += now.error[i];
      for (std::size_t h = 0; h < hidden_; ++h) gradient[w2(i, h)] += now.error[i] * now.hidden[h];
    }
    for (std::size_t h = 0; h < hidden_; ++h) {
      double sum = 0;
      for (std::size_t i = 0; i < inputs_; ++i) sum += now.error[i] * parameters[w2(i, h)];
      const double slope = sum * (1.0 - now.hidden[h] * now.hidden[h]);
      gradient[b1(h)] += slope;
      for (std::size_t i = 0; i < inputs_; ++i) gradient[w1(h, i)] += slope * x[i];
    }
  }

  std::size_t inputs_;
  std::size_t hidden_;
};
