// SPDX-License-Identifier: BSL-1.0
// driver.cpp: runs the fuzz target without a fuzzer, so that every compiler's test run covers it: first each file of
// the corpus, then a number of mutations of them, the same ones each time.
//   fuzz_replay CORPUS-DIRECTORY ITERATIONS
#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

const Bytes* current = nullptr;  // what is being run, for the message when it crashes

/// Shows the input in hexadecimal. Only for signals that the program raises by itself, so that stdio may be used.
extern "C" void show_input(int signal) {
  std::fputs("crashed on:", stderr);
  for (std::size_t i = 0; current != nullptr && i < current->size(); ++i) std::fprintf(stderr, " %02x", (*current)[i]);
  std::fputs("\n", stderr);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const Bytes& input) {
  current = &input;
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

/// Pieces of the formats, put in where a random byte would only break them.
constexpr std::array<std::string_view, 52> tokens{
    "'descr': ",
    "'fortran_order': ",
    "'shape': ",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "'",
    "\"",
    ", ",
    ",",
    "True",
    "False",
    "'<f8'",
    "'|O8'",
    "'|O'",
    "<U4",
    "|S8",
    "|V16",
    "|b1",
    ">i4",
    "<c16",
    "('x', '<f4')",
    "('', '|V4')",
    "('y', '<i2', (3,))",
    "('z', '<i2', (0,))",
    "[('x', [('y', '<f8')])]",
    "0",
    "-1",
    "00",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "4611686018427387904",
    "\n",
    "ndshm1:",
    ":name=",
    "pid=1:fd=7",
    ":uuid=",
    ":type=",
    ":shape=",
    ":strides=",
    ":offset=",
    ":access=ro",
    "%20",
    "%2F",
    "%00",
    "%C3%BC",
    "NDSHMctl",
    std::string_view("\x04\x03\x02\x01", 4),
};

class Mutator {
 public:
  explicit Mutator(const std::vector<Bytes>& corpus) : corpus_(corpus) {}

  Bytes next() {
    Bytes input = pick();
    for (std::size_t round = 1 + below(4); round > 0; --round) mutate(input);
    if (input.size() > longest) input.resize(longest);
    return input;
  }

 private:
  static constexpr std::size_t longest = 16 * 1024;

  // Not std::uniform_int_distribution: its numbers differ from one standard library to the next.
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }
  const Bytes& pick() { return corpus_[below(corpus_.size())]; }

  /// A place in the input; the end is one, too. The first byte chooses the target and mostly stays.
  std::size_t place(const Bytes& input) {
    const std::size_t position = below(input.size() + 1);
    return position == 0 && below(16) != 0 ? std::min<std::size_t>(1, input.size()) : position;
  }

  static Bytes::iterator at(Bytes& input, std::size_t position) {
    return input.begin() + static_cast<std::ptrdiff_t>(position);
  }

  /// A run of up to 16 bytes, or of any length now and then.
  Bytes span_of(Bytes& input) {
    const std::size_t start = place(input);
    const std::size_t length = std::min(input.size() - start, 1 + below(below(8) == 0 ? 512 : 16));
    return {at(input, start), at(input, start + length)};
  }

  void mutate(Bytes& input) {
    const std::size_t where = place(input);
    switch (below(9)) {
      case 0:
        if (where < input.size()) input[where] = static_cast<std::uint8_t>(input[where] ^ (1U << below(8)));
        break;
      case 1:
        if (where < input.size()) input[where] = static_cast<std::uint8_t>(random_());
        break;
      case 2:
        input.insert(at(input, where), static_cast<std::uint8_t>(random_()));
        break;
      case 3: {
        const std::size_t length = std::min(input.size() - where, 1 + below(below(8) == 0 ? 512 : 8));
        input.erase(at(input, where), at(input, where + length));
        break;
      }
      case 4: {
        const Bytes span = span_of(input);
        input.insert(at(input, where), span.begin(), span.end());
        break;
      }
      case 5: {  // the start of this one, the end of another
        const Bytes& other = pick();
        const std::size_t from = below(other.size() + 1);
        input.resize(where);
        input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
        break;
      }
      case 6: {
        const std::string_view token = tokens[below(tokens.size())];
        input.insert(at(input, where), token.begin(), token.end());
        break;
      }
      case 7: {  // a token over what is there, so that lengths stay right
        const std::string_view token = tokens[below(tokens.size())];
        const std::size_t length = std::min(token.size(), input.size() - where);
        std::copy_n(token.begin(), length, at(input, where));
        break;
      }
      default: {  // a digit for a digit: other numbers, the same grammar
        const auto digit = std::find_if(at(input, where), input.end(), [](auto c) { return c >= '0' && c <= '9'; });
        if (digit != input.end()) *digit = static_cast<std::uint8_t>('0' + below(10));
        break;
      }
    }
  }

  const std::vector<Bytes>& corpus_;
  std::mt19937_64 random_{20'240'501};
};

/// All files of the directory, in the order of their names: the order of a directory is nobody's.
std::vector<Bytes> corpus_of(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: fuzz_replay CORPUS-DIRECTORY ITERATIONS\n", stderr);
    return 2;
  }
  for (const int signal : {SIGABRT, SIGFPE}) std::signal(signal, show_input);
  const std::vector<Bytes> corpus = corpus_of(argv[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "the corpus %s is empty\n", argv[1]);
    return 1;
  }
  for (const Bytes& input : corpus) run(input);
  const auto iterations = std::strtoull(argv[2], nullptr, 10);
  Mutator mutator(corpus);
  for (auto i = iterations; i > 0; --i) run(mutator.next());
  std::printf("ran %zu corpus files and %llu mutations\n", corpus.size(), iterations);
  return 0;
}
