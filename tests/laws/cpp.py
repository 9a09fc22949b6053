# SPDX-License-Identifier: BSL-1.0
"""As much of C++ as the laws need: the text without comments and literals, and its declarations without their bodies.

It is no compiler: it knows the constructs that occur in the headers, and the self-test of laws.py shows it each of them.
"""

import dataclasses
import re

CLASS_KEYS = {"class", "struct", "union", "enum"}
TOKEN = re.compile(r'""|[A-Za-z_]\w*|::|->|<=>|[=!<+*/-]=|&&|\|\||\[\[|\]\]|[0-9][\w.\']*|\S')
LITERAL = re.compile(
    r"""//[^\n]*|/\*.*?\*/|(?:u8|[uUL])?R"(?P<mark>[^(\n]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|"""
    r"""(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'|\b[0-9][\w.']*""", re.DOTALL)
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"][^>\"]*[>\"])", re.MULTILINE)


def without_literals(text):
    """Comments become blanks, string and character literals become `""`; every line stays where it is. The names of
    headers are no literals."""
    includes = {match.start(1): match.end(1) for match in INCLUDE.finditer(text)}

    def blank(match):
        if any(start <= match.start() < end for start, end in includes.items()):
            return match.group()
        found = match.group()
        if found[0].isdigit():
            return found
        lines = "\n" * found.count("\n")
        return (" " if found.startswith(("//", "/*")) else '""') + lines

    return LITERAL.sub(blank, text)


@dataclasses.dataclass(eq=False)  # each is one of its own
class Token:
    text: str
    line: int


@dataclasses.dataclass
class Declaration:
    tokens: list  # without bodies and what initialises variables
    spaces: tuple  # the namespaces around it; of a member also the classes
    in_class: bool
    accessible: bool  # neither private nor protected, nor in something that is
    defines_class: bool = False

    @property
    def line(self):
        return self.tokens[0].line


