// SPDX-License-Identifier: BSL-1.0
// Handles as text: what is written reads back to the letter, and each rule of the format with a text that breaks just
// it.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ndshm/format/handle.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"

using namespace ndshm;
using namespace std::string_literals;

namespace {

constexpr std::ptrdiff_t lowest = std::numeric_limits<std::ptrdiff_t>::min();
constexpr std::size_t most = detail::max_bytes;

const std::string uuid_text = "6f1c2d3e-4a5b-4c6d-8e7f-0123456789ab";
const Uuid uuid = boost::uuids::string_generator()(uuid_text);

Place named(std::string name) { return NamedPlace{std::move(name)}; }
Place at(int descriptor) { return DescriptorPlace{descriptor}; }
Place at(std::uint64_t pid, int descriptor) { return ProcessPlace{pid, descriptor}; }

/// A 2000 x 10 array of doubles somewhere.
Handle usual(Place place) { return {std::move(place), uuid, "<f8", {2000, 10}, {80, 8}, 0, false}; }

/// `ndshm1:` + place + what follows for an array of doubles of this geometry.
std::string text_of(const std::string& place,
                    const std::string& rest = "shape=2000,10:strides=80,8:offset=0:access=rw") {
  return "ndshm1:" + place + ":uuid=" + uuid_text + ":type=%3Cf8:" + rest;
}

std::string with_geometry(const std::string& shape, const std::string& strides, const std::string& offset = "0") {
  return text_of("name=a", "shape=" + shape + ":strides=" + strides + ":offset=" + offset + ":access=rw");
}

std::string with_uuid(const std::string& text) {
  return "ndshm1:name=a:uuid=" + text + ":type=%3Cf8:shape=:strides=:offset=0:access=rw";
}

std::string with_type(const std::string& type) {
  return "ndshm1:name=a:uuid=" + uuid_text + ":type=" + type + ":shape=3:strides=0:offset=0:access=rw";
}

struct Malformed {
  const char* what;
  std::string text;
  const char* message;  // a part of it
};

}  // namespace

TEST_CASE("a handle is one line of plain text") {
  CHECK(usual(named("weights")).to_string() == text_of("name=weights"));
  CHECK(usual(NamedPlace{"weights", {}, ndshm::Scope::machine}).to_string() == text_of("scope=machine:name=weights"));
  CHECK(usual(at(7)).to_string() == text_of("fd=7"));
  CHECK(usual(at(1234, 7)).to_string() == text_of("pid=1234:fd=7"));
  CHECK(usual(InheritedPlace{2}).to_string() == text_of("inherited=2"));
  CHECK(usual(MessagePlace{}).to_string() == text_of("message=0"));
  CHECK(usual(NamedPlace{"a", "/mnt/a volume"}).to_string() == text_of("dir=%2Fmnt%2Fa%20volume:name=a"));
  CHECK(usual(named("two words, 100%")).to_string() == text_of("name=two%20words%2C%20100%25"));
  std::ostringstream out;
  out << usual(named("weights"));
  CHECK(out.str() == text_of("name=weights"));
}

