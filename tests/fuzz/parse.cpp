// SPDX-License-Identifier: BSL-1.0
// parse.cpp: a fuzz target for everything that reads bytes from somebody else: headers, types, handles, geometries and
// whole segments. The first byte chooses, see LLVMFuzzerTestOneInput at the end. Each target has oracles that share no
// code with the library: what is accepted has to round-trip, and all of its elements have to lie inside by 128-bit
// arithmetic; what is refused has to be refused with the right code, and, where the harness can tell, for a reason.
// Whatever else happens ends in std::abort().
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <ndshm/format/description.hpp>
#include <ndshm/format/handle.hpp>
#include <ndshm/format/npy_parser.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace npy = ndshm::detail::npy;
namespace detail = ndshm::detail;
using ndshm::errc;
using ndshm::Handle;

__extension__ typedef __int128 Wide;  // NOLINT(modernize-use-using): __extension__ does not go with an alias

constexpr Wide max_bytes = std::numeric_limits<std::ptrdiff_t>::max();

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

/// The code of the Error that `call` throws; none when it throws nothing. Any other exception is a crash, as it should.
template <class Call>
std::optional<errc> code_of(Call call) {
  try {
    call();
  } catch (const ndshm::Error& error) {
    const std::string_view text = error.what();
    const std::string id = " [ndshm." + std::string(to_string(error.condition())) + "]";
    require(text.find(id) != std::string_view::npos, "the message carries its code");
    require(!error.facts().empty() && text.starts_with(error.facts()), "the message starts with the facts");
    return error.condition();
  }
  return std::nullopt;
}

/// Takes numbers off the front of the input; zeros when it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
  template <class Number>
  Number take() {
    Number value{};
    const std::size_t bytes = std::min(sizeof value, rest_.size());
    std::memcpy(&value, rest_.data(), bytes);
    rest_.remove_prefix(bytes);
    return value;
  }
  /// In a block of its own size, so that a sanitizer sees a read behind its end.
  std::vector<char> rest() const { return {rest_.begin(), rest_.end()}; }

 private:
  std::string_view rest_;
};

std::string_view view_of(const std::vector<char>& text) { return {text.data(), text.size()}; }

// ---- oracles -------------------------------------------------------------------------------------------------------

/// The size of what a canonical descr describes, summed up in 128 bits. Trusts that the text is canonical.
class SizeOfDescr {
 public:
  explicit SizeOfDescr(std::string_view text) : rest_(text) {}

  Wide whole() {
    const Wide size = rest_.front() == '[' ? structure() : plain(rest_);
    require(size > 0 && size <= max_bytes, "an element has between 1 and 2^63 - 1 bytes");
    return size;
  }

 private:
  static Wide plain(std::string_view text) {
    Wide size = 0;
    for (const char c : text.substr(2)) size = size * 10 + (c - '0');
    return text[1] == 'U' ? 4 * size : size;
  }

  void skip(std::string_view expected) {
    require(rest_.starts_with(expected), "a descr is canonical");
    rest_.remove_prefix(expected.size());
  }

  std::string_view quoted() {
    skip("'");
    const std::size_t end = rest_.find('\'');
    require(end != std::string_view::npos, "a descr is canonical");
    const std::string_view content = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return content;
  }

  Wide structure() {
    Wide sum = 0;
    for (skip("["); !rest_.starts_with("]");) {
      skip("(");
      quoted();
      skip(", ");
      Wide size = rest_.starts_with("[") ? structure() : plain(quoted());
      if (rest_.starts_with(", ")) {
        skip(", ");
        bool empty = false;
        for (skip("("); !rest_.starts_with(")");) {
          Wide extent = 0;
          while (rest_.front() >= '0' && rest_.front() <= '9') {
            extent = extent * 10 + (rest_.front() - '0');
            rest_.remove_prefix(1);
          }
          empty = empty || extent == 0;
          size = extent == 0 ? size : size * extent;
          require(size <= max_bytes, "a member fits into memory");
          if (rest_.starts_with(", ")) {
            skip(", ");
          } else if (rest_.starts_with(",")) {
            skip(",");
          }
        }
        skip(")");
        if (empty) size = 0;
      }
      skip(")");
      sum += size;
      if (rest_.starts_with(", ")) skip(", ");
    }
    skip("]");
    return sum;
  }

  std::string_view rest_;
};

/// Bytes of a contiguous array; nothing where the dimensions that are not zero do not fit.
std::optional<Wide> bytes_of(const ndshm::Shape& shape, std::size_t itemsize) {
  Wide bytes = static_cast<Wide>(itemsize);
  bool empty = false;
  for (const std::size_t extent : shape) {
    empty = empty || extent == 0;
    if (extent != 0) bytes *= static_cast<Wide>(extent);
    if (bytes > max_bytes) return std::nullopt;
  }
  return empty ? 0 : bytes;
}