def preprocessor_lines(text):
    """The directives of a text without literals: (line number, directive with its continuations)."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        first = number
        if lines[number].lstrip().startswith("#"):
            directive = lines[number]
            while directive.endswith("\\"):
                number += 1
                directive = directive[:-1] + " " + lines[number]
            yield first + 1, directive.strip()
        number += 1


def tokens_of(text):
    """The tokens of a text without literals; preprocessor directives are left out."""
    lines = text.split("\n")
    for number, directive in list(preprocessor_lines(text)):
        while True:
            continued = lines[number - 1].endswith("\\")
            lines[number - 1] = ""
            number += 1
            if not continued:
                break
    return [Token(match, number) for number, line in enumerate(lines, 1) for match in TOKEN.findall(line)]


class Parser:
    """Cuts tokens into declarations."""

    def __init__(self, tokens):
        self.tokens = tokens
        self.at = 0
        self.found = []

    def parse(self):
        while self.at < len(self.tokens):  # more than once only where a closing brace is too many
            self.scope((), False, True, "public")
        return self.found

    def skip_braces(self):
        """From an opening brace to behind the closing one."""
        depth = 0
        while self.at < len(self.tokens):
            depth += {"{": 1, "}": -1}.get(self.tokens[self.at].text, 0)
            self.at += 1
            if depth == 0:
                return

    def scope(self, spaces, in_class, accessible, access):
        """Until the brace that closes the scope, or the end."""
        head, depth, initialises, constructs = [], 0, False, False

        def finish(**more):
            nonlocal head, depth, initialises, constructs
            if head:
                self.found.append(Declaration(head, spaces, in_class, accessible and access == "public", **more))
            head, depth, initialises, constructs = [], 0, False, False

        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            text = token.text
            if depth == 0 and text == "}":
                self.at += 1
                return finish()
            if depth == 0 and text == ";":
                self.at += 1
                finish()
                continue
            following = self.tokens[self.at + 1].text if self.at + 1 < len(self.tokens) else ""
            if in_class and not head and text in ("public", "private", "protected") and following == ":":
                access = text
                self.at += 2
                continue
            if text == "{" and depth == 0:
                kind = self.kind_of(head, initialises, constructs)
                if kind == "namespace":
                    names = tuple(t.text for t in head if re.match(r"[A-Za-z_]", t.text)
                                  and t.text not in ("namespace", "inline"))
                    head = []
                    self.at += 1
                    self.scope(spaces + (names or ("",)), False, accessible, "public")
                elif kind == "class":
                    plain = without_template(head)
                    key = next(t.text for t in plain if t.text in CLASS_KEYS)
                    name = class_name(plain)
                    finish(defines_class=True)
                    self.at += 1
                    if key == "enum":
                        self.at -= 1
                        self.skip_braces()
                    else:
                        self.scope(spaces + (name,), True, accessible and access == "public",
                                   "private" if key == "class" else "public")
                    # What follows up to the semicolon are variables of that type.
                    while self.at < len(self.tokens) and self.tokens[self.at].text != ";":
                        self.at += 1
                    self.at += 1
                elif kind == "body":
                    self.skip_braces()
                    finish()
                else:  # of an initialiser or a requires-expression
                    self.skip_braces()
                continue
            if text == "=" and depth == 0 and not (head and head[-1].text == "operator") and is_variable(head):
                initialises = True
            if text == ":" and depth == 0 and not in_bases(head) and any(t.text == ")" for t in head):
                constructs = True
            depth += {"(": 1, "[": 1, "[[": 1, "{": 1, ")": -1, "]": -1, "]]": -1, "}": -1}.get(text, 0)
            if not initialises and not constructs:
                head.append(token)
            self.at += 1
        finish()

    def kind_of(self, head, initialises, constructs):
        before = self.tokens[self.at - 1].text if self.at > 0 else ""
        if constructs:
            return "initialiser" if re.match(r"[A-Za-z_>]", before) else "body"
        if initialises or self.is_requires_expression():
            return "initialiser"
        plain = without_template(head)
        words = [t.text for t in plain]
        if "namespace" in words[:2] or words == ["extern", '""']:
            return "namespace"
        if in_bases(head) or any(w in CLASS_KEYS for w in words[:3]) and not has_parameters(plain):
            return "class"
        if has_parameters(plain):
            return "body"
        return "initialiser"

    def is_requires_expression(self):
        """Whether the brace here opens the body of `requires { … }` or of `requires(T t) { … }` in an expression."""
        at = self.at - 1
        if at >= 0 and self.tokens[at].text == ")":
            depth = 0
            while at >= 0:
                depth += {")": 1, "(": -1}.get(self.tokens[at].text, 0)
                at -= 1
                if depth == 0:
                    break
        elif at >= 0 and self.tokens[at].text == "requires":
            return True
        return (at >= 1 and self.tokens[at].text == "requires"
                and self.tokens[at - 1].text in ("requires", "=", "&&", "||", "(", "!"))


def without_template(tokens):
    """Without `template <…>` in front, and without attributes."""
    at = 0
    while at < len(tokens):
        if tokens[at].text == "template" and at + 1 < len(tokens) and tokens[at + 1].text == "<":
            at = behind_angles(tokens, at + 1)
        elif tokens[at].text == "requires":  # the clause behind template <…>: in parentheses, or a concept's name
            at += 1
            while at < len(tokens):
                if tokens[at].text == "(":
                    at = behind(tokens, at, "(", ")")
                else:
                    at += 1
                    while at < len(tokens) and tokens[at].text == "::":
                        at += 2
                    if at < len(tokens) and tokens[at].text == "<":
                        at = behind_angles(tokens, at)
                if at >= len(tokens) or tokens[at].text not in ("&&", "||"):
                    break
                at += 1
        elif tokens[at].text == "[[":
            at = behind(tokens, at, "[[", "]]")
        else:
            return tokens[at:]
    return []


def behind(tokens, at, opening, closing):
    depth = 0
    while at < len(tokens):
        depth += {opening: 1, closing: -1}.get(tokens[at].text, 0)
        at += 1
        if depth == 0:
            break
    return at


def behind_angles(tokens, at):
    depth, rounds = 0, 0
    while at < len(tokens):
        text = tokens[at].text
        rounds += {"(": 1, ")": -1}.get(text, 0)
        if rounds == 0:
            depth += {"<": 1, ">": -1}.get(text, 0)
        at += 1
        if depth == 0:
            break
    return at


def has_parameters(tokens):
    """Whether there is a parameter list: parentheses other than those of attributes and specifiers."""
    for before, token in zip([None, *tokens], tokens):
        if token.text == "(" and (before is None or before.text not in ("alignas", "__attribute__", "requires", "decltype", "(")):
            return True
    return False


def class_name(tokens):
    """The name in a head that defines a class, with <…> where it specialises one."""
    words = [t.text for t in tokens]
    at = next(i for i, w in enumerate(words) if w in CLASS_KEYS) + 1
    if at < len(words) and words[at] in ("class", "struct"):
        at += 1
    while at < len(words):
        if words[at] in ("alignas", "__attribute__"):
            at = behind(tokens, at + 1, "(", ")")
        elif words[at] == "[[":
            at = behind(tokens, at, "[[", "]]")
        elif re.fullmatch(r"[A-Z][A-Z0-9_]+", words[at]) and at + 1 < len(words) and re.match(r"[A-Za-z_]", words[at + 1]):
            at += 1  # a macro
        else:
            break
    if at >= len(words) or not re.match(r"[A-Za-z_]", words[at]):
        return ""
    return words[at] + ("<>" if words[at + 1:at + 2] == ["<"] else "")


def in_bases(head):
    """Whether the head is that of a class up to and with its bases: `class X final : public Y`."""
    plain = without_template(head)
    words = [t.text for t in plain]
    if not any(w in CLASS_KEYS for w in words[:2]):
        return False
    name = class_name(plain)
    colon = words.index(":") if ":" in words else len(words)
    return bool(name) and not has_parameters(plain[:colon])


def is_variable(head):
    """Whether `=` behind this head initialises something: no alias, no concept, and no `= delete`."""
    words = [t.text for t in without_template(head)]
    return bool(words) and words[0] not in ("using", "concept", "namespace") and not has_parameters(without_template(head))


def declared_name(declaration):
    """The name that a declaration at namespace scope owns, or None: a forward declaration, a specialisation, an operator
    and a member that is defined outside its class own none."""
    tokens = without_template(declaration.tokens)
    words = [t.text for t in tokens]
    if not words or words[0] in ("friend", "static_assert", "using") and words[1:2] == ["namespace"]:
        return None
    if declaration.defines_class:
        name = class_name(tokens)
        return None if not name or name.endswith("<>") else name
    if words[0] in ("using", "concept") and "=" in words[:3]:
        return words[1]
    if words[0] in ("using", "static_assert", "friend", "namespace", "extern") or words[0] in CLASS_KEYS:
        return None
    for at, word in enumerate(words):
        if word == "operator":
            return None
        if word == "(" and at > 0 and re.match(r"[A-Za-z_]", words[at - 1]) and words[at - 1] not in (
                "decltype", "noexcept", "requires", "alignas", "__attribute__"):
            pointer = words[at + 1:at + 2] == ["*"]  # void (*hook)(…)
            name = words[at + 2] if pointer else words[at - 1]
            return None if words[at - 2:at - 1] == ["::"] and not pointer or name.isupper() else name
    name = words[-1]
    if len(words) > 1 and words[-1] == "]":
        name = next(words[i - 1] for i in range(len(words)) if words[i] == "[" and i > 0)
    return name if len(words) > 1 and re.match(r"[A-Za-z_]\w*$", name) and words[-2:-1] != ["::"] else None


def declarations_of(text):
    """The declarations of a text without literals."""
    return Parser(tokens_of(text)).parse()
