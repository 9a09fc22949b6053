// SPDX-License-Identifier: BSL-1.0
// dump.cpp: writes segments into files, byte by byte, for systems on which no other program can open them: one of every
// element type in both orders. Behind each header and elements comes a line for numpy_side.py in FOLDER/requests, which
// says what NumPy has to find in the file. Usage: dump FOLDER
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "pattern.hpp"
#include "types.hpp"

namespace conformance {
namespace {

class Dump {
 public:
  explicit Dump(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    requests_.open(folder_ / "requests", std::ios::binary);
  }

  int write_all_types() {
    const auto types = all_types();
    [&]<std::size_t... Number>(std::index_sequence<Number...>) { (write_type<Number>(std::get<Number>(types)), ...); }
    (std::make_index_sequence<std::tuple_size_v<decltype(types)>>{});
    requests_.close();
    std::cout << count_ << " segments written\n";
    return requests_ && count_ > 0 ? 0 : 1;
  }

 private:
  template <std::size_t Number, class T>
  void write_type(const Type<T>& type) {
    write<T, Number % 4, ndshm::layout::row_major>(type.key, "C");
    write<T, Number % 4, ndshm::layout::column_major>(type.key, "F");
  }

  template <class T, std::size_t N, ndshm::layout L>
  void write(std::string key, const std::string& order) {
    if constexpr (std::is_same_v<T, long> || std::is_same_v<T, unsigned long>)
      key = integer_key<T>();  // NumPy's differ
    const std::uint64_t seed = 1000 + count_++;
    Shape shape{3, 1, 4};
    shape.resize(N);
    auto array = ndshm::create<T, N, L>(shape);
    fill(array, all_indices(shape), seed);

    // A mapping starts at a page, and the elements follow within the first.
    constexpr std::uintptr_t page = 4096;
    const auto* const data = reinterpret_cast<const char*>(array.data());
    const char* const start = data - reinterpret_cast<std::uintptr_t>(data) % page;
    const std::string name = std::to_string(count_) + ".npy";
    std::ofstream file(folder_ / name, std::ios::binary);
    file.write(start, data - start);
    file.write(data, static_cast<std::streamsize>(array.nbytes()));
    requests_ << "array\t" << key << '\t' << order << '\t' << joined(shape) << '\t' << seed << '\t' << name
              << "\tnumpy.npy\n";
  }

  std::filesystem::path folder_;
  std::ofstream requests_;
  std::uint64_t count_ = 0;
};

}  // namespace
}  // namespace conformance

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  return conformance::Dump(argv[1]).write_all_types();
}