/// Whether each element of the strided array lies in [0, bytes).
bool inside(const ndshm::Shape& shape, const ndshm::Strides& strides, std::size_t itemsize, std::size_t offset,
            std::size_t bytes) {
  if (offset > bytes) return false;
  if (std::find(shape.begin(), shape.end(), std::size_t{0}) != shape.end()) return true;
  Wide first = static_cast<Wide>(offset);
  Wide last = first + static_cast<Wide>(itemsize);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const Wide span = static_cast<Wide>(strides[axis]) * (static_cast<Wide>(shape[axis]) - 1);
    (span < 0 ? first : last) += span;
    // Checked at each step: both only ever move outwards, and a sum of many such products would not fit into 128 bits.
    if (first < 0 || last > static_cast<Wide>(bytes)) return false;
  }
  return last <= static_cast<Wide>(bytes);
}

/// What holds for every header that the parser accepts.
void check_header(const npy::Header& header) {
  require(SizeOfDescr(header.descr).whole() == static_cast<Wide>(header.itemsize), "the element size is that of descr");
  const auto bytes = bytes_of(header.shape, header.itemsize);
  require(bytes.has_value(), "the shape fits into memory");
  if (*bytes > 0) {
    for (const bool fortran : {false, true}) {
      const auto strides = detail::contiguous_strides(header.shape, header.itemsize, fortran);
      const auto size = static_cast<std::size_t>(*bytes);
      require(inside(header.shape, strides, header.itemsize, 0, size), "the elements lie in the data");
      require(!inside(header.shape, strides, header.itemsize, 0, size - 1), "the data has no byte too many");
      require(detail::is_contiguous(header.shape, strides, header.itemsize, fortran), "dense strides are contiguous");
    }
  }
  std::string text;
  const auto refused = code_of([&] { text = npy::format(header); });
  if (refused) {
    require(*refused == errc::invalid_header, "format refuses with invalid_header");
    return;
  }
  require(text.size() % 64 == 0 && text.size() >= 128, "a header keeps the elements aligned");
  require((text.size() - 10) % 256 < 128, "readers with a signed length byte take the header");
  const npy::Header again = npy::parse(text);
  require(again.descr == header.descr && again.itemsize == header.itemsize && again.shape == header.shape &&
              again.fortran_order == header.fortran_order,
          "parse(format(header)) is the header");
  require(npy::format(again) == text, "format(parse(text)) is the text");
}

// ---- targets -------------------------------------------------------------------------------------------------------

void fuzz_header(Input input) {
  const std::vector<char> bytes = input.rest();
  npy::Header header;
  const auto refused = code_of([&] { header = npy::parse(view_of(bytes)); });
  require(!refused || *refused == errc::invalid_header, "a header is refused with invalid_header");
  if (refused) return;
  require(npy::header_bytes(view_of(bytes).substr(0, npy::preamble_bytes)) == bytes.size(),
          "the preamble tells the length");
  check_header(header);
}

void fuzz_descr(Input input) {
  const std::vector<char> text = input.rest();
  npy::Type type;
  const auto refused = code_of([&] { type = npy::parse_descr(view_of(text)); });
  require(!refused || *refused == errc::invalid_header, "a type is refused with invalid_header");
  if (refused) return;
  check_header({type.descr, type.itemsize, false, {}});
  const npy::Type again = npy::parse_descr(type.descr);
  require(again.descr == type.descr && again.itemsize == type.itemsize, "a canonical type reads as itself");
}

