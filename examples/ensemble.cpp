// SPDX-License-Identifier: BSL-1.0
// ensemble.cpp: 30 small autoencoders learn the same matrix, each from its own 1/30 of the rows, trained by workers in
// parallel. Their parameters are the rows of one shared array. Every few epochs they are replaced by their average, in
// place: no worker sends or receives any. (Known as local SGD, or federated averaging.) It ends with the loss on rows
// that none has seen, with and without averaging.
//
// All models start from the same random parameters. Averaging needs that: the hidden units of a network have no order,
// and models that start apart arrive at the same function with their units permuted and with opposite signs; the mean
// of two such models is neither of them. Those that start together and meet often stay close enough for their mean to
// be a better model than each of them.
//
// Usage: ensemble [MATRIX.npy [OUTPUT.npy]], a matrix of doubles, rows x columns; - is the one that is generated
//        otherwise. The average parameters are written to OUTPUT.npy.
//        ensemble --generate MATRIX.npy only writes the generated matrix.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#if __has_include(<xtensor/io/xnpy.hpp>)  // where it is since xtensor 0.26
#include <xtensor/io/xnpy.hpp>
#else
#include <xtensor/xnpy.hpp>
#endif

#include "autoencoder.hpp"

namespace {

using ndshm::Range;
using Matrix = ndshm::SharedArray<double, 2>;

constexpr std::size_t model_count = 30;
constexpr std::size_t hidden_units = 6;
constexpr std::size_t rounds = 40;
constexpr std::size_t epochs_per_round = 5;
constexpr std::size_t batch_rows = 10;

/// One progress bar for many runs of equally many tasks.
class Progress {
 public:
  Progress(const char* title, std::size_t runs) : bar_(ndshm::progress_bar(title)), runs_(runs) {}

  /// For the next run: what it tells is a part of the whole.
  ndshm::ProgressCallback next_run() {
    return [this, before = run_++](ndshm::Progress progress) {
      const std::size_t tasks = progress.total.value();
      progress.done += before * tasks;
      progress.total = runs_ * tasks;
      progress.elapsed = std::chrono::steady_clock::now() - start_;
      progress.is_over = progress.is_over && before + 1 == runs_;
      bar_(progress);
    };
  }

 private:
  ndshm::ProgressCallback bar_;
  std::size_t runs_;
  std::size_t run_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The task of a worker: an epoch is one pass of one model over its own rows.
struct Training {
  std::size_t model = 0;
  std::size_t first_epoch = 0;
  std::size_t epochs = 0;
};

/// Rows that depend on four numbers each, which an autoencoder can find, and noise, which it cannot.
xt::xtensor<double, 2> generate() {
  constexpr std::size_t rank = 4;
  std::mt19937 random(1);
  const auto uniform = [&] { return static_cast<double>(random()) / 4294967296.0 * 2.0 - 1.0; };
  xt::xtensor<double, 2> directions({rank, 20});
  std::generate(directions.begin(), directions.end(), uniform);
  xt::xtensor<double, 2> matrix({1500, 20});
  for (std::size_t row = 0; row < matrix.shape(0); ++row) {
    auto values = xt::view(matrix, row);
    std::generate(values.begin(), values.end(), [&] { return 0.5 * uniform(); });
    for (std::size_t i = 0; i < rank; ++i) values += uniform() * xt::view(directions, i);
  }
  return matrix;
}

/// The matrix in shared memory, each column with the mean 0 and the variance 1.
Matrix load(const std::string& file) try {
  Matrix matrix = file == "-" ? ndshm::copy_of(generate()) : ndshm::copy_of<2>(xt::load_npy<double>(file));
  if (matrix.shape(0) < 3 * model_count || matrix.shape(1) == 0) {
    throw std::invalid_argument("a matrix of " + std::to_string(matrix.shape(0)) + " x " +
                                std::to_string(matrix.shape(1)) + " is too small: " + std::to_string(model_count) +
                                " models need at least " + std::to_string(3 * model_count) + " rows to learn from");
  }
  for (std::size_t column = 0; column < matrix.shape(1); ++column) {
    auto values = xt::view(matrix, xt::all(), column);
    const double mean = xt::mean(values)();
    values -= mean;
    const double deviation = std::sqrt(xt::mean(values * values)());
    if (!std::isfinite(deviation)) throw std::invalid_argument("column " + std::to_string(column) + " is not finite");
    if (deviation > 0) values /= deviation;
  }
  return matrix;
} catch (const std::exception& error) {
  throw std::runtime_error("\"" + file + "\": " + error.what() + " (wanted: rows x columns of doubles, as .npy)");
}

std::span<const double> rows_of(const Matrix& matrix, Range rows) {
  const std::size_t columns = matrix.shape(1);
  return {matrix.data() + rows.begin * columns, rows.size() * columns};
}

/// Some epochs of stochastic gradient descent: batches of rows in an order that differs by model and epoch.
void train(const Autoencoder& network, std::span<double> parameters, const Matrix& matrix, Range rows,
           const Training& job) {
  const double rate = 1.0 / static_cast<double>(network.inputs());
  std::vector<double> gradient(parameters.size());
  std::vector<Range> batches;
  for (const Range& batch : ndshm::blocks(rows.size(), batch_rows)) {
    batches.push_back({rows.begin + batch.begin, rows.begin + batch.end});
  }
  for (std::size_t epoch = job.first_epoch; epoch < job.first_epoch + job.epochs; ++epoch) {
    std::mt19937 random(static_cast<std::uint32_t>(epoch * model_count + job.model));
    for (std::size_t i = batches.size(); i > 1; --i) std::swap(batches[i - 1], batches[random() % i]);
    for (const Range& batch : batches) {
      network.gradient(parameters, rows_of(matrix, batch), gradient);
      for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] -= rate * gradient[i];
    }
  }
}

class Ensemble {
 public:
  explicit Ensemble(const Matrix& matrix)
      : matrix_(matrix),
        learnt_{0, matrix.shape(0) - matrix.shape(0) / 5},
        network_(matrix.shape(1), hidden_units),
        models_(ndshm::create<double>({model_count, network_.parameter_count()})),
        average_(ndshm::create<double>({network_.parameter_count()})),
        pool_(std::max(2U, std::thread::hardware_concurrency()), [this](const Training& job) {
          const Range rows = ndshm::share_of(learnt_.size(), job.model, model_count);
          train(network_, parameters(job.model), matrix_, rows, job);
        }) {}
  // The workers know it by its address.
  Ensemble(const Ensemble&) = delete;
  Ensemble& operator=(const Ensemble&) = delete;

