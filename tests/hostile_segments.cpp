// SPDX-License-Identifier: BSL-1.0
// Files with a segment's name that are no segments, or broken ones, or ones of somebody else. Each of them breaks one
// rule; every call has to say which kind it is, and none may take it for its own: not change it, not remove it.
//
// The files are not persistent and mostly nobody holds them: a check that were left out would take them for dead, and
// attach would find nothing and remove them.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ndshm/ndshm.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "system.hpp"

using namespace ndshm;
using detail::ControlPage;
using namespace std::string_literals;

namespace npy = ndshm::detail::npy;

namespace {

constexpr std::size_t control_offset = detail::control_alignment;  // of all arrays here that do not say otherwise

Uuid some_uuid() {
  Uuid uuid{};
  std::fill(uuid.begin(), uuid.end(), std::uint8_t{0x5a});
  return uuid;
}

std::string path_of(const std::string& name) { return segment_directory() + "/ndshm." + name; }

/// What is at a path, without following it; removed at the end, whatever it has become.
class Planted {
 public:
  Planted() : name_(unique_name("hostile")), path_(path_of(name_)) {}
  Planted(const Planted&) = delete;
  Planted& operator=(const Planted&) = delete;
  ~Planted() {
    ::unlink(path_.c_str());
    ::rmdir(path_.c_str());
  }

  const std::string& name() const { return name_; }
  const std::string& path() const { return path_; }

  void move(const std::string& path) {
    REQUIRE(::rename(path_.c_str(), path.c_str()) == 0);
    path_ = path;
  }