/// What holds for every handle.
void check_handle(const Handle& handle) {
  const auto itemsize = handle.itemsize();
  require(SizeOfDescr(handle.dtype()).whole() == static_cast<Wide>(itemsize), "the element size is that of the type");
  require(handle.shape().size() == handle.strides().size(), "each dimension has a stride");
  require(bytes_of(handle.shape(), itemsize).has_value(), "the shape fits into memory");
  require(
      inside(handle.shape(), handle.strides(), itemsize, handle.offset(), std::numeric_limits<std::ptrdiff_t>::max()),
      "no address overflows");
  for (const std::ptrdiff_t stride : handle.strides()) {
    require(static_cast<Wide>(stride) % static_cast<Wide>(itemsize) == 0, "a stride is a number of elements");
  }
  require(handle.offset() % itemsize == 0, "the offset is a number of elements");
  require(handle.name().empty() == (handle.descriptor() >= 0), "it has either a name or a descriptor");
  require(!handle.uuid().is_nil(), "it has a UUID");

  const std::string text = handle.to_string();
  for (const char c : text) require(c > 0x20 && c < 0x7f && c != '"' && c != '\'', "the text is plain ASCII");
  const Handle again = Handle::parse(text);
  require(again.to_string() == text && again == handle, "parse(to_string(handle)) is the handle");
  require(again.name() == handle.name() && again.pid() == handle.pid() && again.descriptor() == handle.descriptor() &&
              again.uuid() == handle.uuid() && again.dtype() == handle.dtype() && again.itemsize() == itemsize &&
              again.shape() == handle.shape() && again.strides() == handle.strides() &&
              again.offset() == handle.offset() && again.is_read_only() == handle.is_read_only(),
          "each part of a handle survives its text");

  const auto inherited = code_of([&] {
    const Handle mine = handle.as_inherited(3);
    require(!mine.pid() && mine.descriptor() == 3 && Handle::parse(mine.to_string()) == mine,
            "an inherited handle names the reader's descriptor");
  });
  require(handle.name().empty() ? !inherited : inherited == errc::invalid_handle,
          "exactly the anonymous ones can be inherited");
}

void fuzz_handle(Input input) {
  const std::vector<char> text = input.rest();
  std::optional<Handle> handle;
  const auto refused = code_of([&] { handle = Handle::parse(view_of(text)); });
  require(!refused || *refused == errc::invalid_handle, "a handle is refused with invalid_handle");
  if (refused) return;
  require(handle->to_string() == view_of(text), "there is one text for each handle");
  check_handle(*handle);
}

/// Numbers instead of text, so that the arithmetic is reached at once: rank, type, buffer size, offset, then pairs of
/// an extent and a stride.
void fuzz_geometry(Input input) {
  constexpr const char* types[] = {"|u1", "<f4", "<f8", "<c16", "[('x', '<f4'), ('', '|V8')]", "|V4611686018427387904"};
  const std::size_t rank = input.take<std::uint8_t>() % 9U;
  const std::string type = types[input.take<std::uint8_t>() % std::size(types)];
  const auto buffer = input.take<std::size_t>();
  const auto offset = input.take<std::size_t>();
  ndshm::Shape shape;
  ndshm::Strides strides;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    shape.push_back(input.take<std::size_t>());
    strides.push_back(input.take<std::ptrdiff_t>());
  }
  const std::size_t itemsize = npy::parse_descr(type).itemsize;
  const auto bytes = bytes_of(shape, itemsize);
  const auto counted = detail::byte_count(shape, itemsize);
  require(bytes.has_value() == counted.has_value(), "a shape is refused exactly when it does not fit");
  require(!bytes || *bytes == static_cast<Wide>(*counted), "the bytes of a shape are counted");

  constexpr auto everything = static_cast<std::size_t>(max_bytes);
  for (const std::size_t size : {buffer, everything, std::size_t{0}}) {
    if (size > everything) continue;  // no object is larger
    require(detail::fits(shape, strides, itemsize, offset, size) == inside(shape, strides, itemsize, offset, size),
            "a strided array fits exactly when its elements lie inside");
  }
  const bool whole = std::all_of(strides.begin(), strides.end(), [&](std::ptrdiff_t stride) {
    return static_cast<Wide>(stride) % static_cast<Wide>(itemsize) == 0;
  });
  const bool good = bytes && whole && offset % itemsize == 0 && inside(shape, strides, itemsize, offset, everything);
  ndshm::Uuid uuid{};
  *uuid.begin() = 1;
  std::optional<Handle> handle;
  const auto refused =
      code_of([&] { handle = Handle(ndshm::NamedPlace{"x"}, uuid, type, shape, strides, offset, offset % 3 == 0); });
  require(good ? !refused : refused == errc::invalid_handle, "a handle is refused exactly when it has to be");
  if (handle) check_handle(*handle);
}

