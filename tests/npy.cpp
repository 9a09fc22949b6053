// SPDX-License-Identifier: BSL-1.0
// The .npy header: what is written, what is read back, and each rule of the parser with a header that breaks just it.
#include <algorithm>
#include <cstddef>
#include <ndshm/format/npy_parser.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"

using namespace ndshm;
using namespace std::string_literals;

namespace npy = ndshm::detail::npy;

namespace {

/// A header of any version around this text, which needs no padding to be read.
std::string file(const std::string& text, int version = 1) {
  const std::size_t length = text.size() + 1;
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (std::size_t i = 0, rest = length; i < (version == 1 ? 2U : 4U); ++i, rest /= 256) {
    bytes += static_cast<char>(rest % 256);
  }
  return bytes + text + '\n';
}

std::string with_shape(const std::string& shape) {
  return file("{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + ", }");
}

std::string with_descr(const std::string& descr) {
  return file("{'descr': " + descr + ", 'fortran_order': False, 'shape': (3,), }");
}

std::string with_order(const std::string& order) {
  return file("{'descr': '<f8', 'fortran_order': " + order + ", 'shape': (3,), }");
}

/// `[('a', [('a', ... '<f4')])]`: structs in structs.
std::string nested(int depth) {
  std::string descr = "'<f4'";
  for (int i = 0; i < depth; ++i) descr = "[('a', " + descr + ")]";
  return descr;
}

/// The good one, for the tests that cut it.
const std::string good = with_shape("(3,)");

struct Malformed {
  const char* what;
  std::string bytes;
  const char* message;  // a part of it
};

bool same(const npy::Header& a, const npy::Header& b) {
  return a.descr == b.descr && a.itemsize == b.itemsize && a.fortran_order == b.fortran_order && a.shape == b.shape;
}

/// A struct of so many members.
npy::Header wide(std::size_t members) {
  std::string descr = "[";
  for (std::size_t i = 0; i < members; ++i) descr += (i == 0 ? "('m" : ", ('m") + std::to_string(i) + "', '<f4')";
  return {descr + "]", 4 * members, false, {1}};
}

}  // namespace

TEST_CASE("the canonical header is the one that NumPy writes, of 128 bytes") {
  const std::string text = "{'descr': '<f8', 'fortran_order': False, 'shape': (2000, 10), }";
  const std::string bytes = npy::format({"<f8", 8, false, {2000, 10}});
  CHECK(bytes == "\x93NUMPY\x01\0v\0"s + text + std::string(128 - 10 - text.size() - 1, ' ') + '\n');
}

TEST_CASE("a header that is written reads as itself") {
  const std::vector<npy::Header> headers{
      {"<f8", 8, false, {}},
      {"<f8", 8, false, {5}},
      {"<f4", 4, true, {3, 4, 5}},
      {">i2", 2, false, {1, 1}},
      {"|b1", 1, false, {0}},
      {"|i1", 1, false, {3, 0, 5}},
      {"<u8", 8, true, {(std::size_t{1} << 60) - 1}},
      {"<f2", 2, false, {1}},
      {"<f12", 12, false, {1}},
      {"<f16", 16, false, {1}},
      {"<c8", 8, false, {2}},
      {"<c32", 32, false, {2}},
      {"|S1", 1, false, {2}},
      {"|S7", 7, false, {2}},
      {"|V1", 1, false, {2}},
      {"|V9223372036854775807", detail::max_bytes, false, {1}},
      {"<U1", 4, false, {2}},
      {">U2305843009213693951", detail::max_bytes - 3, false, {1}},
      {"[('x', '<f4')]", 4, false, {3}},
      {"[('x', '<f4'), ('', '|V4'), ('y', '<f8')]", 16, false, {3}},
      {"[('x', '<f4', (3,)), ('m', '<i2', (2, 2))]", 20, true, {2, 2}},
      {"[('inner', [('a', '|u1'), ('b', '>u2')], (4,)), ('z', '|S3')]", 15, false, {}},
      {"[('empty', '<f4', (0,)), ('x', '<f4')]", 4, false, {3}},
      {"[('a \"quoted\" name, with: all', '<f4')]", 4, false, {3}},
      {"[('\xc3\xbc', '<f4')]", 4, false, {3}},
      {nested(npy::max_depth), 4, false, {3}},
      {"|u1", 1, false, {0, detail::max_bytes}},
      {"|u1", 1, false, Shape(64, 1)},
  };
  for (const npy::Header& header : headers) {
    const std::string bytes = npy::format(header);
    INFO(bytes);
    CHECK(npy::header_bytes(std::string_view(bytes).substr(0, npy::preamble_bytes)) == bytes.size());
    CHECK(same(npy::parse(bytes), header));
    CHECK(npy::format(npy::parse(bytes)) == bytes);
    const npy::Type type = npy::parse_descr(header.descr);
    CHECK(type.descr == header.descr);
    CHECK(type.itemsize == header.itemsize);
  }
}

