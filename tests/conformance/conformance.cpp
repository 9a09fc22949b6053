// SPDX-License-Identifier: BSL-1.0
// conformance.cpp: what ndshm writes is what NumPy reads, and the other way round, for every element type, both orders
// and random shapes. numpy_side.py is the other half, a process that gets one request a line and answers each with one
// line. Usage: conformance PYTHON SCRIPT [SEED]; without an interpreter the test is skipped (exit code 77).
//
// For each array:
//   1. C++ creates and fills it. NumPy maps it in every mode, compares type, shape, order, header and values with what
//   it
//      makes itself of the same description, writes new values, and saves an array like it to a file.
//   2. C++ finds the new values, and finds in NumPy's file the header and the values of its own segment.
// And for files that only NumPy can write (other byte order, text, format 2.0 and 3.0): the parser reads them rightly.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <ndshm/ndshm.hpp>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "pattern.hpp"
#include "types.hpp"

extern char** environ;

namespace conformance {
namespace {

/// Nobody answers any more: the end of the test, not of one comparison.
struct NumpySideGone : std::runtime_error {
  NumpySideGone() : std::runtime_error("the NumPy side has ended") {}
};

/// The process that runs numpy_side.py.
class NumpySide {
 public:
  NumpySide(std::string python, std::string script) {
    const auto [their_input, our_output] = make_pipe();
    const auto [our_input, their_output] = make_pipe();
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, their_input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, their_output, STDOUT_FILENO);
    std::array<char*, 3> arguments{python.data(), script.data(), nullptr};
    const int error = ::posix_spawnp(&pid_, python.c_str(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(their_input);
    ::close(their_output);
    requests_ = ::fdopen(our_output, "w");
    answers_ = ::fdopen(our_input, "r");
    if (error != 0) throw std::system_error(error, std::generic_category(), python);
  }
  NumpySide(const NumpySide&) = delete;
  NumpySide& operator=(const NumpySide&) = delete;
  ~NumpySide() {
    std::fclose(requests_);  // the end of its input is the end of its life
    std::fclose(answers_);
    ::waitpid(pid_, nullptr, 0);
  }

  /// Fields are separated by tabs; returns those of the answer.
  std::vector<std::string> ask(const std::vector<std::string>& fields) {
    std::string line;
    for (const std::string& field : fields) line += (line.empty() ? "" : "\t") + field;
    line += '\n';
    if (std::fputs(line.c_str(), requests_) < 0 || std::fflush(requests_) != 0) throw NumpySideGone();
    std::string answer;
    for (int c = std::fgetc(answers_); c != '\n'; c = std::fgetc(answers_)) {
      if (c == EOF) throw NumpySideGone();
      answer += static_cast<char>(c);
    }
    std::vector<std::string> result;
    std::istringstream parts(answer);
    for (std::string part; std::getline(parts, part, '\t');) result.push_back(part);
    return result;
  }

 private:
  static std::pair<int, int> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
    return {ends[0], ends[1]};
  }

