# SPDX-License-Identifier: BSL-1.0
"""Breaks each law in a small tree, and shows the parser what has to pass."""

import pathlib
import tempfile

CONFIG = "#pragma once\n#include <ndshm/version.hpp>\n#define NDSHM_ABI_NAMESPACE v1\n"
OPEN, CLOSE = "namespace ndshm::inline NDSHM_ABI_NAMESPACE {\n", "}  // namespace\n"
DETAIL = "namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail {\n"

# A house in which every law holds, with the constructs at which the parser could stumble.
GOOD = {
    "version.hpp": "#pragma once\n#define NDSHM_VERSION_MAJOR 1\n",
    "fwd.hpp": "#pragma once\n#include <ndshm/core/config.hpp>\n" + OPEN + "class Thing;\n" + CLOSE,
    "ndshm.hpp": "// SPDX\n#pragma once\n\n#include <ndshm/array.hpp>  // all\n#include <ndshm/version.hpp>\n",
    "array.hpp": "#pragma once\n#include <ndshm/array/thing.hpp>\n",
    "core/config.hpp": CONFIG + "#if defined(NDSHM_PORTABLE_POSIX)\n#endif\n",
    "core/text.hpp": "#pragma once\n#include <ndshm/core/config.hpp>\n#include <string>\n" + DETAIL +
                     "inline std::string in_quotes(const std::string& text) { return '\"' + text + '\"'; }\n"
                     "enum class Colour { red_one, open_named };\ninline void (*crash_hook)(const char* where) = nullptr;\n" + CLOSE,
    "platform/platform.hpp": "#pragma once\n#if defined(_WIN32)\n#include <ndshm/platform/windows/objects.hpp>\n#else\n"
                             "#include <ndshm/platform/linux/objects.hpp>\n#endif\n#include <ndshm/platform/contract.hpp>\n",
    "platform/contract.hpp": "#pragma once\n#include <ndshm/platform/platform.hpp>\n",
    "platform/linux/objects.hpp": "#pragma once\n#include <sys/mman.h>\n#include <ndshm/core/config.hpp>\n" + DETAIL +
                                  "inline int open_named() { return 1'000; }\n" + CLOSE,
    "platform/windows/objects.hpp": "#pragma once\n#include <windows.h>\n#include <ndshm/core/config.hpp>\n" + DETAIL +
                                    "inline int open_named() { return 2; }\n" + CLOSE,
    "segment/segment.hpp": "#pragma once\n#include <ndshm/core/text.hpp>\n#include <ndshm/platform/platform.hpp>\n#include <string>\n"
                           + DETAIL + "class Segment {\n public:\n  explicit Segment(int id) : id_{open_named()}, name_(in_quotes({})) "
                           "{ id_ = id; }\n\n private:\n  int id_ = 0;\n  std::string name_{};\n};\n" + CLOSE,
    "segment/table.hpp": "#pragma once\n#include <ndshm/core/config.hpp>\n" + DETAIL + "class Segment;\n"
                         "inline Segment* table = nullptr;\ninline detail::Segment* other = nullptr;\n" + CLOSE,
    "array/xtensor.hpp": "#pragma once\n#if __has_include(<xtensor/containers/xtensor.hpp>)\n#include <xtensor/containers/xtensor.hpp>\n"
                         "#endif\n",
    "array/thing.hpp": "#pragma once\n#include <ndshm/array/xtensor.hpp>\n#include <ndshm/segment/segment.hpp>\n#include <string>\n"
                       "#include <type_traits>\n" + DETAIL + "template <class T>\nstruct Check {};\n" + CLOSE + OPEN +
                       "/// Good.\ntemplate <class T>\nconcept Good = detail::fits<T>() || requires(const T& t) { t.size(); };\n"
                       "/// An array.\ntemplate <class T, int N = 2>\nclass Array : private detail::Check<T>, public std::string {\n public:\n"
                       "  /// Makes one.\n  Array() : detail::Check<T>(), data_{detail::first()} { detail::Segment s(1); }\n"
                       "  /* detail::Segment */ const char* text() const { return \"detail::Segment\"; }  ///< text\n"
                       "  /// Returns it.\n  const char* raw() const { return R\"x(detail::Segment)x\"; }\n"
                       "  bool operator==(const Array&) const = default;\n"
                       "  /// Assigns.\n  template <class E>\n  requires(!std::is_const_v<T>) Array& operator=(const E& e) { detail::go(e); return *this; }\n"
                       "  /// Freezes it.\n  void freeze() requires(!std::is_const_v<T>) { detail::Segment s(2); }\n  void freeze(int) {}\n"
                       "  /// A place.\n  struct Place {\n    int number = 0;  ///< its number\n  };\n"
                       "  /// Red or not.\n  enum class Colour {\n    red,  ///< red\n    other = 7  ///< not\n  };\n"
                       "  friend struct detail::Access;\n  static_assert(sizeof(detail::Segment) > 0);\n  int size = detail::zero;  ///< elements\n\n"
                       " protected:\n  detail::Segment* segment() { return nullptr; }\n\n private:\n  class Inner {\n   public:\n"
                       "    detail::Segment segment;\n  };\n  detail::Segment* data_;\n};\n"
                       "template <class T, int N>\ninline void Array<T, N>::later(detail::Segment s) {}\n" + CLOSE,
}