  /// Everything that a call could change about it.
  std::string state() const {
    struct stat status {};
    if (::lstat(path().c_str(), &status) != 0) return "gone";
    std::string text = std::to_string(status.st_ino) + " " + std::to_string(status.st_mode) + " " +
                       std::to_string(status.st_uid) + " " + std::to_string(status.st_nlink) + " " +
                       std::to_string(status.st_size) + " " + std::to_string(status.st_blocks) + "\n";
    if (!S_ISREG(status.st_mode)) return text;
    const detail::os::Descriptor fd(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
    std::string bytes(256 * 1024, '\0');  // all of it but for the holes of the largest ones
    const auto got = ::pread(fd.get(), bytes.data(), bytes.size(), 0);
    return text.append(bytes, 0, got < 0 ? 0 : static_cast<std::size_t>(got));
  }

 private:
  std::string name_;
  std::string path_;
};

/// A regular file of these bytes, then a hole up to `size`.
class File : public Planted {
 public:
  explicit File(const std::string& bytes, std::size_t size = 0)
      : fd_(::open(path().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
    REQUIRE(fd_);
    put(0, bytes);
    if (size > bytes.size()) REQUIRE(::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0);
  }
  void put(std::size_t offset, std::string_view bytes) const {
    REQUIRE(::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
            static_cast<ssize_t>(bytes.size()));
  }
  /// Holds it as another process would that has it attached.
  void hold() const { REQUIRE(detail::os::linux_only::try_lock(fd_.get(), detail::os::linux_only::Lock::read)); }

 private:
  detail::os::Descriptor fd_;
};

/// Memory without a name of these bytes, then a hole up to `size`.
detail::os::Descriptor memory_of(const std::string& bytes, std::size_t size = 0,
                                 int seals = F_SEAL_SHRINK | F_SEAL_GROW) {
  detail::os::Descriptor fd(::memfd_create("ndshm-test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(fd);
  REQUIRE(::pwrite(fd.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  if (size > 0) REQUIRE(::ftruncate(fd.get(), static_cast<off_t>(size)) == 0);
  REQUIRE(::fcntl(fd.get(), F_ADD_SEALS, seals) == 0);
  return fd;
}

/// The same object, opened in another way.
detail::os::Descriptor opened_anew(int fd, int flags) {
  detail::os::Descriptor other(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), flags | O_CLOEXEC));
  REQUIRE(other);
  return other;
}

/// The code that `call` throws in a forked child; success where it throws nothing.
template <class Call>
errc code_in_child(Call call) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto error = error_of(call);
    ::_exit(error ? static_cast<int>(error->condition()) : 0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return static_cast<errc>(WEXITSTATUS(status));
}

std::string bytes_of(const ControlPage& page) {
  std::string bytes(sizeof page, '\0');
  std::memcpy(bytes.data(), &page, sizeof page);
  return bytes;
}

ControlPage good_control(bool persistent = false) {
  return detail::make_control(some_uuid(), 1, 1'700'000'000'000'000'000, persistent);
}

/// A header of this text, padded with `padding` to `total` bytes, or to 128 where it is not said.
std::string header_of(const std::string& text, std::size_t total = 128, char padding = ' ', char version = 1) {
  const std::size_t fixed = version == 1 ? 10 : 12;
  const std::size_t length = std::max(total, fixed + text.size() + 1) - fixed;
  std::string bytes = "\x93NUMPY"s + version + '\0';
  for (std::size_t i = 8, rest = length; i < fixed; ++i, rest /= 256) bytes += static_cast<char>(rest % 256);
  bytes += text;
  bytes.resize(fixed + length - 1, padding);
  return bytes + '\n';
}

const std::string good_text = "{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }";

/// The whole segment: this header, zeros, this control page where it belongs.
std::string segment(const std::string& header, const ControlPage& control = good_control(),
                    std::size_t offset = control_offset) {
  std::string bytes = header;
  bytes.resize(offset, '\0');
  bytes += bytes_of(control);
  bytes.resize(offset + detail::control_bytes, '\0');
  return bytes;
}

std::string segment_of(const npy::Header& header, bool persistent = true) {
  const std::string text = npy::format(header);
  const auto layout = detail::layout_to_make(header, text.size(), {});
  return segment(text, good_control(persistent), layout.control_offset);
}

/// The good segment.
std::string good() { return segment(header_of(good_text)); }

std::string with_text(const std::string& text) { return segment(header_of(text)); }

std::string with_descr(const std::string& descr) {
  return with_text("{'descr': " + descr + ", 'fortran_order': False, 'shape': (4,), }");
}

std::string with_shape(const std::string& shape, const std::string& descr = "'<f8'") {
  return with_text("{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }");
}

template <class Change>
std::string with_control(Change change) {
  ControlPage control = good_control();
  change(control);
  return segment(header_of(good_text), control);
}

std::string replaced(std::string bytes, std::size_t offset, const std::string& by) {
  return bytes.replace(offset, by.size(), by);
}

bool is_listed(const std::string& name) {
  const auto all = list();
  return std::any_of(all.begin(), all.end(), [&](const SegmentInfo& info) { return info.name == name; });
}

/// Every way to attach by name says `code`, and nothing changes.
void check_attach(const Planted& planted, errc code, const char* message) {
  const std::string& name = planted.name();
  const std::string before = planted.state();
  CHECK_ERROR((attach<double, 1>(name)), code, message);
  CHECK_ERROR((attach<const double, 1>(name)), code, message);
  CHECK_ERROR(create_or_attach<double>(name, {4}), code, message);
  CHECK_ERROR(create<double>(name, {4}), errc::already_exists, "the name belongs to ");
  sweep();
  CHECK(planted.state() == before);
}

/// And every call that has to know what it is.
void check_refused(const Planted& planted, errc code, const char* message) {
  const std::string before = planted.state();
  check_attach(planted, code, message);
  const Handle handle(NamedPlace{planted.name(), std::string(detail::os::directory())}, some_uuid(), "<f8", {4}, {8}, 0,
                      false);
  CHECK_ERROR((attach<double, 1>(handle)), code, message);
  CHECK_ERROR(remove(planted.name()), code, message);
  CHECK(planted.state() == before);
}

struct Malformed {
  const char* what;
  errc code;
  const char* message;  // a part of it
  std::string bytes;
  std::size_t size = 0;  // where a hole follows the bytes
};

std::vector<Malformed> malformed_segments() {
  const std::string header = header_of(good_text);
  const auto foreign = errc::not_a_segment;
  const auto old = errc::incompatible;
  std::vector<Malformed> table{
      // No header.
      {"an empty file", foreign, "0 bytes are too few", ""},
      {"one byte", foreign, "1 bytes are too few", "\x93"},
      {"eleven bytes of a header", foreign, "11 bytes are too few", header.substr(0, 11)},
      {"twelve bytes of a header", foreign, "ends after its 12 bytes", header.substr(0, 12)},
      {"a header without its last byte", foreign, "ends after its 127 bytes", header.substr(0, 127)},
      {"a text", foreign, "the magic is missing", std::string(5000, 'x')},
      {"a program", foreign, "the magic is missing",
       replaced(good(), 0,
                "\x7f"
                "ELF")},
      {"a hole", foreign, "the magic is missing", "", 69632},
      {"a hole of a TiB", foreign, "the magic is missing", "", std::size_t{1} << 40},
      {"only a control page", foreign, "the magic is missing", segment({})},
      {"another first byte", foreign, "the magic is missing", replaced(good(), 0, "\x92")},
      {"the magic in lower case", foreign, "the magic is missing", replaced(good(), 1, "numpy")},
      {"a header that comes a byte late", foreign, "the magic is missing", segment(" " + header)},

      // The version and the length.
      {"header version 0.0", foreign, "its version", replaced(good(), 6, "\0"s)},
      {"header version 1.1", foreign, "its version", replaced(good(), 7, "\1")},
      {"header version 4.0", foreign, "its version", replaced(good(), 6, "\4")},
      {"header version 2.0", foreign, "not in canonical form", segment(header_of(good_text, 128, ' ', 2))},
      {"header version 3.0", foreign, "not in canonical form", segment(header_of(good_text, 128, ' ', 3))},
      {"a header of no length", foreign, "it is empty", replaced(good(), 8, "\0\0"s)},
      {"a header longer than the file", foreign, "ends after its 200 bytes",
       replaced(good().substr(0, 200), 8, "\x10\x27")},
      {"a header of 65,535 bytes", foreign, "longer than the 10,000", replaced(good(), 8, "\xff\xff")},
      {"a header of 4 GiB", foreign, "longer than the 10,000", replaced(good(), 6, "\2\0\xff\xff\xff\xff"s)},
      {"a length of one too few", foreign, "does not end in a newline", replaced(good(), 8, "\x75")},
      {"a length of one too many", foreign, "does not end in a newline", replaced(good(), 8, "\x77")},
      {"a header that ends in the control page", foreign, "does not end in a newline",
       replaced(segment(header, good_control(), 4096), 8, "\x10\x10")},

      // Headers that NumPy reads, but that this library did not write.
      {"80 bytes, as old NumPy pads", foreign, "not in canonical form", segment(header_of(good_text, 80))},
      {"192 bytes", foreign, "not in canonical form", segment(header_of(good_text, 192))},
      {"320 bytes, although 128 would do", foreign, "not in canonical form", segment(header_of(good_text, 320))},
      {"no padding", foreign, "not in canonical form", segment(header_of(good_text, 0))},
      {"a space more in front", foreign, "not in canonical form", with_text(" " + good_text)},
      {"no spaces", foreign, "not in canonical form", with_text("{'descr':'<f8','fortran_order':False,'shape':(4,),}")},
      {"no comma at the end", foreign, "not in canonical form",
       with_text("{'descr': '<f8', 'fortran_order': False, 'shape': (4,)}")},
      {"other quotes", foreign, "not in canonical form",
       with_text("{\"descr\": '<f8', 'fortran_order': False, 'shape': (4,), }")},
      {"another order of the keys", foreign, "not in canonical form",
       with_text("{'descr': '<f8', 'shape': (4,), 'fortran_order': False, }")},
      {"a struct without spaces", foreign, "not in canonical form", with_descr("[('x','<f4'),('y','<f4')]")},

      // Headers that break a rule.
      {"tabs as padding", foreign, "more after its end", segment(header_of(good_text, 128, '\t'))},
      {"NULs as padding", foreign, "more after its end", segment(header_of(good_text, 128, '\0'))},
      {"newlines as padding", foreign, "more after its end", segment(header_of(good_text, 128, '\n'))},
      {"no newline at the end", foreign, "does not end in a newline", replaced(good(), 127, " ")},
      {"no dictionary", foreign, "expected '{'", with_text("('<f8', False, (4,))")},
      {"two dictionaries", foreign, "more after its end", with_text(good_text + good_text.substr(0, 2))},
      {"an unknown key", foreign, "\"extra\" is unknown",
       with_text("{'descr': '<f8', 'extra': 1, 'fortran_order': False, 'shape': (4,), }")},
      {"no descr", foreign, "'descr' is missing", with_text("{'fortran_order': False, 'shape': (4,), }")},
      {"no order", foreign, "'fortran_order' is missing", with_text("{'descr': '<f8', 'shape': (4,), }")},
      {"no shape", foreign, "'shape' is missing", with_text("{'descr': '<f8', 'fortran_order': False, }")},
      {"two shapes", foreign, "appears twice",
       with_text("{'descr': '<f8', 'fortran_order': False, 'shape': (4,), 'shape': (9,), }")},
      {"an order of 0", foreign, "neither True nor False",
       with_text("{'descr': '<f8', 'fortran_order': 0, 'shape': (4,), }")},
      {"a negative dimension", foreign, "expected a dimension", with_shape("(-4,)")},
      {"a dimension with a 0 in front", foreign, "starts with a 0", with_shape("(04,)")},
      {"a hexadecimal dimension", foreign, "expected ','", with_shape("(0x4,)")},
      {"a dimension of 2^63", foreign, "between 0 and 2^63 - 1", with_shape("(9223372036854775808,)")},
      {"a dimension of 2^64 + 4", foreign, "between 0 and 2^63 - 1", with_shape("(18446744073709551620,)")},
      {"a number as shape", foreign, "expected '('", with_shape("4")},
      {"a list as shape", foreign, "expected '('", with_shape("[4]")},
      {"parentheses without a comma", foreign, "needs a comma", with_shape("(4)")},
      {"bytes that wrap to 32", foreign, "does not fit into memory", with_shape("(2305843009213693956,)")},
      {"a product that wraps to 0", foreign, "does not fit into memory", with_shape("(4294967296, 4294967296)")},
      {"an empty array whose strides wrap", foreign, "does not fit into memory",
       with_shape("(0, 4294967296, 4294967296)")},
      {"Python objects", foreign, "holds Python objects", with_descr("'|O'")},
      {"Python objects of 8 bytes", foreign, "holds Python objects", with_descr("'|O8'")},
      {"Python objects in a struct", foreign, "holds Python objects", with_descr("[('x', '|O8')]")},
      {"a type by its name", foreign, "has no valid size", with_descr("'float64'")},
      {"bfloat16", foreign, "has no valid size", with_descr("'bfloat16'")},
      {"a date", foreign, "not one that can be shared", with_descr("'<M8'")},
      {"the machine's own byte order", foreign, "wrong byte order mark", with_descr("'=f8'")},
      {"a size with a 0 in front", foreign, "has no valid size", with_descr("'<f08'")},
      {"Unicode whose size wraps to 4", foreign, "not one that can be shared", with_descr("'<U4611686018427387905'")},
      {"elements of no bytes", foreign, "has no valid size", with_descr("'|V0'")},
      {"structs of no bytes", foreign, "has no bytes", with_descr("[('x', '<f8', (0,))]")},
      {"structs without members", foreign, "has no members", with_descr("[]")},
      {"structs with a member twice", foreign, "two members", with_descr("[('x', '<f4'), ('x', '<f4')]")},
      {"an escape in a member's name", foreign, "escape or control", with_descr("[('\\x41', '<f8')]")},
      {"structs too large together", foreign, "a struct does not fit",
       with_descr("[('x', '|V4611686018427387904'), ('y', '|V4611686018427387904')]")},

      // Too short for what the header says.
      {"a header alone", errc::damaged, "asks for 69632 bytes, but it has 128", header},
      {"an element cut off", errc::damaged, "it has 159", good().substr(0, 159)},
      {"header and elements, as NumPy saves them", errc::damaged, "it has 160", good().substr(0, 160)},
      {"cut off before the control page", errc::damaged, "it has 65536", good().substr(0, control_offset)},
      {"a control page of 63 bytes", errc::damaged, "it has 65599", good().substr(0, control_offset + 63)},
      {"a control page of 64 bytes", errc::damaged, "it has 65600", good().substr(0, control_offset + 64)},
      {"a control page without its last byte", errc::damaged, "it has 69631", good().substr(0, 69631)},
      {"a shape that is too large", errc::damaged, "it has 69632", with_shape("(1000000,)")},
      {"a shape with one byte too many", errc::damaged, "asks for 135168", with_shape("(65409,)", "'|u1'")},
      {"a shape with one dimension too many", errc::damaged, "asks for", with_shape("(4, 100000)")},
      {"an element that is too large", errc::damaged, "asks for", with_descr("'|V1000000'")},
      {"a shape of nearly 2^63 bytes", errc::damaged, "asks for", with_shape("(9223372036854640000,)", "'|u1'")},
      {"a shape whose control page would wrap", errc::damaged, "does not fit into memory",
       with_shape("(9223372036854775000,)", "'|u1'")},
      {"a shape whose last byte would wrap", errc::damaged, "does not fit into memory",
       with_shape("(9223372036854775807,)", "'|u1'")},

      // The control page.
      {"no control page", errc::damaged, "has no magic", header, 69632},
      {"a control page right behind the elements", errc::damaged, "has no magic",
       replaced(segment(header, ControlPage{}), 192, bytes_of(good_control()))},
      {"a control page on the next 4 KiB", errc::damaged, "has no magic",
       replaced(segment(header, ControlPage{}), 4096, bytes_of(good_control()))},
      {"a control page 64 KiB too far", errc::damaged, "has no magic",
       segment(header, good_control(), 2 * control_offset)},
      {"a control page one byte too far", errc::damaged, "has no magic",
       replaced(segment(header, ControlPage{}), control_offset + 1, bytes_of(good_control()))},
      {"another magic", errc::damaged, "has no magic", replaced(good(), control_offset + 7, "L")},
      {"a magic backwards", errc::damaged, "has no magic", replaced(good(), control_offset, "ltcMHSDN")},
      {"format 0", old, "its format is version 0", with_control([](ControlPage& page) { page.format = 0; })},
      {"format 2", old, "its format is version 2", with_control([](ControlPage& page) { page.format = 2; })},
      {"format 2^32 - 1", old, "version 4294967295", with_control([](ControlPage& page) { page.format = ~0U; })},
      {"the other byte order", old, "another byte order",
       with_control([](ControlPage& page) { page.byte_order = 0x04030201; })},
      {"no byte order", old, "another byte order", with_control([](ControlPage& page) { page.byte_order = 0; })},
      {"a whole control page of the other byte order", old, "another byte order", with_control([](ControlPage& page) {
         for (std::uint32_t* word : {&page.format, &page.byte_order, &page.abi}) *word = __builtin_bswap32(*word);
       })},
      {"pointers of 4 bytes", old, "was made for ABI",
       with_control([](ControlPage& page) { page.abi = (page.abi & ~0xffU) | 4U; })},
      {"another long double", old, "was made for ABI",
       with_control([](ControlPage& page) { page.abi = (page.abi & ~0xff00U) | 0x0c00U; })},
      {"a larger control page", old, "was made for ABI",
       with_control([](ControlPage& page) { page.abi = (page.abi & 0xffffU) | 0x800000U; })},
      {"no ABI", old, "was made for ABI 0", with_control([](ControlPage& page) { page.abi = 0; })},
      {"an unknown flag", old, "flags from a later version", with_control([](ControlPage& page) { page.flags = 2; })},
      {"an unknown flag beside a known one", old, "flags from a later version",
       with_control([](ControlPage& page) { page.flags = 3; })},
      {"the highest flag", old, "flags from a later version",
       with_control([](ControlPage& page) { page.flags = 0x80000000U; })},
      {"a reserved word in use", old, "flags from a later version",
       with_control([](ControlPage& page) { page.reserved = 1; })},
      {"the nil UUID", errc::damaged, "has no UUID", with_control([](ControlPage& page) { page.uuid = {}; })},
  };
  return table;
}

}  // namespace

TEST_CASE("the segment that the others are broken from is a good one") {
  const File file(good());
  file.hold();
  auto array = attach<double, 1>(file.name());
  CHECK(array.shape() == std::array<std::size_t, 1>{4});
  CHECK(array.uuid() == some_uuid());
  CHECK(exists(file.name()));
  CHECK(is_listed(file.name()));
}

TEST_CASE("a good segment that nobody holds is dead, so it is not found and removed") {
  const File file(good());
  CHECK(is_listed(file.name()));
  CHECK_FALSE(exists(file.name()));
  CHECK_ERROR((attach<double, 1>(file.name())), errc::not_found, "no such segment");
  CHECK(file.state() == "gone");
}

TEST_CASE("a malformed segment is refused for what it is, and stays as it is") {
  const std::vector<Malformed> table = malformed_segments();
  CHECK(table.size() >= 100);
  for (const Malformed& bad : table) {
    INFO(bad.what);
    const File file(bad.bytes, bad.size);
    const auto check = [&] {
      check_refused(file, bad.code, bad.message);
      CHECK_ERROR(exists(file.name()), bad.code, bad.message);
      CHECK_FALSE(is_listed(file.name()));
    };
    check();
    file.hold();  // now it would live, were it a segment
    check();
  }
}

TEST_CASE("a malformed segment behind a descriptor is refused for what it is") {
  for (const Malformed& bad : malformed_segments()) {
    INFO(bad.what);
    const detail::os::Descriptor fd = memory_of(bad.bytes, bad.size);
    const Handle inherited(DescriptorPlace{fd.get()}, some_uuid(), "<f8", {4}, {8}, 0, false);
    const Handle of_process(ProcessPlace{detail::os::process_id(), fd.get()}, some_uuid(), "<f8", {4}, {8}, 0, false);
    CHECK_ERROR((attach<double, 1>(inherited)), bad.code, bad.message);
    CHECK_ERROR((attach<const double, 1>(inherited)), bad.code, bad.message);
    CHECK_ERROR((attach<double, 1>(of_process)), bad.code, bad.message);
  }
}

TEST_CASE("a good segment of another kind is refused for its kind, and stays as it is") {
  struct Other {
    const char* what;
    errc code;
    const char* message;
    npy::Header header;
  };
  const std::vector<Other> table{
      {"single precision", errc::type_mismatch, "its elements are <f4, not <f8", {"<f4", 4, false, {4}}},
      {"the other byte order", errc::type_mismatch, "its elements are >f8, not <f8", {">f8", 8, false, {4}}},
      {"integers of the same size", errc::type_mismatch, "its elements are <i8", {"<i8", 8, false, {4}}},
      {"complex numbers", errc::type_mismatch, "its elements are <c16", {"<c16", 16, false, {4}}},
      {"raw data of the same size", errc::type_mismatch, "its elements are |V8", {"|V8", 8, false, {4}}},
      {"text", errc::type_mismatch, "its elements are <U2", {"<U2", 8, false, {4}}},
      {"structs of one double", errc::type_mismatch, "its elements are [(", {"[('x', '<f8')]", 8, false, {4}}},
      {"no dimensions", errc::rank_mismatch, "it has 0 dimensions (), not 1", {"<f8", 8, false, {}}},
      {"two dimensions", errc::rank_mismatch, "it has 2 dimensions (2, 2), not 1", {"<f8", 8, false, {2, 2}}},
      {"a hundred dimensions", errc::rank_mismatch, "it has 100 dimensions", {"<f8", 8, true, ndshm::Shape(100, 1)}},
  };
  for (const Other& other : table) {
    INFO(other.what);
    const File file(segment_of(other.header));
    check_attach(file, other.code, other.message);
    CHECK(exists(file.name()));
    CHECK(is_listed(file.name()));
  }
}

TEST_CASE("an array in the other order is refused for its layout") {
  const File file(segment_of({"<f8", 8, true, {2, 3}}));
  const std::string before = file.state();
  CHECK_ERROR((attach<double, 2>(file.name())), errc::layout_mismatch, "layout::column_major");
  CHECK_ERROR(create_or_attach<double>(file.name(), {2, 3}), errc::layout_mismatch, "row_major order");
  CHECK((attach<double, 2, layout::column_major>(file.name()).shape() == std::array<std::size_t, 2>{2, 3}));
  CHECK(file.state() == before);
}

TEST_CASE("an array of another shape is refused where a shape is asked for") {
  const File file(segment_of({"<f8", 8, false, {4}}));
  const std::string before = file.state();
  CHECK_ERROR(create_or_attach<double>(file.name(), {5}), errc::shape_mismatch, "it has the shape (4,), not (5,)");
  CHECK(create_or_attach<double>(file.name(), {4}).size() == 4);
  CHECK(file.state() == before);
}

TEST_CASE("a handle of another segment, or beyond this one, is refused") {
  const File file(segment_of({"<f8", 8, false, {4}}));
  const std::string before = file.state();
  const auto attach_with = [&](const Uuid& uuid, std::string_view dtype, ndshm::Shape shape, ndshm::Strides strides,
                               std::size_t offset) {
    attach<double, 1, layout::dynamic>(Handle(NamedPlace{file.name(), std::string(detail::os::directory())}, uuid,
                                              dtype, std::move(shape), std::move(strides), offset, false));
  };
  Uuid other = some_uuid();
  ++*other.begin();
  attach_with(some_uuid(), "<f8", {4}, {8}, 0);
  attach_with(some_uuid(), "<f8", {4}, {-8}, 24);
  CHECK_ERROR(attach_with(other, "<f8", {4}, {8}, 0), errc::stale_handle, "another segment");
  CHECK_ERROR(attach_with(some_uuid(), "<f8", {5}, {8}, 0), errc::invalid_handle, "reaches beyond");
  CHECK_ERROR(attach_with(some_uuid(), "<f8", {4}, {8}, 8), errc::invalid_handle, "reaches beyond");
  CHECK_ERROR(attach_with(some_uuid(), "<f8", {2}, {32}, 0), errc::invalid_handle, "reaches beyond");
  CHECK_ERROR(attach_with(some_uuid(), "<f8", {1}, {8}, 32), errc::invalid_handle, "reaches beyond");
  CHECK_ERROR(attach_with(some_uuid(), "<f8", {0}, {8}, 40), errc::invalid_handle, "reaches beyond");
  CHECK_ERROR(attach_with(some_uuid(), "<f8", {3}, {-8}, 32), errc::invalid_handle, "reaches beyond");
  CHECK(file.state() == before);

  const File integers(segment_of({"<i8", 8, false, {4}}));
  const Handle disguised(NamedPlace{integers.name(), std::string(detail::os::directory())}, some_uuid(), "<f8", {4},
                         {8}, 0, false);
  CHECK_ERROR((attach<double, 1>(disguised)), errc::invalid_handle, "another element type");
}

TEST_CASE("a segment that is larger than all addresses is out of memory") {
  const npy::Header header{"|u1", 1, false, {std::size_t{1} << 62}};
  const std::string text = npy::format(header);
  const auto layout = detail::layout_to_make(header, text.size(), {});
  const File file(text, layout.total_bytes);
  file.put(layout.control_offset, bytes_of(good_control(true)));
  const std::string before = file.state();
  CHECK_ERROR((attach<std::uint8_t, 1>(file.name())), errc::out_of_memory, "mapping 4.0 EiB");
  CHECK_ERROR((attach<const std::uint8_t, 1>(file.name())), errc::out_of_memory, "mapping 4.0 EiB");
  CHECK(exists(file.name()));
  CHECK(file.state() == before);
}

TEST_CASE("what is no regular file is not a segment, and stays as it is") {
  const auto check = [](const Planted& planted, const char* message) {
    REQUIRE(planted.state() != "gone");
    check_refused(planted, errc::not_a_segment, message);
    CHECK_FALSE(exists(planted.name()));
    CHECK_FALSE(is_listed(planted.name()));
  };
  SECTION("a link to a good segment") {
    const File target(segment_of({"<f8", 8, false, {4}}));
    const std::string target_before = target.state();
    const Planted link;
    REQUIRE(::symlink(target.path().c_str(), link.path().c_str()) == 0);
    check(link, "is a symbolic link");
    CHECK(target.state() == target_before);
  }
  SECTION("a link to a dead segment") {
    File target(good());
    target.move(segment_directory() + "/" + unique_name("ndshm-outside"));  // else sweep() would be right to remove it
    const std::string target_before = target.state();
    const Planted link;
    REQUIRE(::symlink(target.path().c_str(), link.path().c_str()) == 0);
    check(link, "is a symbolic link");
    CHECK(target.state() == target_before);
  }
  SECTION("a link to nothing") {
    const Planted link;
    REQUIRE(::symlink(path_of("there-is-no-such-segment").c_str(), link.path().c_str()) == 0);
    check(link, "is a symbolic link");
  }
  SECTION("a link to itself") {
    const Planted link;
    REQUIRE(::symlink(link.path().c_str(), link.path().c_str()) == 0);
    check(link, "is a symbolic link");
  }
  SECTION("a link to a device that never ends") {
    const Planted link;
    REQUIRE(::symlink("/dev/zero", link.path().c_str()) == 0);
    check(link, "is a symbolic link");
  }
  SECTION("a directory") {
    const Planted directory;
    REQUIRE(::mkdir(directory.path().c_str(), 0700) == 0);
    check(directory, "is not a regular file");
  }
  SECTION("a FIFO, which must not block") {
    const Planted fifo;
    REQUIRE(::mkfifo(fifo.path().c_str(), 0600) == 0);
    check(fifo, "is not a regular file");
  }
  SECTION("a socket") {
    const Planted planted;
    const detail::os::Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(fd);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string& path = planted.path();
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.size());
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    check(planted, "is not a regular file");
  }
}

TEST_CASE("what is behind a descriptor but no segment is refused") {
  const auto check = [](int fd) {
    const auto refuse = [](const Handle& handle) {
      CHECK_ERROR((attach<const double, 1>(handle)), errc::not_a_segment, "(it is not a memory object)");
      CHECK_ERROR((attach<double, 1>(handle)), errc::not_a_segment, "(it is not a memory object)");
    };
    refuse(Handle(DescriptorPlace{fd}, some_uuid(), "<f8", {4}, {8}, 0, false));
    const Handle of_process(ProcessPlace{detail::os::process_id(), fd}, some_uuid(), "<f8", {4}, {8}, 0, false);
    refuse(of_process);
    CHECK(code_in_child([&] { attach<const double, 1>(of_process); }) == errc::not_a_segment);
  };
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/shm", "/proc/self/status", "/proc/self/exe", "/"}) {
    INFO(path);
    const detail::os::Descriptor fd(::open(path, O_RDONLY | O_CLOEXEC));
    REQUIRE(fd);
    check(fd.get());
  }
  int pair[2];
  REQUIRE(::pipe2(pair, O_CLOEXEC) == 0);
  const detail::os::Descriptor out(pair[0]);
  const detail::os::Descriptor in(pair[1]);
  check(out.get());
  check(in.get());
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  const detail::os::Descriptor left(pair[0]);
  const detail::os::Descriptor right(pair[1]);
  check(left.get());
  const detail::os::Descriptor by_path(::open("/", O_PATH | O_CLOEXEC));
  check(by_path.get());
}

TEST_CASE("memory whose size is not sealed is refused, whatever it holds") {
  const auto check = [](int fd) {
    const Handle inherited(DescriptorPlace{fd}, some_uuid(), "<f8", {4}, {8}, 0, false);
    const Handle of_process(ProcessPlace{detail::os::process_id(), fd}, some_uuid(), "<f8", {4}, {8}, 0, false);
    for (const Handle& handle : {inherited, of_process}) {
      CHECK_ERROR((attach<const double, 1>(handle)), errc::not_a_segment, "its size is not sealed");
      CHECK_ERROR((attach<double, 1>(handle)), errc::not_a_segment, "its size is not sealed");
    }
    CHECK(code_in_child([&] { attach<double, 1>(of_process); }) == errc::not_a_segment);
    CHECK(code_in_child([&] { attach<const double, 1>(of_process); }) == errc::not_a_segment);
  };
  for (const int seals : {0, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_SEAL}) {
    INFO(seals);
    check(memory_of(good(), 0, seals).get());
  }
  const File named(segment_of({"<f8", 8, false, {4}}));
  const detail::os::Descriptor fd(::open(named.path().c_str(), O_RDWR | O_CLOEXEC));
  check(fd.get());
}

TEST_CASE("a descriptor is taken for what it was opened for") {
  const detail::os::Descriptor fd = memory_of(good());
  const auto handle_of = [](int number, std::optional<std::uint64_t> pid = {}) {
    const Place place = pid ? Place(ProcessPlace{*pid, number}) : Place(DescriptorPlace{number});
    return Handle(place, some_uuid(), "<f8", {4}, {8}, 0, false);
  };
  CHECK(attach<double, 1>(handle_of(fd.get())).size() == 4);
  CHECK(attach<const double, 1>(handle_of(fd.get())).size() == 4);
  const detail::os::Descriptor reading = opened_anew(fd.get(), O_RDONLY);
  const detail::os::Descriptor writing = opened_anew(fd.get(), O_WRONLY);
  for (const std::optional<std::uint64_t> pid : {std::optional<std::uint64_t>{}, {detail::os::process_id()}}) {
    CHECK(attach<const double, 1>(handle_of(reading.get(), pid)).size() == 4);
    CHECK_ERROR((attach<double, 1>(handle_of(reading.get(), pid))), errc::read_only, "is open for reading only");
    CHECK_ERROR((attach<double, 1>(handle_of(writing.get(), pid))), errc::permission_denied, "writing only");
    CHECK_ERROR((attach<const double, 1>(handle_of(writing.get(), pid))), errc::permission_denied, "writing only");
  }
}

TEST_CASE("a copy of a segment's bytes is not taken for the segment") {
  const detail::os::Descriptor original = memory_of(good());
  const detail::os::Descriptor copy = memory_of(good());
  const auto attached =
      attach<double, 1>(Handle(DescriptorPlace{original.get()}, some_uuid(), "<f8", {4}, {8}, 0, false));
  CHECK_ERROR(detail::attach_segment(detail::os::open_descriptor(copy.get(), detail::Access::read_write, {}),
                                     detail::Context("attach")),
              errc::damaged, "this one is a copy");
  CHECK(detail::attach_segment(detail::os::open_descriptor(original.get(), detail::Access::read_write, {}),
                               detail::Context("attach"))
            ->data() == reinterpret_cast<const std::byte*>(attached.data()));
}

TEST_CASE("a segment that belongs to somebody else is refused, and stays as it is") {
  const File file(segment_of({"<f8", 8, false, {4}}));
  if (is_root()) {  // only root can give a file away; anybody else can lock himself out
    REQUIRE(::chown(file.path().c_str(), 65534, 65534) == 0);
  } else {
    REQUIRE(::chmod(file.path().c_str(), 0) == 0);
  }
  const std::string before = file.state();
  check_refused(file, errc::permission_denied, "");
  if (is_root()) {
    CHECK((attach<double, 1>(file.name(), {.owner = Owner::anyone}).size()) == 4);
    CHECK(file.state() == before);
  }
}

TEST_CASE("a dead segment of somebody else is not swept", "[root]") {
  if (!is_root()) SKIP_TEST("needs root, to give a file away");
  const File file(good());
  REQUIRE(::chown(file.path().c_str(), 65534, 65534) == 0);
  const std::string before = file.state();
  sweep();
  CHECK_ERROR(create<double>(file.name(), {4}), errc::already_exists, "");
  CHECK(file.state() == before);
}