  pid_t pid_ = 0;
  std::FILE* requests_ = nullptr;
  std::FILE* answers_ = nullptr;
};

/// A folder that is gone afterwards.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ndshm-conformance-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category(), "mkdtemp");
    path_ = pattern;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// The first `limit` bytes.
std::string read_bytes(const std::string& path, std::size_t limit) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  std::string bytes;
  std::array<char, 4096> piece{};
  while (bytes.size() < limit) {
    file.read(piece.data(), static_cast<std::streamsize>(std::min(piece.size(), limit - bytes.size())));
    if (file.gcount() == 0) break;
    bytes.append(piece.data(), static_cast<std::size_t>(file.gcount()));
  }
  return bytes;
}

void require(bool condition, const std::string& otherwise) {
  if (!condition) throw std::runtime_error(otherwise);
}

/// A .npy file taken apart by the library: header as bytes, header, and what comes behind it.
struct NpyFile {
  explicit NpyFile(const std::string& path, std::size_t limit = static_cast<std::size_t>(-1)) {
    const std::string all = read_bytes(path, limit);
    const std::size_t length = ndshm::detail::npy::header_bytes(all);
    bytes = all.substr(0, length);
    header = ndshm::detail::npy::parse(bytes);
    data = all.substr(length);
  }
  std::string bytes;
  ndshm::detail::npy::Header header;
  std::string data;
};

void require_same_header(const ndshm::detail::npy::Header& numpy, const ndshm::detail::npy::Header& ours) {
  require(numpy.descr == ours.descr, "NumPy's descr is " + numpy.descr + ", ours " + ours.descr);
  require(numpy.itemsize == ours.itemsize, "the item sizes differ");
  require(numpy.fortran_order == ours.fortran_order, "fortran_order differs");
  require(numpy.shape == ours.shape, "the shapes differ");
}

/// Whether another program can open an anonymous array: through /proc/PID/fd/N.
#if defined(__linux__) && !defined(NDSHM_PORTABLE_POSIX)
constexpr bool anonymous_arrays_have_a_path = true;
#else
constexpr bool anonymous_arrays_have_a_path = false;
#endif

class Conformance {
 public:
  Conformance(std::string python, std::string script, unsigned seed)
      : numpy_(std::move(python), std::move(script)), random_(seed) {}

  void check_all_types() {
    const auto types = all_types();
    [&]<std::size_t... Number>(std::index_sequence<Number...>) { (check_type<Number>(std::get<Number>(types)), ...); }
    (std::make_index_sequence<std::tuple_size_v<decltype(types)>>{});
  }

  void check_foreign_files() {
    const std::string path = scratch_.file("foreign.npy");
    for (std::size_t number = 0;; ++number) {
      // index, path -> version, descr, item size, fortran_order, shape; or nothing more
      const auto answer = numpy_.ask({"foreign", std::to_string(number), path});
      if (answer == std::vector<std::string>{"end"}) return;
      try {
        require(answer.size() == 5, answer.empty() ? "no answer" : answer.back());
        const ndshm::detail::npy::Header header = NpyFile(path).header;
        require(header.descr == answer[1], "read as " + header.descr + ", not " + answer[1]);
        require(std::to_string(header.itemsize) == answer[2], "item size " + std::to_string(header.itemsize));
        require((header.fortran_order ? "True" : "False") == answer[3], "fortran_order");
        require("(" + joined(header.shape) + ")" == answer[4], "shape");
        report_same();
      } catch (const NumpySideGone&) {
        throw;
      } catch (const std::exception& error) {
        report_difference("file " + std::to_string(number) + " made by NumPy", error);
        if (answer.size() != 5) return;
      }
    }
  }

  /// The exit code of the test.
  int finish() const {
    std::cout << checked_ << " arrays and files compared, " << failed_ << " differ\n";
    return failed_ == 0 && checked_ > 0 ? 0 : 1;
  }

 private:
  /// Every type has two of the ranks 0 to 8, and every rank a good fifth of the types: all of them would compile for
  /// long.
  template <std::size_t Number, class T>
  void check_type(const Type<T>& type) {
    for (int round = 0; round < 6; ++round) {
      check_both_orders<T, Number % 9>(type);
      check_both_orders<T, (Number + 4) % 9>(type);
    }
  }

  template <class T, std::size_t N>
  void check_both_orders(const Type<T>& type) {
    check_array<T, N, ndshm::layout::row_major>(type.key, random_shape(N));
    check_array<T, N, ndshm::layout::column_major>(type.key, random_shape(N));
  }

  /// Lengths 0 and 1 are not rare.
  Shape random_shape(std::size_t rank) {
    const std::size_t longest = rank < 3 ? 9 : rank < 5 ? 5 : rank < 7 ? 3 : 2;
    Shape shape(rank);
    for (std::size_t& extent : shape) {
      const auto dice = random_() % 24;
      extent = dice == 0 ? 0 : dice < 5 ? 1 : 1 + random_() % longest;
    }
    return shape;
  }

