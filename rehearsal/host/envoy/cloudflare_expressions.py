"""Translate expressions of Cloudflare's rules language to Envoy header matchers.

The result is in disjunctive normal form: a list of alternatives, each a list of matchers that must all match.
Envoy's routes, rate limits and RBAC rules use this form. Language reference:
https://developers.cloudflare.com/ruleset-engine/rules-language/
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Any

Matcher = dict[str, Any]
Alternatives = list[list[Matcher]]
_MAX_ALTERNATIVES = 64
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<raw>r"[^"]*")|(?P<number>\d+(?![\w.]))"""
    r"""|(?P<symbol>&&|\|\||\^\^|==|!=|<=|>=|[(){}\[\],!~<>*])|(?P<word>[A-Za-z_][\w.]*)|(?P<other>\S+))"""
)
_HEADERS = {
    "http.request.method": ":method",
    "http.host": ":authority",
    "http.cookie": "cookie",
    "http.user_agent": "user-agent",
    "http.referer": "referer",
    "http.x_forwarded_for": "x-forwarded-for",
}
_PATH, _URI, _EXTENSION = "http.request.uri.path", "http.request.uri", "http.request.uri.path.extension"
_QUERY = r"(\?.*)?"


class UnsupportedError(Exception):
    """The expression is malformed or uses a field or operator that is not supported; the message names it."""


def alternatives(expression: str) -> Alternatives:
    """Return header matchers for `expression`: [] never matches, [[]] always. Raises UnsupportedError."""
    found = _Parser(expression).parse()
    if len(found) > _MAX_ALTERNATIVES:
        raise UnsupportedError(f"the expression has more than {_MAX_ALTERNATIVES} alternatives")
    return found


def _always() -> Alternatives:
    return [[]]


def _both(left: Alternatives, right: Alternatives) -> Alternatives:
    return [[*one, *other] for one, other in itertools.product(left, right)]


def _not(operand: Alternatives) -> Alternatives:
    result = _always()
    for conjunction in operand:
        result = _both(result, [[_inverted(matcher)] for matcher in conjunction])
        if len(result) > _MAX_ALTERNATIVES**2:
            raise UnsupportedError("the negated expression has too many alternatives")
    return result


def _inverted(matcher: Matcher) -> Matcher:
    return {**matcher, "invert_match": not matcher.get("invert_match", False)}


@dataclass(frozen=True)
class RequestField:
    """Field of the request; `lower` compares case-insensitively."""

    name: str
    header: str | None = None
    lower: bool = False

    def matcher(self, pattern: str) -> Matcher:
        """Return a matcher of the complete field against the regular expression `pattern`."""
        if self.header:
            return _header(self.header, pattern, self.lower)
        if self.name in _HEADERS:
            if self.name == "http.host":
                pattern = rf"(?:{pattern})(:\d+)?"
            return _header(_HEADERS[self.name], pattern, self.lower)
        match self.name:
            case "http.request.uri.path":
                return _header(":path", f"(?:{_without_query(pattern)}){_QUERY}", self.lower)
            case "http.request.uri":
                return _header(":path", pattern, self.lower)
            case "http.request.uri.query":
                return _header(":path", rf"[^?]*\?(?:{pattern})", self.lower)
            case "http.request.uri.path.extension":
                return _header(":path", rf"[^?]*\.(?:{pattern}){_QUERY}", self.lower)
            case _:
                raise UnsupportedError(f"{self.name} is not supported by the local edge")


def _without_query(pattern: str) -> str:
    """Restrict the wildcard of generated patterns to the path, without the query string."""
    return pattern.replace("(?s:.*)", "[^?]*")


def _header(name: str, pattern: str, lower: bool) -> Matcher:
    regex = f"(?i){pattern}" if lower else pattern
    return {
        "name": name,
        "string_match": {"safe_regex": {"regex": regex}},
        # A missing header compares as empty, also in an inverted comparison.
        "treat_missing_header_as_empty": True,
    }


