// SPDX-License-Identifier: BSL-1.0
// dump.cpp: writes whole segments into files, byte by byte, for systems on which no other program can open them: one of
// every element type in both orders, with and without a name. A line for numpy_side.py in FOLDER/requests says what
// NumPy has to find in each. Usage: dump FOLDER
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <stdexcept>
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
    const bool named = count_ % 2 == 0;
    const std::string name = "dump-" + std::to_string(ndshm::detail::os::process_id());
    auto array = named ? ndshm::create<T, N, L>(name, shape) : ndshm::create<T, N, L>(shape);
    fill(array, all_indices(shape), seed);

    namespace os = ndshm::detail::os;
    const os::Object object =
        named ? *os::peek_named({name}) : os::open_descriptor(array.handle().descriptor(), os::Access::read_only, {});
    std::vector<char> bytes(object.size());
    if (!object.read(0, bytes.data(), bytes.size())) throw std::runtime_error("cannot read a segment");
    const std::string path = std::to_string(count_) + ".npy";
    std::ofstream(folder_ / path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    requests_ << "array\t" << key << '\t' << order << '\t' << joined(shape) << '\t' << seed << '\t' << path
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