TEST_CASE("a header has a size that readers with a signed length byte take") {
  std::vector<std::size_t> sizes;
  for (std::size_t members = 1;; ++members) {
    std::string bytes;
    if (error_of([&] { bytes = npy::format(wide(members)); })) {
      CHECK(members > 400);
      break;
    }
    INFO(members);
    CHECK(bytes.size() % 64 == 0);
    CHECK((bytes.size() - 10) % 256 < 128);
    CHECK(bytes.size() - 10 <= npy::max_text);
    CHECK(bytes.back() == '\n');
    CHECK(same(npy::parse(bytes), wide(members)));
    if (sizes.empty() || sizes.back() != bytes.size()) sizes.push_back(bytes.size());
  }
  REQUIRE(sizes.size() > 5);
  CHECK(std::vector<std::size_t>(sizes.begin(), sizes.begin() + 5) ==
        std::vector<std::size_t>{128, 320, 384, 576, 640});
  CHECK(std::is_sorted(sizes.begin(), sizes.end()));
}

TEST_CASE("a header grows by one step exactly when its text does not fit any more") {
  const auto with_text = [](std::size_t characters) {
    const std::size_t around = std::string("{'descr': [('', '<f4')], 'fortran_order': False, 'shape': (), }").size();
    return npy::format({"[('" + std::string(characters - around, 'n') + "', '<f4')]", 4, false, {}});
  };
  CHECK(with_text(117).size() == 128);
  CHECK(with_text(118).size() == 320);
  CHECK(with_text(309).size() == 320);
  CHECK(with_text(310).size() == 384);
  CHECK(with_text(373).size() == 384);
  CHECK(with_text(374).size() == 576);
}

TEST_CASE("a header that NumPy would not read is not written") {
  CHECK_ERROR(npy::format(wide(2000)), errc::invalid_header, "describe fewer members");
}

TEST_CASE("what NumPy and others write in another form is read") {
  const npy::Header expected{"<f8", 8, false, {3, 4}};
  for (const std::string text : {
           "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4)}",
           "{'shape': (3, 4), 'fortran_order': False, 'descr': '<f8'}",
           "{'fortran_order': False, 'descr': '<f8', 'shape': (3, 4), }",
           "{\"descr\": \"<f8\", \"fortran_order\": False, \"shape\": (3, 4)}",
           "{'descr':'<f8','fortran_order':False,'shape':(3,4)}",
           "  {  'descr'  :  '<f8'  ,  'fortran_order'  :  False  ,  'shape'  :  (  3  ,  4  ,  )  ,  }  ",
       }) {
    for (const int version : {1, 2, 3}) {
      INFO(text << " version " << version);
      const std::string bytes = file(text, version);
      CHECK(npy::header_bytes(std::string_view(bytes).substr(0, npy::preamble_bytes)) == bytes.size());
      CHECK(same(npy::parse(bytes), expected));
      CHECK(same(npy::parse(npy::format(npy::parse(bytes))), expected));
    }
  }
}

TEST_CASE("a header of the greatest length that NumPy reads is read") {
  std::string text = "{'descr': '<f8', 'fortran_order': False, 'shape': (), }";
  text.resize(npy::max_text - 1, ' ');
  for (const int version : {1, 2, 3}) CHECK(npy::parse(file(text, version)).shape.empty());
}

// Not inlined: g++ 12 takes the short text inside of a string for all of it, and warns.
[[gnu::noinline]] static std::string canonical(std::string_view text) { return npy::parse_descr(text).descr; }

TEST_CASE("a type reads in the forms that Python writes, and comes out in one") {
  CHECK(canonical("  <f8") == "<f8");
  CHECK(canonical("[(\"x\",\"<f4\"),(\"y\",'<f4',(2,)),]") == "[('x', '<f4'), ('y', '<f4', (2,))]");
  CHECK(canonical(" [ ( 'x' , '<f4' ) , ( 'y' , '<f4' , ( 2 , 3 , ) ) ] ") == "[('x', '<f4'), ('y', '<f4', (2, 3))]");
}

