#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The laws of include/ndshm, each of them a test.

    laws.py doors|rooms|includes|systems|signatures|contracts [DIRECTORY OF ndshm.hpp]
    laws.py --self-test

doors       A door, which is a header beside the rooms, only includes.
rooms       A header includes its own room and lower ones, and no header includes itself by a detour.
includes    What a header uses of another one, or of the standard library, it includes itself.
systems     Headers of operating systems, and #if on the system, are in platform/ alone; xtensor in array/xtensor.hpp.
signatures  No name of ndshm::detail in what users see of a public declaration.
contracts   Every public function, type, enumerator and member has a docstring: /// above it, or ///< behind it.

Prints each breach as `room/header.hpp:LINE: …` and exits with 1 if there is one. The self-test breaks each law in a
small tree and wants to read of it.
"""

import pathlib
import re
import sys

import cpp

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent / "include" / "ndshm"

# Which rooms a room may include beside itself. Those that nobody has built yet have their place already.
LOWER = {"core": [], "format": ["core"], "platform": ["core"]}
for room, below in [("segment", ["format", "platform"]), ("array", ["segment"]), ("process", ["array"]),
                    ("pool", ["process"]), ("sync", ["segment"]), ("file", ["array"]), ("stream", ["array", "sync"]),
                    ("mpi", ["array"])]:
    LOWER[room] = sorted({deeper for lower in below for deeper in [lower, *LOWER[lower]]})
NO_DOORS = {"version.hpp": [], "fwd.hpp": ["core"]}  # beside the rooms, but not doors: every room may include them

# Folders of platform/ that hold one platform, and what they share with others.
PLATFORMS = {"linux": ["unix"], "portable": ["unix"], "windows": [], "unix": []}

# Headers that are included for all they include: their names may come through them.
FACES = {
    # picks a platform; whose names are the same on each
    "platform/platform.hpp": "platform/",
}
# Circles that are meant: the contract checks what platform.hpp has picked, wherever that is included, and compiles alone.
CIRCLES = {("platform/contract.hpp", "platform/platform.hpp")}
# Names that may come through any header: NDSHM_ABI_NAMESPACE is around everything, so that config.hpp always comes with
# what is in it.
EVERYWHERE = {"core/config.hpp", "version.hpp"}

# What of the standard library is told by its name alone, and its header.
STANDARD = {header: names.split() for header, names in {
    "algorithm": "all_of any_of clamp copy_n equal fill find find_if lower_bound max max_element min min_element none_of "
                 "replace sort stable_sort unique upper_bound",
    "array": "array", "atomic": "atomic atomic_ref atomic_thread_fence memory_order_acquire memory_order_release",
    "bit": "bit_cast endian has_single_bit bit_ceil", "charconv": "from_chars to_chars chars_format",
    "chrono": "chrono", "complex": "complex", "concepts": "same_as integral convertible_to derived_from",
    "cstddef": "byte ptrdiff_t max_align_t", "cstdint": "int32_t int64_t uint8_t uint16_t uint32_t uint64_t uintptr_t intptr_t",
    "cstdio": "fprintf snprintf fflush FILE fputs", "cstdlib": "getenv abort strtoull", "cstring": "memcpy memset memcmp strlen",
    "deque": "deque", "exception": "exception_ptr current_exception rethrow_exception", "filesystem": "filesystem",
    "fstream": "ifstream ofstream", "functional": "function hash", "iostream": "cout cerr", "limits": "numeric_limits",
    "map": "map", "memory": "unique_ptr shared_ptr weak_ptr make_unique make_shared allocator addressof",
    "mutex": "mutex lock_guard unique_lock scoped_lock once_flag call_once", "new": "bad_alloc", "optional": "optional nullopt",
    "random": "random_device mt19937", "set": "set", "span": "span", "sstream": "ostringstream istringstream",
    "string": "string to_string", "string_view": "string_view", "system_error": "error_code system_error error_category errc",
    "thread": "thread this_thread", "tuple": "tuple tie", "type_traits": "is_const_v remove_const_t decay_t is_same_v enable_if_t "
    "is_trivially_copyable_v conditional_t true_type false_type integral_constant invoke_result_t is_invocable_v",
    "typeinfo": "type_info", "unordered_map": "unordered_map", "utility": "move forward exchange pair swap",
    "variant": "variant visit get_if holds_alternative monostate", "vector": "vector",
}.items()}
HEADER_OF = {name: header for header, names in STANDARD.items() for name in names}

SYSTEM_MACRO = re.compile(
    r"\b(_?WIN(32|64)|_WIN(32|64)|__(linux|unix|APPLE|MACH|CYGWIN|MINGW32|MINGW64|FreeBSD|NetBSD|OpenBSD|ANDROID|sun|GLIBC)"
    r"(__)?|linux|unix|_POSIX_\w+|NDSHM_PORTABLE_POSIX)\b")
OTHER_HEADERS = re.compile(r"(ndshm|boost)/")
STANDARD_HEADER = re.compile(r"[a-z_0-9]+$")
XTENSOR = re.compile(r"(xtensor|xtl)/")


class Header:
    def __init__(self, root, path):
        self.name = path.relative_to(root).as_posix()
        self.source = path.read_text()
        self.text = cpp.without_literals(self.source)
        self.directives = list(cpp.preprocessor_lines(self.text))
        self.includes = [(line, match.group(2))
                         for line, directive in self.directives
                         for match in [re.match(r"#\s*include\s*([<\"])([^>\"]*)[>\"]", directive)] if match]
        self.own = [(line, name.removeprefix("ndshm/")) for line, name in self.includes if name.startswith("ndshm/")]
        self.declarations = cpp.declarations_of(self.text)

    @property
    def room(self):
        """The room, or nothing for what is beside the rooms."""
        return self.name.split("/")[0] if "/" in self.name else ""

    def is_door(self):
        return not self.room and self.name not in NO_DOORS


def headers_of(root):
    return {header.name: header for header in (Header(root, path) for path in sorted(root.rglob("*.hpp")))}


def doors(headers):
    for header in headers.values():
        if not header.is_door():
            continue
        rest = header.text.split("\n")
        for number, directive in header.directives:
            included = re.match(r"#\s*include\s*[<\"]([^>\"]*)", directive)
            if directive.split() == ["#pragma", "once"] or included and included.group(1).startswith("ndshm/"):
                rest[number - 1] = ""
        for number, line in enumerate(rest, 1):
            if line.strip():
                yield header.name, number, f"a door only includes headers of ndshm, but here stands: {line.strip()}"


def rooms(headers):
    for header in headers.values():
        if header.room and header.room not in LOWER:
            yield header.name, 1, f"no room is called {header.room}; laws.py has the list"
            continue
        for line, name in header.own:
            if name not in headers:
                yield header.name, line, f"there is no {name}"
                continue
            other = headers[name]
            if other.is_door():
                if header.room or not header.is_door():
                    yield header.name, line, f"{name} is a door: include what is behind it"
            elif header.name in NO_DOORS:
                if other.room and other.room not in NO_DOORS[header.name]:
                    yield header.name, line, f"{header.name} is below {other.room}/ and must not include {name}"
            elif header.room and other.room and other.room != header.room and other.room not in LOWER[header.room]:
                yield header.name, line, f"an arrow upwards: {header.room}/ is not above {other.room}/ and must not include {name}"
            folder, others = header.name.split("/")[1:2], name.split("/")[1:2]
            if header.room == other.room == "platform" and folder and others and folder[0] in PLATFORMS:
                if others[0] in PLATFORMS and others[0] != folder[0] and others[0] not in PLATFORMS[folder[0]]:
                    yield header.name, line, f"platform/{folder[0]}/ must not include {name}, which is another platform's"
    yield from circles(headers)


def circles(headers):
    """An include that comes back to where it started. Every header is looked at from, and told of once."""
    state = {}

    def visit(name, path):
        state[name] = "open"
        for line, following in headers[name].own:
            if following not in headers or (name, following) in CIRCLES:
                continue
            if state.get(following) == "open":
                way = [*path[path.index(following):], following] if following in path else [name, following]
                yield name, line, "a circle: " + " > ".join(way)
            elif following not in state:
                yield from visit(following, [*path, following])
        state[name] = "done"

    for name in headers:
        if name not in state:
            yield from visit(name, [name])


def owners_of(headers):
    """Of each name that headers declare at namespace scope or as a macro: where."""
    owners = {}
    for header in headers.values():
        names = {name for declaration in header.declarations if not declaration.in_class
                 for name in [cpp.declared_name(declaration)] if name}
        names |= {match.group(1) for _, directive in header.directives
                  for match in [re.match(r"#\s*define\s+(\w+)", directive)] if match}
        for name in names:
            owners.setdefault(name, set()).add(header.name)
    return owners


def announced_in(header):
    """Classes that are declared there without being defined: who only names them needs no more."""
    found = set()
    for declaration in header.declarations:
        words = [token.text for token in cpp.without_template(declaration.tokens)]
        if not declaration.defines_class and not declaration.in_class and len(words) == 2 and words[0] in cpp.CLASS_KEYS:
            found.add(words[1])
    return found


def is_telling(name):
    """Whether a name is that of one thing: a type, a macro, or words with an underscore. `name`, `create` or `fits` are
    also members, parameters and local variables."""
    return bool(re.match(r"[A-Z]\w*[a-z]|NDSHM_", name)) or "_" in name.strip("_")


def includes(headers):
    owners = owners_of(headers)
    announced = {header.name: announced_in(header) for header in headers.values()}
    for header in headers.values():
        direct = {name for _, name in header.own}
        standard = {name for _, name in header.includes}
        told = set()
        tokens = cpp.tokens_of(header.text)
        macros = [cpp.Token(word, number) for number, directive in header.directives
                  for word in re.findall(r"\bNDSHM_\w+", directive)]
        own_names = declared_anywhere(tokens)
        words = ["", "", *(token.text for token in tokens), ""]
        for token, space, prior, after in [*zip(tokens, words, words[1:], words[3:]), *((macro, "", "", "") for macro in macros)]:
            name = token.text
            if name in told or not re.match(r"[A-Za-z_]", name):
                continue
            qualified = space if prior == "::" else ""
            if qualified == "std":
                wanted = HEADER_OF.get(name)
                if wanted and wanted not in standard and not stands_in(wanted, standard):
                    told.add(name)
                    yield header.name, token.line, f"std::{name} is used, but <{wanted}> is not included"
                continue
            if name not in owners or header.name in owners[name] or not is_telling(name) or prior in (".", "->"):
                continue
            if prior == "::" and qualified not in ("ndshm", "detail", "os", "npy", "linux_only", "portable_only", "unix_only"):
                continue
            if prior != "::" and (name in own_names or name.islower() and after not in ("(", "<")):
                continue  # a member, a parameter, an enumerator
            if any(name in announced.get(near, ()) for near in (header.name, *direct)):
                continue
            where = owners[name]
            if where & (direct | EVERYWHERE) or any(
                    face in direct and all(owner.startswith(room) for owner in where) for face, room in FACES.items()):
                continue
            if len(where) > 1 and header.room == "platform":
                continue  # each platform has it: what is meant is the one that includes this header
            told.add(name)
            yield header.name, token.line, f"{name} is used, but {' or '.join(sorted(where))} is not included"


def stands_in(header, included):
    """Whether the standard says that one of the included headers declares what this one does, too."""
    through = {"cstddef": {"cstdint", "cstdio", "cstdlib", "cstring"}, "utility": {"tuple", "map", "variant"},
               "string_view": {"string"}, "type_traits": {"concepts"}}
    return bool(through.get(header, set()) & included)


def declared_anywhere(tokens):
    """Names that follow a type here, as members, parameters and variables do: `Type name` followed by `;`, `,`, `)`, `=`,
    `{` or `(`."""
    found = set()
    for before, token, after in zip(tokens, tokens[1:], tokens[2:]):
        if (re.match(r"[A-Za-z_]\w*$", token.text) and after.text in (";", ",", ")", "=", "{", "(", ":")
                and re.match(r"[A-Za-z_]\w*$|[>*&]$|&&$", before.text) and before.text not in (
                    "return", "throw", "else", "new", "case", "const", "co_return", "noexcept", "using")):
            found.add(token.text)
        if before.text in ("class", "typename", "struct", "using") and after.text != "::":
            found.add(token.text)
    return found


def systems(headers):
    for header in headers.values():
        platform = header.room == "platform"
        for line, name in header.includes:
            if XTENSOR.match(name):
                if header.name != "array/xtensor.hpp":
                    yield header.name, line, f"<{name}> is included outside array/xtensor.hpp"
            elif not platform and not OTHER_HEADERS.match(name) and not STANDARD_HEADER.match(name):
                yield header.name, line, f"<{name}> is a header of the operating system, outside platform/"
        for line, directive in header.directives:
            if platform or not re.match(r"#\s*(if|ifdef|ifndef|elif|elifdef|elifndef)\b", directive):
                continue
            found = SYSTEM_MACRO.search(directive)
            option = header.name == "core/config.hpp" and found and found.group() == "NDSHM_PORTABLE_POSIX"  # in the ABI's name
            if found and not option:
                yield header.name, line, f"#if on the system, outside platform/: {found.group()}"
            tested = re.search(r"__has_include\s*\(\s*<([^>]*)>", directive)
            if tested and not OTHER_HEADERS.match(tested.group(1)) and not STANDARD_HEADER.match(tested.group(1)) and not (
                    XTENSOR.match(tested.group(1)) and header.name == "array/xtensor.hpp"):
                yield header.name, line, f"#if on the header <{tested.group(1)}>, outside platform/"


def signatures(headers):
    for header in headers.values():
        for declaration in header.declarations:
            spaces = declaration.spaces
            if "detail" in spaces or spaces[:1] != ("ndshm",) or not declaration.accessible:
                continue
            words = [token.text for token in declaration.tokens]
            if words[0] in ("friend", "static_assert"):
                continue
            if not declaration.in_class and is_definition_of_member(declaration):
                continue  # what is public of it stands in the class
            for token in visible(declaration):
                if token.text == "=" and "concept" in words[:words.index("=")]:
                    break  # its definition
                if token.text == "detail":
                    near = declaration.tokens.index(token)
                    name = "::".join(t.text for t in declaration.tokens[near:near + 3] if t.text != "::")
                    yield header.name, token.line, f"{name} in a public signature: {' '.join(words)[:100]}"
                    break


def is_definition_of_member(declaration):
    words = [t.text for t in cpp.without_template(declaration.tokens)]
    return "(" in words and words[:words.index("(")][-2:-1] == ["::"] and not declaration.defines_class


def visible(declaration):
    """The tokens without private bases: those of a class with no access specifier, too."""
    tokens = declaration.tokens
    plain = cpp.without_template(tokens)
    words = [t.text for t in plain]
    if not declaration.defines_class or ":" not in words or "enum" in words:
        return tokens
    colon = tokens.index(plain[words.index(":")])
    result = list(tokens[:colon])
    base, depth = [], 0
    for token in [*tokens[colon + 1:], cpp.Token(",", 0)]:
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            access = {t.text for t in base[:2]} & {"public", "protected", "private"}
            if "public" in access or not access and "struct" in words[:2]:
                result += base
            base = []
        else:
            base.append(token)
    return result


NO_CONTRACT = {"friend", "static_assert", "namespace", "extern"}


def contracts(headers):
    for header in headers.values():
        source = header.source.split("\n")

        def documented(first, last):
            above = first - 2
            while above >= 0 and source[above].lstrip().startswith("// NOLINT"):
                above -= 1
            return above >= 0 and source[above].lstrip().startswith("///") and "///<" not in source[above] or any(
                "///<" in line for line in source[first - 1:last])

        told_of = set()  # overloads that stand together, one directly below the other, share a docstring
        for declaration in header.declarations:
            if "detail" in declaration.spaces or declaration.spaces[:1] != ("ndshm",) or not declaration.accessible:
                continue
            words = [token.text for token in cpp.without_template(declaration.tokens)]
            if not words or words[0] in NO_CONTRACT or is_obvious(declaration, words):
                continue
            first, last = declaration.line, declaration.tokens[-1].line
            name = "::".join([*declaration.spaces[-1:], contract_name(declaration, words)])
            if documented(first, last):
                told_of.add(name)
            elif name not in told_of:
                yield header.name, first, f"no docstring: {' '.join(words)[:80]}"
            if declaration.defines_class and "enum" in words[:1]:
                for line, enumerator in enumerators(header, declaration):
                    if line == first or not documented(line, line):
                        yield header.name, line, f"no docstring: {words[-1]}::{enumerator}"


def contract_name(declaration, words):
    if "operator" in words:
        return " ".join(words[words.index("operator"):][:2])
    for before, word in zip(words, words[1:]):
        if word == "(" and re.match(r"[A-Za-z_]", before):
            return before
    return cpp.declared_name(declaration) or words[-1]


def is_obvious(declaration, words):
    """What says everything by its form: what the language makes or deletes, moves, destructors, comparisons,
    deduction guides, announcements, specialisations, and definitions of members that the class declares."""
    if words[-1] in ("default", "delete") and "=" in words or words[0] == "~":
        return True
    if words[1:2] == ["("] and "->" in words:  # a deduction guide
        return True
    if "operator" in words:
        following = words[words.index("operator") + 1]
        if following == "==" or following == "=" and "&&" in words:
            return True
    if words[0] in cpp.CLASS_KEYS and not declaration.defines_class:
        return True
    if declaration.defines_class and cpp.class_name(cpp.without_template(declaration.tokens)).endswith("<>"):
        return True
    if words[0] == "using" and declaration.in_class:
        return True  # what a container has to have
    return not declaration.in_class and is_definition_of_member(declaration)


def enumerators(header, declaration):
    """The enumerators of an enum: (line, name)."""
    tokens = cpp.tokens_of(header.text)
    at = next(i for i, t in enumerate(tokens) if t.line == declaration.tokens[-1].line and t.text == "{")
    for before, token in zip(tokens[at:], tokens[at + 1:]):
        if token.text == "}":
            return
        if before.text in ("{", ","):
            yield token.line, token.text


LAWS = {"doors": doors, "rooms": rooms, "includes": includes, "systems": systems, "signatures": signatures,
        "contracts": contracts}


def breaches(law, root):
    return [f"{name}:{line}: {text}" for name, line, text in LAWS[law](headers_of(root))]


def main():
    if sys.argv[1:] == ["--self-test"]:
        import self_test
        return self_test.run(breaches, LAWS)
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in LAWS:
        print(__doc__, file=sys.stderr)
        return 2
    root = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else INCLUDE
    found = breaches(sys.argv[1], root)
    for breach in found:
        print(breach)
    count = len(list(root.rglob("*.hpp")))
    if count == 0:
        print(f"there is no header in {root}")
        return 1
    print(f"{count} headers, {len(found)} breaches of the law of {sys.argv[1]}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