class _Parser:
    """Recursive-descent parser for `or`, `xor`, `and`, `not`, comparisons and functions."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [(match.lastgroup or "", match[0].strip()) for match in _TOKEN.finditer(text)]
        self._at = 0

    def parse(self) -> Alternatives:
        result = self._or()
        if self._at < len(self._tokens):
            raise UnsupportedError(f"{self._peek()!r} is unexpected in {self._text!r}")
        return result

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> bool:
        if self._peek() in wanted:
            self._at += 1
            return True
        return False

    def _expect(self, wanted: str) -> None:
        if not self._take(wanted):
            raise UnsupportedError(f"{wanted!r} is missing before {self._peek()!r} in {self._text!r}")

    def _or(self) -> Alternatives:
        result = self._xor()
        while self._take("or", "||"):
            result = [*result, *self._xor()]
        return result

    def _xor(self) -> Alternatives:
        result = self._and()
        while self._take("xor", "^^"):
            other = self._and()
            result = [*_both(result, _not(other)), *_both(_not(result), other)]
        return result

    def _and(self) -> Alternatives:
        result = self._unary()
        while self._take("and", "&&"):
            result = _both(result, self._unary())
        return result

    def _unary(self) -> Alternatives:
        if self._take("not", "!"):
            return _not(self._unary())
        if self._take("("):
            result = self._or()
            self._expect(")")
            return result
        return self._comparison()

    def _comparison(self) -> Alternatives:
        word = self._word()
        if word in {"true", "ssl"}:  # the local edge serves TLS only
            return _always()
        if word == "false":
            return []
        if word in {"starts_with", "ends_with"}:
            self._expect("(")
            field = self._field(self._word())
            self._expect(",")
            text = re.escape(self._literal())
            self._expect(")")
            return [[field.matcher(f"{text}(?s:.*)" if word == "starts_with" else f"(?s:.*){text}")]]
        if word == "any":
            self._expect("(")
            result = self._comparison()
            self._expect(")")
            return result
        return self._compare(self._field(word))

    def _word(self) -> str:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "the end")
        if kind != "word":
            raise UnsupportedError(f"{text!r} is unexpected in {self._text!r}")
        self._at += 1
        return text

    def _field(self, word: str) -> RequestField:
        if word == "lower":
            self._expect("(")
            field = self._field(self._word())
            self._expect(")")
            return RequestField(field.name, field.header, lower=True)
        header = None
        if word == "http.request.headers":
            self._expect("[")
            header = self._literal().lower()
            self._expect("]")
        if self._take("["):  # `[0]` and `[*]` are equal: Envoy joins repeated headers into one string
            self._at += 1
            self._expect("]")
        return RequestField(word, header)

    def _compare(self, field: RequestField) -> Alternatives:
        if self._take("in"):
            self._expect("{")
            values = []
            while not self._take("}"):
                values.append(re.escape(self._literal()))
            return [[field.matcher("|".join(values))]]
        operator = self._peek()
        self._at += 1
        match operator:
            case "eq" | "==":
                return [[field.matcher(re.escape(self._literal()))]]
            case "ne" | "!=":
                return [[_inverted(field.matcher(re.escape(self._literal())))]]
            case "contains":
                return [[field.matcher(f"(?s:.*){re.escape(self._literal())}(?s:.*)")]]
            case "matches" | "~":
                return [[field.matcher(_searching(self._literal()))]]
            case "wildcard" | "strict":
                if operator == "strict":
                    self._expect("wildcard")
                pattern = "(?s:.*)".join(re.escape(part) for part in self._literal().split("*"))
                return [[RequestField(field.name, field.header, operator == "wildcard").matcher(pattern)]]
            case _:
                raise UnsupportedError(
                    f"the operator {operator!r} on {field.name} is not supported by the local edge"
                )

    def _literal(self) -> str:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "the end")
        self._at += 1
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "raw":
            return text[2:-1]
        if kind in {"number", "word"}:
            return text
        raise UnsupportedError(f"expected a value instead of {text!r} in {self._text!r}")


def _searching(pattern: str) -> str:
    """Turn a pattern that may match anywhere into one that matches the complete field."""
    start = "" if pattern.startswith("^") else "(?s:.*)"
    end = "" if pattern.endswith("$") and not pattern.endswith("\\$") else "(?s:.*)"
    inner = pattern.removeprefix("^")
    return f"{start}(?:{inner if end else inner.removesuffix('$')}){end}"