/// A segment in a compact form: a byte of options, eight bytes of size, 64 bytes of control page, then the bytes from
/// the start of the segment. The control page appears where it belongs in an object of that size; all else is zero.
/// Options: 1 takes the size that the header asks for, 2 makes the control page unreadable, 4 all behind the first
/// read.
void fuzz_segment(Input input) {
  const auto options = input.take<std::uint8_t>();
  auto size = input.take<std::size_t>() & static_cast<std::size_t>(max_bytes);
  detail::ControlPage control{};
  const auto raw_control = input.take<std::array<char, sizeof control>>();
  std::memcpy(&control, raw_control.data(), sizeof control);
  const std::vector<char> start = input.rest();

  // What should come out, by another way than that of the library.
  npy::Header header;
  std::size_t header_bytes = 0;
  Wide data_end = 0;
  Wide offset = 0;
  Wide total = 0;
  const auto no_header = code_of([&] {
    header_bytes = npy::header_bytes(view_of(start));
    header = npy::parse(view_of(start).substr(0, header_bytes));
    data_end = static_cast<Wide>(header_bytes) + *bytes_of(header.shape, header.itemsize);
    offset = (data_end + 65535) / 65536 * 65536;
    total = offset + 4096;
  });
  if ((options & 1U) != 0) size = no_header || total > max_bytes ? start.size() : static_cast<std::size_t>(total);
  // Where the control page is: at a multiple of 64 KiB, but not on the header.
  const std::size_t shown = size < 65536 + 4096 ? size : (size - 4096) / 65536 * 65536;
  const auto byte_at = [&](std::size_t position) {
    if (position >= shown && position - shown < raw_control.size()) return raw_control[position - shown];
    return position < start.size() ? start[position] : '\0';
  };

  std::size_t furthest = 0;
  unsigned reads = 0;
  const auto read = [&](std::size_t position, void* to, std::size_t bytes) {
    require(static_cast<Wide>(position) + static_cast<Wide>(bytes) <= static_cast<Wide>(size),
            "nothing behind the end is read");
    require(bytes <= 12'000, "little is read");
    require(position >= furthest, "nothing is read twice");
    furthest = position + bytes;
    if (reads++ > 0 && (options & 4U) != 0) return false;
    if (position == shown && (options & 2U) != 0) return false;
    for (std::size_t i = 0; i < bytes; ++i) static_cast<char*>(to)[i] = byte_at(position + i);
    return true;
  };
  std::optional<detail::Description> description;
  const auto refused = code_of([&] { description = detail::describe(size, read, detail::Context("fuzz")); });
  require(reads <= 3, "header, rest of the header, control page");
  if (refused) {
    require(*refused == errc::not_a_segment || *refused == errc::damaged || *refused == errc::incompatible,
            "a segment is refused with not_a_segment, damaged or incompatible");
  } else {
    check_header(description->header);
    const detail::SegmentLayout& layout = description->layout;
    const auto data = bytes_of(description->header.shape, description->header.itemsize);
    const std::string text = npy::format(description->header);
    for (std::size_t i = 0; i < text.size(); ++i) require(text[i] == byte_at(i), "the header is the canonical one");
    require(layout.header_bytes == text.size(), "the header is as long as it is");
    require(static_cast<Wide>(layout.data_bytes) == *data, "the elements are counted");
    require(static_cast<Wide>(layout.data_end) == static_cast<Wide>(text.size()) + *data, "they follow the header");
    require(layout.control_offset % 65536 == 0 && layout.control_offset >= layout.data_end &&
                layout.control_offset - layout.data_end < 65536,
            "the control page stands on the first free page of its own");
    require(layout.total_bytes == layout.control_offset + 4096 && layout.total_bytes <= size, "all of it is there");
    require(layout.control_offset == shown || layout.total_bytes < size, "the control page is where it belongs");
  }

  // The other direction: what is in order is accepted.
  if (no_header || (options & 6U) != 0) return;
  std::string canonical;
  code_of([&] { canonical = npy::format(header); });
  if (canonical != view_of(start).substr(0, header_bytes) || size < header_bytes) {
    require(refused == errc::not_a_segment, "another header is not one of a segment");
  } else if (total > static_cast<Wide>(size)) {
    require(refused == errc::damaged, "a segment that is too short is damaged");
  } else if (offset == static_cast<Wide>(shown)) {
    const bool magic = std::string_view(control.magic.data(), control.magic.size()) == "NDSHMctl";
    const bool known = control.format == 1 && control.byte_order == 0x01020304 && control.abi == detail::control_abi &&
                       control.flags <= 1 && control.reserved == 0;
    const bool nil = control.uuid == std::array<std::uint8_t, 16>{};
    const auto expected = !magic   ? std::optional{errc::damaged}
                          : !known ? std::optional{errc::incompatible}
                          : nil    ? std::optional{errc::damaged}
                                   : std::nullopt;
    require(refused == expected, "the control page decides");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Input input(data + 1, size - 1);
  switch (static_cast<std::uint8_t>(data[0] - '0') % 5) {
    case 0:
      fuzz_header(input);
      break;
    case 1:
      fuzz_descr(input);
      break;
    case 2:
      fuzz_handle(input);
      break;
    case 3:
      fuzz_geometry(input);
      break;
    default:
      fuzz_segment(input);
      break;
  }
  return 0;
}