TEST_CASE("a handle's text gives the same handle back") {
  const std::string particles = "[('x', '<f4', (3,)), ('', '|V4'), ('id', '<i8')]";
  const std::vector<Handle> handles{
      usual(named("weights")),
      usual(NamedPlace{"weights", {}, ndshm::Scope::machine}),
      usual(named("two words")),
      usual(named(" ")),
      usual(named("Größe λ 数")),
      usual(named("100%")),
      usual(named("%41")),
      usual(named("a:b=c,d;e")),
      usual(named("name=x:uuid=y")),
      usual(named("'quoted' and \"quoted\"")),
      usual(named("tab\tnewline\nDEL\x7f")),
      usual(named("\xff\xfe not UTF-8 \x80")),
      usual(named(".._-~$")),
      usual(named(std::string(detail::max_name_bytes_anywhere, '%'))),
      usual(NamedPlace{"a", "/mnt/volume", ndshm::Scope::machine}),
      usual(InheritedPlace{7}),
      usual(MessagePlace{1}),
      usual(at(0)),
      usual(at(std::numeric_limits<int>::max())),
      usual(at(1, 0)),
      usual(at(4294967295, 3)),
      {named("a"), uuid, "<f8", {}, {}, 0, true},
      {named("a"), uuid, "<f8", {}, {}, 8, false},
      {named("a"), uuid, "|u1", {}, {}, most - 1, false},
      {named("a"), uuid, "<f8", {0}, {8}, 0, false},
      {named("a"), uuid, "<f8", {3, 0, 5}, {0, 40, 8}, 16, false},
      {named("a"), uuid, "|u1", {0}, {lowest}, most, false},
      {named("a"), uuid, "<f8", {5}, {-8}, 32, true},
      {named("a"), uuid, "<f8", {4, 5}, {-80, 16}, 240, false},
      {named("a"), uuid, "<f8", {4, 5}, {0, 8}, 0, true},
      {named("a"), uuid, "<f8", {1}, {lowest}, 0, false},
      {named("a"), uuid, "|u1", {2}, {static_cast<std::ptrdiff_t>(most - 1)}, 0, false},
      {named("a"), uuid, "|u1", {most}, {1}, 0, false},
      {named("a"), uuid, "|u1", {most}, {-1}, most - 1, false},
      {named("a"), uuid, ">i2", {2, 3, 4, 5}, {2, 4, 12, 48}, 0, true},
      {named("a"), uuid, "<U12", {2}, {48}, 0, false},
      {named("a"), uuid, particles, {100}, {24}, 0, false},
      {named("a"), uuid, "[('a name: with, all', '|u1')]", {3}, {1}, 0, false},
      {at(5), uuid, particles, {10, 10}, {-240, 24}, 2160, true},
      {named("a"), uuid, "|b1", Shape(64, 1), Strides(64, 1), 0, false},
  };
  for (const Handle& handle : handles) {
    const std::string text = handle.to_string();
    INFO(text);
    const Handle again = Handle::parse(text);
    CHECK(again.to_string() == text);
    CHECK(again == handle);
    CHECK(again.name() == handle.name());
    CHECK(again.place() == handle.place());
    CHECK(again.pid() == handle.pid());
    CHECK(again.descriptor() == handle.descriptor());
    CHECK(again.uuid() == handle.uuid());
    CHECK(again.dtype() == handle.dtype());
    CHECK(again.itemsize() == handle.itemsize());
    CHECK(again.shape() == handle.shape());
    CHECK(again.strides() == handle.strides());
    CHECK(again.offset() == handle.offset());
    CHECK(again.is_read_only() == handle.is_read_only());
    // Fit for argv, a pipe, a line of a configuration file.
    CHECK(text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%:=,._-") ==
          std::string::npos);
  }
}

TEST_CASE("a handle can be made to grant reading only") {
  const Handle handle = usual(at(1234, 7));
  const Handle read_only = handle.as_read_only();
  CHECK(read_only.to_string() == text_of("pid=1234:fd=7", "shape=2000,10:strides=80,8:offset=0:access=ro"));
  CHECK(read_only.as_read_only() == read_only);
  CHECK_FALSE(handle.is_read_only());
}

TEST_CASE("handles differ when any part of them does") {
  const Handle handle(named("a"), uuid, "<f8", {3}, {8}, 8, false);
  Uuid other_uuid = uuid;
  ++*other_uuid.begin();
  const std::vector<Handle> others{
      {named("b"), uuid, "<f8", {3}, {8}, 8, false},       {at(3), uuid, "<f8", {3}, {8}, 8, false},
      {named("a"), other_uuid, "<f8", {3}, {8}, 8, false}, {named("a"), uuid, ">f8", {3}, {8}, 8, false},
      {named("a"), uuid, "<f8", {2}, {8}, 8, false},       {named("a"), uuid, "<f8", {3}, {16}, 8, false},
      {named("a"), uuid, "<f8", {3}, {8}, 0, false},       {named("a"), uuid, "<f8", {3}, {8}, 8, true},
      {named("a"), uuid, "<f8", {3, 1}, {8, 8}, 8, false},
  };
  for (const Handle& other : others) CHECK_FALSE(other == handle);
}