  template <class T, std::size_t N, ndshm::layout L>
  void check_array(const std::string& key, const Shape& shape) {
    const std::string order = L == ndshm::layout::row_major ? "C" : "F";
    const std::uint64_t seed = random_();
    const bool named = random_() % 2 == 0 || !anonymous_arrays_have_a_path;
    try {
      auto array = named ? ndshm::create<T, N, L>("conformance-" + std::to_string(::getpid()), shape)
                         : ndshm::create<T, N, L>(shape);
      const std::vector<Shape> indices = all_indices(shape);
      fill(array, indices, seed);

      const std::string file = scratch_.file("numpy.npy");
      const auto answer = numpy_.ask({"array", key, order, joined(shape), std::to_string(seed), array.path(), file});
      require(answer == std::vector<std::string>{"ok"}, answer.empty() ? "no answer" : answer.back());

      // NumPy has written the pattern of the next seed, into the segment as well as into the file.
      for (std::size_t i = 0; i < indices.size(); ++i) {
        require(has_pattern(array.element(indices[i].begin(), indices[i].end()), seed + 1, i),
                "C++ does not see what NumPy wrote into element " + std::to_string(i));
      }
      check_file<T>(NpyFile(file), NpyFile(array.path(), 1024), indices, seed + 1);
      report_same();
    } catch (const NumpySideGone&) {
      throw;
    } catch (const std::exception& error) {
      report_difference(key + ", " + order + " order, (" + joined(shape) + "), " + (named ? "named" : "anonymous"),
                        error);
    }
  }

  /// The header of NumPy's file says what the header of the segment says, and the elements lie at the same places.
  template <class T>
  static void check_file(const NpyFile& numpy, const NpyFile& segment, const std::vector<Shape>& indices,
                         std::uint64_t seed) {
    require_same_header(numpy.header, segment.header);
    require(ndshm::detail::npy::format(numpy.header) == segment.bytes,
            "NumPy's header is not written as the segment's is");
    require(segment.header.descr == ndshm::detail::descr<T>(), "the segment's descr is " + segment.header.descr);
    require(segment.header.itemsize == sizeof(T), "the item size is not sizeof(T)");
    require(numpy.data.size() == indices.size() * sizeof(T), "the elements in NumPy's file have another size");
    const auto strides =
        ndshm::detail::contiguous_strides(numpy.header.shape, numpy.header.itemsize, numpy.header.fortran_order);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::size_t offset = 0;
      for (std::size_t axis = 0; axis < strides.size(); ++axis)
        offset += indices[i][axis] * static_cast<std::size_t>(strides[axis]);
      T value{};
      std::memcpy(&value, numpy.data.data() + offset, sizeof value);
      require(has_pattern(value, seed, i), "NumPy's file has another element " + std::to_string(i));
    }
  }

  void report_same() { ++checked_; }
  void report_difference(const std::string& what, const std::exception& error) {
    ++checked_;
    if (++failed_ <= 20) std::cout << what << ": " << error.what() << "\n";
  }

  ScratchFolder scratch_;
  NumpySide numpy_;
  std::mt19937 random_;
  std::size_t checked_ = 0;
  std::size_t failed_ = 0;
};

}  // namespace
}  // namespace conformance

int main(int argc, char** argv) try {
  if (argc < 3 || std::string(argv[1]).empty()) {
    std::cout << "skipped: no Python interpreter with NumPy was found (set NDSHM_PYTHON)\n";
    return 77;
  }
  std::signal(SIGPIPE, SIG_IGN);
  const auto seed = static_cast<unsigned>(argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 1);
  std::cout << "seed " << seed << std::endl;
  conformance::Conformance run(argv[1], argv[2], seed);
  run.check_all_types();
  run.check_foreign_files();
  return run.finish();
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