  const ndshm::SharedArray<double, 1>& average() const { return average_; }

  /// Gives all models the same random parameters.
  void start() {
    network_.initialise({average_.data(), average_.size()}, 1);
    spread();
  }

  /// Trains all models for the next epochs, and averages. run() returns when all are trained, and the workers begin
  /// nothing before the next run(): in between, this process has the array to itself.
  void learn(std::size_t round, Progress& progress) {
    std::vector<Training> jobs;
    for (std::size_t i = 0; i < model_count; ++i) jobs.push_back({i, round * epochs_per_round, epochs_per_round});
    pool_.run(jobs, {.progress = progress.next_run()});
    xt::noalias(average_) = xt::mean(models_, {0});
  }

  /// Sets every model to the average.
  void spread() { xt::noalias(models_) = xt::broadcast(average_, models_.shape()); }

  /// The loss of the average model on the rows that no model learns from.
  double loss_of_average() const { return network_.loss({average_.data(), average_.size()}, held_out()); }

  /// The mean of the losses of the models on these rows.
  double mean_loss() {
    double sum = 0;
    for (std::size_t i = 0; i < model_count; ++i) sum += network_.loss(parameters(i), held_out());
    return sum / static_cast<double>(model_count);
  }

 private:
  std::span<double> parameters(std::size_t model) {
    return {models_.data() + model * models_.shape(1), models_.shape(1)};
  }
  std::span<const double> held_out() const { return rows_of(matrix_, {learnt_.end, matrix_.shape(0)}); }

  const Matrix& matrix_;
  Range learnt_;
  Autoencoder network_;
  ndshm::SharedArray<double, 2> models_;   // models x parameters
  ndshm::SharedArray<double, 1> average_;  // parameters
  ndshm::WorkerPool<Training> pool_;       // last: it is forked when all of the others are there
};

void print(const std::string& what, double loss) {
  std::cout << what << ": " << std::fixed << std::setprecision(3) << loss << "\n";
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc > 3) {
    std::cerr << "usage: " << argv[0] << " [MATRIX.npy [OUTPUT.npy]], or --generate MATRIX.npy\n";
    return 2;
  }
  const std::string input = argc > 1 ? argv[1] : "-";
  if (input == "--generate" && argc > 2) {
    xt::dump_npy(argv[2], generate());
    return 0;
  }

  const Matrix matrix = load(input);
  Ensemble ensemble(matrix);
  std::cout << "matrix: " << matrix.shape(0) << " x " << matrix.shape(1) << "; " << model_count << " models of "
            << ensemble.average().size() << " parameters\nloss on rows that no model has seen\n";

  ensemble.start();
  const double before = ensemble.loss_of_average();
  print("before", before);

  Progress apart("apart", rounds);
  for (std::size_t round = 0; round < rounds; ++round) ensemble.learn(round, apart);
  const double alone = ensemble.mean_loss();
  print("each model on its own, the mean", alone);
  const double once = ensemble.loss_of_average();
  print("their parameters averaged once, at the end", once);

  std::cout << "averaged every " << epochs_per_round << " epochs\n";
  ensemble.start();
  Progress averaging("averaging", rounds);
  for (std::size_t round = 0; round < rounds; ++round) {
    ensemble.learn(round, averaging);
    ensemble.spread();
    const std::size_t epochs = (round + 1) * epochs_per_round;
    if (epochs % 40 == 0) print("  after " + std::to_string(epochs) + " epochs", ensemble.mean_loss());
  }
  const double together = ensemble.loss_of_average();
  if (argc > 2) xt::dump_npy(argv[2], ensemble.average());

  const bool good = together < 0.5 * before && together < std::min(alone, once);
  std::cout << (good ? "averaging has made the models better\n" : "averaging has not helped here\n");
  return good ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