# (the law, what is changed or added, what has to be said)
BROKEN = [
    ("doors", {"array.hpp": "#pragma once\n#include <ndshm/array/thing.hpp>\nnamespace ndshm {}\n"}, "array.hpp:3: a door only includes"),
    ("doors", {"array.hpp": "#pragma once\n#include <ndshm/array/thing.hpp>\n#define X 1\n"}, "array.hpp:3: a door only includes"),
    ("doors", {"pool.hpp": "#pragma once\n#include <unistd.h>\n"}, "pool.hpp:2: a door only includes"),
    ("rooms", {"core/low.hpp": "#include <ndshm/segment/segment.hpp>\n"}, "core/low.hpp:1: an arrow upwards"),
    ("rooms", {"format/low.hpp": "#pragma once\n#include <ndshm/platform/platform.hpp>\n"}, "format/low.hpp:2: an arrow upwards"),
    ("rooms", {"array/low.hpp": "#  include \"ndshm/process/x.hpp\"\n", "process/x.hpp": ""}, "array/low.hpp:1: an arrow upwards"),
    ("rooms", {"array/low.hpp": "#include <ndshm/file/x.hpp>\n", "file/x.hpp": ""}, "array/low.hpp:1: an arrow upwards"),
    ("rooms", {"sync/low.hpp": "#include <ndshm/array/thing.hpp>\n"}, "sync/low.hpp:1: an arrow upwards"),
    ("rooms", {"fwd.hpp": "#include <ndshm/segment/segment.hpp>\n"}, "fwd.hpp:1: fwd.hpp is below segment/"),
    ("rooms", {"segment/low.hpp": "#include <ndshm/array.hpp>\n"}, "segment/low.hpp:1: array.hpp is a door"),
    ("rooms", {"segment/low.hpp": "#include <ndshm/segment/lost.hpp>\n"}, "segment/low.hpp:1: there is no segment/lost.hpp"),
    ("rooms", {"attic/x.hpp": ""}, "attic/x.hpp:1: no room is called attic"),
    ("rooms", {"platform/linux/x.hpp": "#include <ndshm/platform/windows/objects.hpp>\n"}, "which is another platform's"),
    ("rooms", {"core/a.hpp": "#include <ndshm/core/b.hpp>\n", "core/b.hpp": "#include <ndshm/core/a.hpp>\n"},
     "core/b.hpp:1: a circle: core/a.hpp > core/b.hpp > core/a.hpp"),
    ("includes", {"segment/use.hpp": "#include <ndshm/segment/segment.hpp>\n#include <string>\ninline std::string x = in_quotes(\"\");\n"},
     "segment/use.hpp:3: in_quotes is used, but core/text.hpp is not included"),
    ("includes", {"array/use.hpp": "inline detail::Segment* x;\n"}, "array/use.hpp:1: Segment is used, but segment/segment.hpp"),
    ("includes", {"array/use.hpp": "inline int x = detail::open_named();\n"}, "open_named is used, but platform/linux/objects.hpp or"),
    ("includes", {"core/mark.hpp": "#pragma once\n#define NDSHM_MARK(x) x\n", "array/use.hpp": "NDSHM_MARK(int) x;\n"},
     "array/use.hpp:1: NDSHM_MARK is used, but core/mark.hpp is not included"),
    ("includes", {"core/use.hpp": "#include <string>\ninline std::optional<std::string> x;\n"},
     "core/use.hpp:2: std::optional is used, but <optional> is not included"),
    ("systems", {"segment/x.hpp": "#include <sys/mman.h>\n"}, "segment/x.hpp:1: <sys/mman.h> is a header of the operating system"),
    ("systems", {"core/x.hpp": "#include <windows.h>\n"}, "core/x.hpp:1: <windows.h> is a header of the operating system"),
    ("systems", {"pool/x.hpp": "\n#if defined(_WIN32)\n#endif\n"}, "pool/x.hpp:2: #if on the system, outside platform/: _WIN32"),
    ("systems", {"pool/x.hpp": "#ifndef __linux__\n#endif\n"}, "pool/x.hpp:1: #if on the system"),
    ("systems", {"pool/x.hpp": "#if 1\n#elif defined(X) && \\\n  __APPLE__\n#endif\n"}, "pool/x.hpp:2: #if on the system"),
    ("systems", {"pool/x.hpp": "#if defined(NDSHM_PORTABLE_POSIX)\n#endif\n"}, "pool/x.hpp:1: #if on the system"),
    ("systems", {"pool/x.hpp": "#if __has_include(<unistd.h>)\n#endif\n"}, "pool/x.hpp:1: #if on the header <unistd.h>"),
    ("systems", {"array/x.hpp": "#include <xtensor/xview.hpp>\n"}, "array/x.hpp:1: <xtensor/xview.hpp> is included outside"),
    ("systems", {"platform/x.hpp": "#include <xtl/xspan.hpp>\n"}, "platform/x.hpp:1: <xtl/xspan.hpp> is included outside"),
] + [("signatures", {"array/x.hpp": "#pragma once\n" + OPEN + text + CLOSE}, f"array/x.hpp:{line}: {said} in a public signature")
     for text, line, said in [
    ("void send(const detail::Segment& s);\n", 3, "detail::Segment"),
    ("inline int f(int x,\n             detail::os::Child child) { return x; }\n", 4, "detail::os"),
    ("template <detail::ShapeFor S>\nvoid create(const S&) {}\n", 3, "detail::ShapeFor"),
    ("template <class T>\nrequires detail::fits<T> void create(T) {}\n", 4, "detail::fits"),
    ("void create(int) requires(detail::good) {}\n", 3, "detail::good"),
    ("template <class T, int N = detail::deduced>\nint create();\n", 3, "detail::deduced"),
    ("auto create() -> detail::Segment { return {}; }\n", 3, "detail::Segment"),
    ("using Shape = detail::Shape;\n", 3, "detail::Shape"),
    ("class A {\n  int y_;\n public:\n  detail::Segment segment() { return {}; }\n};\n", 6, "detail::Segment"),
    ("class A {\n public:\n  A() : x_{1} {}\n  detail::Segment x_;\n};\n", 6, "detail::Segment"),
    ("struct A {\n  detail::Segment segment;\n};\n", 4, "detail::Segment"),
    ("struct A : detail::Segment {};\n", 3, "detail::Segment"),
    ("class A : private detail::X, public detail::Segment {};\n", 3, "detail::Segment"),
    ("class A {\n public:\n  bool operator==(const A& b) const { return true; }\n\n private:\n  int x_;\n\n public:\n"
     "  void f(detail::Segment*);\n};\n", 11, "detail::Segment"),
    ("template <class F>\nA(F) -> A<detail::JobOf<F>>;\n", 4, "detail::JobOf"),
    ("inline detail::Segment* global = nullptr;\n", 3, "detail::Segment"),
]] + [("contracts", {"array/x.hpp": "#pragma once\n" + OPEN + text + CLOSE}, f"array/x.hpp:{line}: no docstring: {said}")
      for text, line, said in [
    ("void send(int);\n", 3, "void send"),
    ("// Sends.\nvoid send(int);\n", 4, "void send"),
    ("/// Sends.\nvoid send(int);\nvoid receive(int);\n", 5, "void receive"),
    ("/// Sends.\n\ntemplate <class T>\nvoid send(T);\n", 5, "void send"),
    ("class A {};\n", 3, "class A"),
    ("using Shape = int;\n", 3, "using Shape"),
    ("inline constexpr int limit = 1;\n", 3, "inline constexpr int limit"),
    ("/// A.\nclass A {\n public:\n  A(int);\n};\n", 6, "A ( int )"),
    ("/// A.\nstruct A {\n  int x;\n  int y;  ///< y\n};\n", 5, "int x"),
    ("/// A.\nstruct A {\n  int x;  ///< x\n  int y;\n};\n", 6, "int y"),
    ("enum class Colour {\n  red  ///< red\n};\n", 3, "enum class Colour"),
    ("/// A colour.\nenum class Colour {\n  red,  ///< red\n  blue\n};\n", 6, "Colour::blue"),
    ("/// A colour.\nenum class Colour { red };\n", 4, "Colour::red"),
]]


def run(breaches, laws):
    failed = 0

    def check(law, changes, wanted):
        nonlocal failed
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {**GOOD, **changes}.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            found = breaches(law, root)
        if wanted is None and found or wanted is not None and not any(wanted in breach for breach in found):
            failed += 1
            print(f"{law}: {'nothing' if wanted is None else wanted} was expected, but it says {found}, of {changes}")
        if wanted is not None and len(found) > 1:
            failed += 1
            print(f"{law}: one breach was made, but it says {found}")

    for law in laws:
        check(law, {}, None)
    for law, changes, wanted in BROKEN:
        check(law, changes, wanted)
    print(f"{len(laws)} laws hold in a good tree, {len(BROKEN)} breaches tried, {failed} not noticed or misjudged")
    return 1 if failed else 0