TEST_CASE("each broken rule of a header is refused by name") {
  const std::vector<Malformed> table{
      // The preamble.
      {"nothing", "", "shorter than its own length field"},
      {"eleven bytes", good.substr(0, 11), "shorter than its own length field"},
      {"another first byte", "\x92" + good.substr(1), "the magic is missing"},
      {"the magic in lower case", "\x93numpy" + good.substr(6), "the magic is missing"},
      {"the magic one byte late", " " + good, "the magic is missing"},
      {"version 0.0", "\x93NUMPY\0\0"s + good.substr(8), "its version"},
      {"version 1.1", "\x93NUMPY\1\1"s + good.substr(8), "its version"},
      {"version 4.0", "\x93NUMPY\4\0"s + good.substr(8), "its version"},
      {"version 255.0", "\x93NUMPY\xff\0"s + good.substr(8), "its version"},
      {"a length of zero", "\x93NUMPY\1\0\0\0"s + good.substr(10), "it is empty"},
      {"a version 2.0 length of zero", "\x93NUMPY\2\0\0\0\0\0"s, "it is empty"},
      {"10,001 characters", file(std::string(10'000, ' ')), "longer than the 10,000"},
      {"a length of 65,535", "\x93NUMPY\1\0\xff\xff"s + good.substr(10), "longer than the 10,000"},
      {"a version 2.0 length of 4 GiB", "\x93NUMPY\2\0\xff\xff\xff\xff"s, "longer than the 10,000"},
      {"a version 2.0 length of 16 MiB", "\x93NUMPY\2\0\0\0\0\1"s + good.substr(10), "longer than the 10,000"},
      {"a version 3.0 length of 64 KiB", "\x93NUMPY\3\0\0\0\1\0"s + good.substr(10), "longer than the 10,000"},
      {"a byte too few", good.substr(0, good.size() - 1), "its length differs from its length field"},
      {"a byte too many", good + " ", "its length differs from its length field"},
      {"no newline at the end", good.substr(0, good.size() - 1) + " ", "does not end in a newline"},

      // The dictionary.
      {"only spaces", file("        "), "expected '{'"},
      {"a list", file("['descr', '<f8']"), "expected '{'"},
      {"an empty dictionary", file("{}"), "the key 'descr' is missing"},
      {"only a comma", file("{,}"), "expected a string"},
      {"no descr", file("{'fortran_order': False, 'shape': (3,), }"), "the key 'descr' is missing"},
      {"no order", file("{'descr': '<f8', 'shape': (3,), }"), "the key 'fortran_order' is missing"},
      {"no shape", file("{'descr': '<f8', 'fortran_order': False, }"), "the key 'shape' is missing"},
      {"an unknown key", file("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'uuid': 'x', }"),
       "\"uuid\" is unknown"},
      {"a key in capitals", file("{'DESCR': '<f8', 'fortran_order': False, 'shape': (3,), }"), "\"DESCR\" is unknown"},
      {"a key with a space", file("{'descr ': '<f8', 'fortran_order': False, 'shape': (3,), }"), "is unknown"},
      {"an empty key", file("{'': '<f8', 'fortran_order': False, 'shape': (3,), }"), "is unknown"},
      {"descr twice", file("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"),
       "appears twice"},
      {"order twice", file("{'descr': '<f8', 'fortran_order': False, 'fortran_order': True, 'shape': (3,), }"),
       "appears twice"},
      {"shape twice", file("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'shape': (4,), }"),
       "appears twice"},
      {"a key without quotes", file("{descr: '<f8', 'fortran_order': False, 'shape': (3,), }"), "expected a string"},
      {"a key of bytes", file("{b'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"), "expected a string"},
      {"no colon", file("{'descr' '<f8', 'fortran_order': False, 'shape': (3,), }"), "expected ':'"},
      {"no value", file("{'descr': , 'fortran_order': False, 'shape': (3,), }"), "expected a string"},
      {"no comma", file("{'descr': '<f8' 'fortran_order': False, 'shape': (3,), }"), "expected '}'"},
      {"two commas", file("{'descr': '<f8',, 'fortran_order': False, 'shape': (3,), }"), "expected a string"},
      {"no closing brace", file("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)"), "before its end"},
      {"no closing brace after a comma", file("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), "),
       "expected a string"},
      {"more behind it", file("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), } {}"), "more after its end"},
      {"a comment behind it", file("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), } # "),
       "more after its end"},
      {"NULs as padding", file("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\0\0"s), "more after its end"},
      {"a tab between", file("{'descr':\t'<f8', 'fortran_order': False, 'shape': (3,), }"), "expected a string"},
      {"a newline between", file("{'descr': '<f8',\n'fortran_order': False, 'shape': (3,), }"), "expected a string"},

      // Strings.
      {"a string without an end", file("{'descr': '<f8, "), "a string does not end"},
      {"a string with two kinds of quotes", file("{'descr\": "), "a string does not end"},
      {"an escape", file("{'de\\x73cr': '<f8', 'fortran_order': False, 'shape': (3,), }"), "an escape or control"},
      {"a newline in a string", with_descr("[('a\nb', '<f4')]"), "an escape or control"},
      {"a NUL in a string", with_descr("[('a\0b', '<f4')]"s), "an escape or control"},
      {"a DEL in a string", with_descr("[('a\x7f', '<f4')]"), "an escape or control"},

      // The order.
      {"false", with_order("false"), "neither True nor False"},
      {"a number as order", with_order("0"), "neither True nor False"},
      {"None as order", with_order("None"), "neither True nor False"},
      {"a string as order", with_order("'False'"), "neither True nor False"},
      {"more behind False", with_order("Falsehood"), "expected '}'"},

      // The shape.
      {"a list as shape", with_shape("[3]"), "expected '('"},
      {"a number as shape", with_shape("3"), "expected '('"},
      {"None as shape", with_shape("None"), "expected '('"},
      {"a number in parentheses", with_shape("(3)"), "needs a comma"},
      {"a comma alone", with_shape("(,)"), "expected a dimension"},
      {"two commas in a shape", with_shape("(3,,4)"), "expected a dimension"},
      {"a shape without a comma", with_shape("(3 4)"), "expected ',' in a shape"},
      {"a shape without an end", with_shape("(3, 4"), "expected a dimension"},
      {"a tuple in the shape", with_shape("((3,), 4)"), "expected a dimension"},
      {"a string in the shape", with_shape("('3',)"), "expected a dimension"},
      {"True in the shape", with_shape("(True,)"), "expected a dimension"},
      {"a negative dimension", with_shape("(-1,)"), "expected a dimension"},
      {"minus zero", with_shape("(-0,)"), "expected a dimension"},
      {"a dimension with a plus", with_shape("(+1,)"), "expected a dimension"},
      {"an octal dimension", with_shape("(03,)"), "starts with a 0"},
      {"two zeros", with_shape("(00,)"), "starts with a 0"},
      {"a hexadecimal dimension", with_shape("(0x10,)"), "expected ',' in a shape"},
      {"a fraction", with_shape("(3.0,)"), "expected ',' in a shape"},
      {"an exponent", with_shape("(1e3,)"), "expected ',' in a shape"},
      {"an underscore", with_shape("(1_000,)"), "expected ',' in a shape"},
      {"Python 2's long numbers", with_shape("(3L, 4L)"), "expected ',' in a shape"},
      {"2^63", with_shape("(9223372036854775808,)"), "between 0 and 2^63 - 1"},
      {"2^64", with_shape("(18446744073709551616,)"), "between 0 and 2^63 - 1"},
      {"2^64 + 1, which is 1 if it wraps", with_shape("(18446744073709551617,)"), "between 0 and 2^63 - 1"},
      {"an element too many", with_shape("(1152921504606846976,)"), "does not fit into memory"},
      {"a product that is 0 if it wraps", with_shape("(4294967296, 4294967296)"), "does not fit into memory"},
      {"an empty array whose strides wrap", with_shape("(0, 1099511627776, 1099511627776)"),
       "does not fit into memory"},

      // Plain types.
      {"no type", with_descr("''"), "is not a byte order, a kind and a size"},
      {"a type without a byte order", with_descr("'f8'"), "is not a byte order, a kind and a size"},
      {"a type without a size", with_descr("'<f'"), "is not a byte order, a kind and a size"},
      {"None as type", with_descr("None"), "expected a string"},
      {"a dictionary as type", with_descr("{'names': ['x'], 'formats': ['<f4']}"), "expected a string"},
      {"a tuple as type", with_descr("('<f4', (3,))"), "expected a string"},
      {"a size with a 0 in front", with_descr("'<f08'"), "has no valid size"},
      {"a size with more behind it", with_descr("'<f8 '"), "has no valid size"},
      {"a negative size", with_descr("'<f-8'"), "has no valid size"},
      {"a size beyond 2^64", with_descr("'|V99999999999999999999'"), "has no valid size"},
      {"a name as type", with_descr("'float64'"), "has no valid size"},
      {"bfloat16", with_descr("'bfloat16'"), "has no valid size"},
      {"a date", with_descr("'<M8[ns]'"), "has no valid size"},
      {"a date without a unit", with_descr("'<M8'"), "not one that can be shared"},
      {"a duration", with_descr("'<m8'"), "not one that can be shared"},
      {"Python objects", with_descr("'|O'"), "holds Python objects"},
      {"Python objects of 8 bytes", with_descr("'|O8'"), "holds Python objects"},
      {"an integer of 3 bytes", with_descr("'<i3'"), "not one that can be shared"},
      {"an integer of 16 bytes", with_descr("'<u16'"), "not one that can be shared"},
      {"a float of 1 byte", with_descr("'|f1'"), "not one that can be shared"},
      {"a float of 10 bytes", with_descr("'<f10'"), "not one that can be shared"},
      {"a complex of 4 bytes", with_descr("'<c4'"), "not one that can be shared"},
      {"a bool of 2 bytes", with_descr("'<b2'"), "not one that can be shared"},
      {"a string of no bytes", with_descr("'|S0'"), "has no valid size"},
      {"raw data of no bytes", with_descr("'|V0'"), "has no valid size"},
      {"raw data of 2^63 bytes", with_descr("'|V9223372036854775808'"), "not one that can be shared"},
      {"Unicode whose size wraps", with_descr("'<U4611686018427387905'"), "not one that can be shared"},
      {"the machine's own byte order", with_descr("'=f8'"), "wrong byte order mark"},
      {"a number without a byte order", with_descr("'|f8'"), "wrong byte order mark"},
      {"a byte with a byte order", with_descr("'<i1'"), "wrong byte order mark"},
      {"a bool with a byte order", with_descr("'<b1'"), "wrong byte order mark"},
      {"a string with a byte order", with_descr("'<S5'"), "wrong byte order mark"},
      {"raw data with a byte order", with_descr("'>V8'"), "wrong byte order mark"},
      {"Unicode without a byte order", with_descr("'|U1'"), "wrong byte order mark"},

      // Structs.
      {"no members", with_descr("[]"), "has no members"},
      {"a struct in a struct without members", with_descr("[('a', [])]"), "has no members"},
      {"nothing but padding", with_descr("[('', '|V4')]"), "has no members"},
      {"no bytes", with_descr("[('x', '<f4', (0,))]"), "has no bytes"},
      {"no bytes inside", with_descr("[('a', [('x', '<f4', (2, 0))], (3,)), ('b', '<f4')]"), "has no bytes"},
      {"a member that is no tuple", with_descr("['x']"), "expected '('"},
      {"a member of a name alone", with_descr("[('x',)]"), "expected a string"},
      {"a member without a comma", with_descr("[('x' '<f4')]"), "expected ','"},
      {"a member of four parts", with_descr("[('x', '<f4', (3,), 1)]"), "expected ')'"},
      {"a member with a title", with_descr("[(('title', 'x'), '<f4')]"), "expected a string"},
      {"members without a comma", with_descr("[('x', '<f4') ('y', '<f4')]"), "expected ']'"},
      {"a struct without an end", with_descr("[('x', '<f4')"), "expected '('"},
      {"a member without a name", with_descr("[('', '<f4')]"), "has no name"},
      {"a member whose name has a quote", with_descr("[(\"it's\", '<f4')]"), "has a quote"},
      {"two members of one name", with_descr("[('x', '<f4'), ('y', '<f4'), ('x', '<i4')]"),
       "two members are named \"x\""},
      {"a member of Python objects", with_descr("[('x', '|O8')]"), "holds Python objects"},
      {"a member's shape of no dimensions", with_descr("[('x', '<f4', ())]"), "is empty"},
      {"a member's shape as a number", with_descr("[('x', '<f4', 3)]"), "expected '('"},
      {"a member's shape that is too large", with_descr("[('x', '<f8', (1152921504606846976,))]"),
       "a struct does not fit"},
      {"members that are too large together",
       with_descr("[('x', '|V4611686018427387904'), ('y', '|V4611686018427387904')]"), "a struct does not fit"},
      {"structs nested too deeply", with_descr(nested(npy::max_depth + 1)), "nested deeper than 32"},
      {"a thousand brackets", with_descr(std::string(1000, '[')), "expected '('"},
      {"nested to the end of the text", with_descr([] {
         std::string text;
         while (text.size() < 9000) text += "[('a',";
         return text;
       }()),
       "nested deeper than 32"},
  };
  CHECK(table.size() >= 130);
  for (const Malformed& bad : table) {
    INFO(bad.what << ": " << bad.bytes);
    CHECK_ERROR(npy::parse(bad.bytes), errc::invalid_header, bad.message);
    CHECK_ERROR(npy::parse(bad.bytes, detail::Context("attach", "x")), errc::invalid_header,
                "attach \"x\": .npy header: ");
  }
}

TEST_CASE("the preamble alone tells that there is no header") {
  CHECK(npy::header_bytes(good.substr(0, 12)) == good.size());
  CHECK_ERROR(npy::header_bytes(good.substr(0, 11)), errc::invalid_header, "shorter than its own length field");
  CHECK_ERROR(npy::header_bytes("not a header at all"), errc::invalid_header, "the magic is missing");
  CHECK_ERROR(npy::header_bytes("\x93NUMPY\1\1\1\0\0\0"s), errc::invalid_header, "its version");
  CHECK_ERROR(npy::header_bytes("\x93NUMPY\1\0\0\0\0\0"s), errc::invalid_header, "it is empty");
  CHECK_ERROR(npy::header_bytes("\x93NUMPY\2\0\0\0\0\x80"s), errc::invalid_header, "longer than the 10,000");
  // The greatest one is read, the next is not.
  CHECK(npy::header_bytes("\x93NUMPY\1\0\x10\x27{}"s) == 10 + npy::max_text);
  CHECK(npy::header_bytes("\x93NUMPY\2\0\x10\x27\0\0"s) == 12 + npy::max_text);
  CHECK_ERROR(npy::header_bytes("\x93NUMPY\1\0\x11\x27{}"s), errc::invalid_header, "longer than the 10,000");
}

TEST_CASE("a type that stands alone is checked like one in a header") {
  CHECK_ERROR(npy::parse_descr(""), errc::invalid_header, "expected a string");
  CHECK_ERROR(npy::parse_descr("   "), errc::invalid_header, "expected a string");
  CHECK_ERROR(npy::parse_descr("'<f8'"), errc::invalid_header, "has no valid size");
  CHECK_ERROR(npy::parse_descr("<f8 "), errc::invalid_header, "has no valid size");
  CHECK_ERROR(npy::parse_descr("<f8\0"s), errc::invalid_header, "has no valid size");
  CHECK_ERROR(npy::parse_descr("|O8"), errc::invalid_header, "holds Python objects");
  CHECK_ERROR(npy::parse_descr("[('x', '<f4')] x"), errc::invalid_header, "more after its end");
  CHECK_ERROR(npy::parse_descr("[('x', '<f4')"), errc::invalid_header, "expected ']'");
  CHECK_ERROR(npy::parse_descr("[('x', '<f4', (0,))]"), errc::invalid_header, "has no bytes");
  const std::string quarter = "|V4611686018427387904";  // 2^62 bytes: five of them are as many again if they wrap
  CHECK(npy::parse_descr(quarter).itemsize == std::size_t{1} << 62);
  CHECK_ERROR(npy::parse_descr("[('a', '" + quarter + "', (5,))]"), errc::invalid_header, "a struct does not fit");
  std::string five;
  for (const char* name : {"a", "b", "c", "d", "e"}) five += "('"s + name + "', '" + quarter + "'), ";
  CHECK_ERROR(npy::parse_descr("[" + five + "]"), errc::invalid_header, "a struct does not fit");
  CHECK_ERROR(npy::parse_descr(std::string(10'001, '[')), errc::invalid_header, "longer than 10,000");
  CHECK_ERROR(npy::parse_descr("f8", detail::Context("create", "x")), errc::invalid_header, "create \"x\": ");
}
