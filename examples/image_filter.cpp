// SPDX-License-Identifier: BSL-1.0
// image_filter.cpp: workers blur an image in tiles of 64 x 64 pixels. Input and output lie in shared memory: each tile
// is computed from its pixels and, without being sent anything, from those of the neighbouring tiles beyond its edges,
// and writes only its own pixels. Nobody waits for anybody, and the result is to the last bit that of one process.
// Usage: image_filter [INPUT [OUTPUT]], binary PPM or PGM images of 8 or 16 bits; - is the one that is generated
//        otherwise.
#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <span>
#include <string>
#include <vector>

#include "pnm.hpp"

namespace {

template <class Sample>
using Image = ndshm::SharedArray<Sample, 3>;  // rows x columns x channels

constexpr std::size_t worker_count = 4;
constexpr std::size_t tile_side = 64;

// A Gaussian bell in whole numbers: binomial coefficients, 256 in all. It is applied along the rows and then along the
// columns; the sum of a 16-bit sample times 256 * 256, and half of that for rounding, just fits into 32 bits.
constexpr std::array<std::uint32_t, 9> weights{1, 8, 28, 56, 70, 56, 28, 8, 1};
constexpr std::size_t radius = weights.size() / 2;

/// The index of what lies `step - radius` away from `index`; beyond an edge of the image, that of the edge.
std::size_t neighbour(std::size_t index, std::size_t step, std::size_t size) {
  return std::min(std::max(index + step, radius) - radius, size - 1);
}

/// Blurs the pixels of one tile.
template <class Sample, class Output>
void blur(const Image<Sample>& input, Output& output, const ndshm::Tile<2>& tile) {
  const auto [rows, columns] = tile;
  const std::size_t height = input.shape(0);
  const std::size_t width = input.shape(1);
  const std::size_t channels = input.shape(2);

  // Along the rows: those of the tile, and of its neighbours above and below.
  xt::xtensor<std::uint32_t, 3> smooth({rows.size() + 2 * radius, columns.size(), channels});
  for (std::size_t r = 0; r < smooth.shape(0); ++r) {
    const std::size_t row = neighbour(rows.begin, r, height);
    for (std::size_t c = 0; c < columns.size(); ++c) {
      for (std::size_t channel = 0; channel < channels; ++channel) {
        std::uint32_t sum = 0;
        for (std::size_t k = 0; k < weights.size(); ++k) {
          sum += weights[k] * input(row, neighbour(columns.begin + c, k, width), channel);
        }
        smooth(r, c, channel) = sum;
      }
    }
  }
  // Along the columns.
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c < columns.size(); ++c) {
      for (std::size_t channel = 0; channel < channels; ++channel) {
        std::uint32_t sum = 256 * 256 / 2;
        for (std::size_t k = 0; k < weights.size(); ++k) sum += weights[k] * smooth(r + k, c, channel);
        output(rows.begin + r, columns.begin + c, channel) = static_cast<Sample>(sum / (256 * 256));
      }
    }
  }
}

/// Circles in three colours, the same ones on every machine.
std::string generate() {
  constexpr std::size_t width = 640;
  constexpr std::size_t height = 480;
  std::vector<std::uint8_t> samples;
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      for (const std::size_t centre : {100U, 300U, 500U}) {
        const std::size_t dx = std::max(x, centre) - std::min(x, centre);
        const std::size_t dy = std::max(y, centre) - std::min(y, centre);
        samples.push_back(static_cast<std::uint8_t>((dx * dx + dy * dy) / 64 % 256));
      }
    }
  }
  return pnm::encode<std::uint8_t>({width, height, 3, 255}, samples);
}

/// Filters the image in these bytes of a file. Whether it was filtered right.
template <class Sample>
bool filter(const std::string& file, const pnm::Header& header, const std::string& name, const char* output_name) {
  const std::array<std::size_t, 3> shape{header.height, header.width, header.channels};
  auto input = ndshm::create<Sample>(shape);
  auto output = ndshm::create<Sample>(shape);
  pnm::decode<Sample>(file, header, {input.data(), input.size()}, name);
  std::cout << "image: " << header.width << " x " << header.height << ", channels: " << header.channels
            << ", bits: " << 8 * sizeof(Sample) << "\n";

  ndshm::WorkerPool pool(worker_count, [&](const ndshm::Tile<2>& tile) { blur(input, output, tile); });
  const auto tiles = ndshm::tiles<2>({header.height, header.width}, {tile_side, tile_side});
  const ndshm::RunReport report = pool.run(tiles, {.progress = ndshm::progress_bar("tiles")});
  std::cout << "tiles: " << report.done << "\n";
  for (std::size_t i = 0; i < report.done_by.size(); ++i) {
    std::cout << "  worker " << i << ": " << report.done_by[i] << "\n";
  }

  auto serial = xt::xtensor<Sample, 3>::from_shape(shape);
  blur(input, serial, {{{0, header.height}, {0, header.width}}});  // one tile
  const bool identical = xt::all(xt::equal(output, serial));
  std::cout << (identical ? "identical to the serial result\n" : "NOT the serial result\n");
  if (output_name != nullptr) {
    pnm::write_file(output_name, pnm::encode<Sample>(header, {output.data(), output.size()}));
  }
  return identical;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc > 3) {
    std::cerr << "usage: " << argv[0] << " [INPUT [OUTPUT]]\n";
    return 2;
  }
  const std::string name = argc > 1 ? argv[1] : "-";
  const char* const output = argc > 2 ? argv[2] : nullptr;
  const std::string file = name == "-" ? generate() : pnm::read_file(name);
  const pnm::Header header = pnm::parse(file, name);
  const bool good = header.sample_bytes() == 1 ? filter<std::uint8_t>(file, header, name, output)
                                               : filter<std::uint16_t>(file, header, name, output);
  return good ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