TEST_CASE("the names of a handle's text are decoded") {
  CHECK(Handle::parse(text_of("name=two%20words%2C%20100%25")).name() == "two words, 100%");
  CHECK(Handle::parse(text_of("name=%C3%BC")).name() == "\xc3\xbc");
  CHECK(Handle::parse(text_of("name=a%3Ab")).name() == "a:b");
  const Handle handle = Handle::parse(text_of("pid=1234:fd=7", "shape=4,5:strides=-80,16:offset=240:access=ro"));
  CHECK(handle.name().empty());
  CHECK(handle.pid() == 1234U);
  CHECK(handle.descriptor() == 7);
  CHECK(handle.uuid() == uuid);
  CHECK(handle.dtype() == "<f8");
  CHECK(handle.itemsize() == 8);
  CHECK(handle.shape() == Shape{4, 5});
  CHECK(handle.strides() == Strides{-80, 16});
  CHECK(handle.offset() == 240);
  CHECK(handle.is_read_only());
}

TEST_CASE("each broken rule of a handle's text is refused by name") {
  const std::string good = text_of("name=weights");
  REQUIRE(Handle::parse(good).to_string() == good);
  const std::string tail = ":type=%3Cf8:shape=:strides=:offset=0:access=rw";
  const std::vector<Malformed> table{
      // The fields.
      {"nothing", "", "does not start with \"ndshm1:\""},
      {"a name", "weights", "does not start with"},
      {"a start without its colon", "ndshm1", "does not start with"},
      {"another version", "ndshm2" + good.substr(6), "does not start with"},
      {"a start in capitals", "NDSHM1" + good.substr(6), "does not start with"},
      {"a space in front", " " + good, "does not start with"},
      {"the start alone", "ndshm1:", "expected \"name\""},
      {"the start twice", "ndshm1:" + good, "expected \"name\""},
      {"no place", "ndshm1:uuid=" + uuid_text + tail, "expected \"name\""},
      {"a key in capitals", "ndshm1:NAME=weights" + good.substr(19), "expected \"name\""},
      {"a key with a space", "ndshm1:name =weights" + good.substr(19), "expected \"name\""},
      {"a key without a value", "ndshm1:name:uuid=" + uuid_text + tail, "expected \"name\""},
      {"a name and a descriptor", text_of("name=a:fd=3"), "expected \"uuid\""},
      {"a descriptor and a name", text_of("fd=3:name=a"), "expected \"uuid\""},
      {"a process and a name", text_of("pid=1:name=a"), "expected \"fd\""},
      {"a process without a descriptor", text_of("pid=1"), "expected \"fd\""},
      {"a process behind the descriptor", text_of("fd=3:pid=1"), "expected \"uuid\""},
      {"a name twice", text_of("name=a:name=a"), "expected \"uuid\""},
      {"a scope that is said anyway", text_of("scope=session:name=a"), "its scope is not machine"},
      {"a scope behind the name", text_of("name=a:scope=machine"), "expected \"uuid\""},
      {"a scope without a name", text_of("scope=machine:fd=3"), "expected \"name\""},
      {"no UUID", "ndshm1:name=a" + tail, "expected \"uuid\""},
      {"no type", "ndshm1:name=a:uuid=" + uuid_text + ":shape=:strides=:offset=0:access=rw", "expected \"type\""},
      {"no shape", text_of("name=a", "strides=:offset=0:access=rw"), "expected \"shape\""},
      {"no strides", text_of("name=a", "shape=:offset=0:access=rw"), "expected \"strides\""},
      {"no offset", text_of("name=a", "shape=:strides=:access=rw"), "expected \"offset\""},
      {"no access", text_of("name=a", "shape=:strides=:offset=0"), "it ends before \"access\""},
      {"no access but its colon", text_of("name=a", "shape=:strides=:offset=0:"), "expected \"access\""},
      {"another order", text_of("name=a", "strides=:shape=:offset=0:access=rw"), "expected \"shape\""},
      {"an unknown field", text_of("name=a", "shape=:strides=:offset=0:mode=600:access=rw"), "expected \"access\""},
      {"an empty field", text_of("name=a", ":shape=:strides=:offset=0:access=rw"), "expected \"shape\""},
      {"cut after the name", "ndshm1:name=a", "it ends before \"uuid\""},
      {"cut after the UUID", "ndshm1:name=a:uuid=" + uuid_text, "it ends before \"type\""},
      {"cut after the shape", text_of("name=a", "shape=3"), "it ends before \"strides\""},
      {"more behind it", good + ":x=1", "there is more after its end"},
      {"a colon behind it", good + ":", "there is more after its end"},
      {"a newline behind it", good + "\n", "neither rw nor ro"},
      {"a NUL behind it", good + '\0', "neither rw nor ro"},

      // The access.
      {"no word for access", text_of("name=a", "shape=:strides=:offset=0:access="), "neither rw nor ro"},
      {"access in capitals", text_of("name=a", "shape=:strides=:offset=0:access=RW"), "neither rw nor ro"},
      {"writing only", text_of("name=a", "shape=:strides=:offset=0:access=wo"), "neither rw nor ro"},

      // The name.
      {"an empty name", text_of("name="), "the name is empty"},
      {"a slash", text_of("name=..%2Fpasswd"), "has a '/' in it"},
      {"a backslash", text_of("name=a%5Cb"), "has a backslash"},
      {"a NUL in the name", text_of("name=a%00b"), "has a NUL"},
      {"a handle as name", text_of("name=ndshm1%3Aa"), "this is the text of a handle"},
      {"a name of 250 bytes", text_of("name=" + std::string(250, 'a')), "has 250 bytes"},
      {"a raw space", text_of("name=two words"), "not written in its canonical form"},
      {"a raw slash", text_of("name=a/b"), "not written in its canonical form"},
      {"a plus for a space", text_of("name=two+words"), "not written in its canonical form"},
      {"raw UTF-8", text_of("name=\xc3\xbc"), "not written in its canonical form"},
      {"a raw NUL", text_of("name=a\0b"s), "not written in its canonical form"},
      {"digits in lower case", text_of("name=a%2cb"), "not written in its canonical form"},
      {"a letter encoded without need", text_of("name=%61"), "not written in its canonical form"},
      {"a % at the end", text_of("name=a%"), "not followed by two digits"},
      {"a % and one digit", text_of("name=a%4"), "not followed by two digits"},
      {"a % and letters", text_of("name=%zz"), "not followed by two digits"},
      {"a % and one good digit", text_of("name=%4g"), "not followed by two digits"},
      {"a % and a sign", text_of("name=%-1"), "not followed by two digits"},
      {"a % and a space", text_of("name=% 1"), "not followed by two digits"},
      {"a % and 0x", text_of("name=%0x41"), "not followed by two digits"},

      // The descriptor and the process.
      {"a negative descriptor", text_of("fd=-1"), "its descriptor is negative"},
      {"a descriptor of 2^31", text_of("fd=2147483648"), "is not a number in range"},
      {"no number of a descriptor", text_of("fd="), "is not a number in range"},
      {"a descriptor with a 0 in front", text_of("fd=07"), "is not a number in range"},
      {"a descriptor with a plus", text_of("fd=+7"), "is not a number in range"},
      {"a hexadecimal descriptor", text_of("fd=0x7"), "is not a number in range"},
      {"minus zero as descriptor", text_of("fd=-0"), "is not a number in range"},
      {"a path", text_of("fd=..%2Fmem"), "is not a number in range"},
      {"process 0", text_of("pid=0:fd=7"), "not between 1 and 4294967295"},
      {"process 2^32", text_of("pid=4294967296:fd=7"), "not between 1 and 4294967295"},
      {"process 2^64 + 1", text_of("pid=18446744073709551617:fd=7"), "is not a number in range"},
      {"a negative process", text_of("pid=-1:fd=7"), "is not a number in range"},
      {"no number of a process", text_of("pid=:fd=7"), "is not a number in range"},
      {"this process, by its file", text_of("pid=self:fd=7"), "is not a number in range"},
      {"a negative descriptor of a process", text_of("pid=1:fd=-1"), "its descriptor is negative"},

      // The UUID.
      {"an empty UUID", with_uuid(""), "is not a UUID"},
      {"the nil UUID", with_uuid("00000000-0000-0000-0000-000000000000"), "its UUID is nil"},
      {"a UUID in capitals", with_uuid("6F1C2D3E-4A5B-4C6D-8E7F-0123456789AB"), "is not a UUID"},
      {"a UUID without dashes", with_uuid("6f1c2d3e4a5b4c6d8e7f0123456789ab"), "is not a UUID"},
      {"a UUID in braces", with_uuid("{" + uuid_text + "}"), "is not a UUID"},
      {"a digit too few", with_uuid(uuid_text.substr(0, 35)), "is not a UUID"},
      {"a digit too many", with_uuid(uuid_text + "0"), "is not a UUID"},
      {"a letter that is no digit", with_uuid("6f1c2d3e-4a5b-4c6d-8e7f-0123456789ag"), "is not a UUID"},
      {"a dash in another place", with_uuid("6f1c2d3-e4a5b-4c6d-8e7f-0123456789ab"), "is not a UUID"},
      {"a space behind the UUID", with_uuid(uuid_text + " "), "is not a UUID"},

      // The type.
      {"an empty type", with_type(""), "its type: "},
      {"a type in quotes", with_type("%27%3Cf8%27"), "its type: "},
      {"a type of objects", with_type("%7CO8"), "holds Python objects"},
      {"a type that NumPy does not know", with_type("bfloat16"), "its type: "},
      {"a type as it is", with_type("<f8"), "not written in its canonical form"},
      {"a space before the type", with_type("%20%3Cf8"), "not in canonical form"},
      {"a struct without spaces", with_type("%5B%28%27x%27%2C%27%3Cf4%27%29%5D"), "not in canonical form"},
      {"a struct without an end", with_type("%5B%28%27x%27%2C%20%27%3Cf4%27%29"), "expected ']'"},
      {"a struct without bytes", with_type("%5B%28%27x%27%2C%20%27%3Cf4%27%2C%20%280%2C%29%29%5D"), "has no bytes"},
      {"a type that is too long", with_type(std::string(10'001, 'f')), "longer than 10,000"},

      // Shape, strides and offset.
      {"a comma behind the shape", with_geometry("3,", "8"), "ends in a comma"},
      {"a comma before the shape", with_geometry(",3", "8"), "is not a number in range"},
      {"a comma as shape", with_geometry(",", "8"), "is not a number in range"},
      {"two commas", with_geometry("3,,4", "8,8"), "is not a number in range"},
      {"a negative dimension", with_geometry("-3", "8"), "is not a number in range"},
      {"a dimension with a plus", with_geometry("+3", "8"), "is not a number in range"},
      {"a dimension with a 0 in front", with_geometry("03", "8"), "is not a number in range"},
      {"a dimension with a space", with_geometry("3, 4", "8,8"), "is not a number in range"},
      {"a dimension with a fraction", with_geometry("3.0", "8"), "is not a number in range"},
      {"a dimension of 2^64", with_geometry("18446744073709551616", "8"), "is not a number in range"},
      {"a dimension of 2^64 - 1", with_geometry("18446744073709551615", "0"), "does not fit into memory"},
      {"a shape in parentheses", with_geometry("(3)", "8"), "is not a number in range"},
      {"an encoded shape", with_geometry("%33", "8"), "is not a number in range"},
      {"an element too many", with_geometry("1152921504606846976", "0"), "does not fit into memory"},
      {"a product that is 0 if it wraps", with_geometry("4294967296,4294967296", "0,0"), "does not fit into memory"},
      {"an empty array whose product wraps", with_geometry("0,4294967296,4294967296", "0,0,0"), "does not fit into"},
      {"a stride too few", with_geometry("3,4", "8"), "2 dimensions and 1 strides"},
      {"a stride too many", with_geometry("3", "8,8"), "1 dimensions and 2 strides"},
      {"strides of a 0-d array", with_geometry("", "8"), "0 dimensions and 1 strides"},
      {"a shape without strides", with_geometry("3", ""), "1 dimensions and 0 strides"},
      {"a comma behind the strides", with_geometry("3", "8,"), "ends in a comma"},
      {"minus zero as stride", with_geometry("3", "-0"), "is not a number in range"},
      {"a stride of 2^63", with_geometry("1", "9223372036854775808"), "is not a number in range"},
      {"a stride below -2^63", with_geometry("1", "-9223372036854775809"), "is not a number in range"},
      {"half an element as stride", with_geometry("3", "4", "0"), "not a multiple of its 8-byte elements"},
      {"a stride of one byte backwards", with_geometry("1", "-1"), "not a multiple of its 8-byte elements"},
      {"half an element as offset", with_geometry("3", "8", "4"), "not a multiple of its 8-byte elements"},
      {"before the first element", with_geometry("3", "-8", "8"), "leave the array"},
      {"before the first element by far", with_geometry("2", "-9223372036854775808"), "leave the array"},
      {"behind the last address", with_geometry("3", "8", "9223372036854775800"), "leave the array"},
      {"an offset of 2^63", with_geometry("", "", "9223372036854775808"), "leave the array"},
      {"an offset of 2^63 of nothing", with_geometry("0", "8", "9223372036854775808"), "leave the array"},
      {"strides whose sum wraps", with_geometry("3,3", "4611686018427387904,8"), "leave the array"},
      {"strides that wrap to where they were", with_geometry("3,3", "4611686018427387904,4611686018427387904"),
       "leave the array"},
      {"three strides whose sum wraps to less",
       with_geometry("2,2,2", "9223372036854775800,9223372036854775800,9223372036854775800"), "leave the array"},
      {"a last element that ends behind the last address", with_geometry("", "", "9223372036854775800"),
       "leave the array"},
      {"both directions too far", with_geometry("2,2", "9223372036854775800,-9223372036854775808"), "leave the array"},
      {"no offset at all", with_geometry("3", "8", ""), "is not a number in range"},
      {"a negative offset", with_geometry("3", "8", "-8"), "is not a number in range"},
      {"an offset with a 0 in front", with_geometry("3", "8", "08"), "is not a number in range"},
      {"an offset of 2^64", with_geometry("3", "8", "18446744073709551616"), "is not a number in range"},
  };
  CHECK(table.size() >= 110);
  for (const Malformed& bad : table) {
    INFO(bad.what << ": " << bad.text);
    CHECK_ERROR(Handle::parse(bad.text), errc::invalid_handle, bad.message);
  }
}

TEST_CASE("a handle that is put together is checked like one that is read") {
  CHECK_ERROR(usual(named("")), errc::invalid_handle, "the name is empty");
  CHECK_ERROR(usual(at(-1)), errc::invalid_handle, "its descriptor is negative");
  CHECK_ERROR(usual(at(1, -1)), errc::invalid_handle, "its descriptor is negative");
  CHECK_ERROR(usual(NamedPlace{"a", "relative"}), errc::invalid_handle, "is not an absolute path");
  CHECK_ERROR(usual(named("a/b")), errc::invalid_handle, "has a '/' in it");
  CHECK_ERROR(usual(at(0, 3)), errc::invalid_handle, "not between 1 and 4294967295");
  CHECK_ERROR(usual(at(4294967296, 3)), errc::invalid_handle, "not between 1 and 4294967295");
  CHECK_ERROR((Handle{named("a"), Uuid{}, "<f8", {}, {}, 0, false}), errc::invalid_handle, "its UUID is nil");
  CHECK_ERROR((Handle{named("a"), uuid, "float", {}, {}, 0, false}), errc::invalid_handle, "its type: ");
  CHECK_ERROR((Handle{named("a"), uuid, " <f8", {}, {}, 0, false}), errc::invalid_handle, "not in canonical form");
  CHECK_ERROR((Handle{named("a"), uuid, "[('x', '<f4', (0,))]", {3}, {0}, 0, false}), errc::invalid_handle,
              "has no bytes");
  CHECK_ERROR((Handle{named("a"), uuid, "<f8", {3}, {}, 0, false}), errc::invalid_handle, "1 dimensions and 0 strides");
  CHECK_ERROR((Handle{named("a"), uuid, "<f8", {3}, {4}, 0, false}), errc::invalid_handle, "not a multiple");
  CHECK_ERROR((Handle{named("a"), uuid, "<f8", {2}, {-8}, 0, false}), errc::invalid_handle, "leave the array");
}

TEST_CASE("an anonymous array can be inherited, a named one needs no descriptor") {
  const Handle handle(at(1234, 7), uuid, "<f8", {4, 5}, {-80, 16}, 240, true);
  const Handle inherited = handle.as_inherited(3);
  CHECK(inherited.to_string() == text_of("fd=3", "shape=4,5:strides=-80,16:offset=240:access=ro"));
  CHECK(Handle::parse(inherited.to_string()) == inherited);
  CHECK(inherited.as_inherited(0).descriptor() == 0);
  CHECK(handle.pid() == 1234U);  // the original stays as it is
  CHECK(handle.descriptor() == 7);
  CHECK_ERROR(handle.as_inherited(-1), errc::invalid_handle, "its descriptor is negative");
  CHECK_ERROR(usual(named("weights")).as_inherited(3), errc::invalid_handle, "attached by its name");
}
