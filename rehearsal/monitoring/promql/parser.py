"""Parser of the PromQL subset. Grammar and precedence: https://prometheus.io/docs/prometheus/latest/querying/."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

AGGREGATIONS: Final = frozenset({"sum", "max", "min", "avg", "count", "topk", "bottomk"})
_PRECEDENCE: Final = {
    "or": 1, "and": 2, "unless": 2,
    "==": 3, "!=": 3, ">": 3, "<": 3, ">=": 3, "<=": 3,
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5, "^": 6,
}  # fmt: skip
_UNITS: Final = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "y": 31_536_000.0,
}
_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<duration>(?:\d+(?:ms|[smhdwy]))+)(?![\w.])
    | (?P<number>0x[0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<operator>=~|!~|!=|==|>=|<=|[-+*/%^(){}\[\],=<>])
    )""",
    re.VERBOSE,
)
_MATCHES: Final = frozenset({"=", "!=", "=~", "!~"})


class QueryError(ValueError):
    """A query that this evaluator does not support; the text states the position and the expected token."""


@dataclass(frozen=True)
class Number:
    """A literal."""

    value: float


@dataclass(frozen=True)
class Matcher:
    """A condition on one label; regular expressions are anchored at both ends."""

    label: str
    operator: str
    value: str

    def matches(self, value: str) -> bool:
        """Whether a label's value, "" for an absent label, meets the condition."""
        if self.operator == "=":
            return value == self.value
        if self.operator == "!=":
            return value != self.value
        return bool(re.fullmatch(self.value, value)) is (self.operator == "=~")


@dataclass(frozen=True)
class Selector:
    """A metric with matchers; `range` is in seconds, 0 for an instant selector."""

    metric: str
    matchers: tuple[Matcher, ...] = ()
    range: float = 0.0

    def selects(self, metric: str, labels: Iterable[tuple[str, str]]) -> bool:
        """Whether a series of `metric` with these labels is selected."""
        if self.metric and metric != self.metric:
            return False
        known = dict(labels) if self.matchers else {}
        return all(matcher.matches(known.get(matcher.label, "")) for matcher in self.matchers)


@dataclass(frozen=True)
class Call:
    """A function with its arguments."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Aggregation:
    """An aggregation; `without` states that `labels` are dropped instead of retained."""

    operation: str
    expression: Expression
    labels: tuple[str, ...] = ()
    without: bool = False
    parameter: Expression | None = None


@dataclass(frozen=True)
class Binary:
    """Two operands; `on` is None when all labels are matched, `group` is "", "left" or "right"."""

    operator: str
    left: Expression
    right: Expression
    on: tuple[str, ...] | None = None
    ignoring: tuple[str, ...] = ()
    group: str = ""
    include: tuple[str, ...] = ()


Expression = Number | Selector | Call | Aggregation | Binary


def parse(query: str) -> Expression:
    """Parse `query`. Raises QueryError."""
    parser = _QueryParser(query)
    found = parser.expression(0)
    if parser.kind != "end":
        raise parser.error("an operator or the end")
    return found


def selectors(expression: Expression) -> Iterator[Selector]:
    """Yield all selectors within an expression."""
    if isinstance(expression, Selector):
        yield expression
    elif isinstance(expression, Call):
        for argument in expression.arguments:
            yield from selectors(argument)
    elif isinstance(expression, Aggregation):
        yield from selectors(expression.expression)
    elif isinstance(expression, Binary):
        yield from selectors(expression.left)
        yield from selectors(expression.right)


def seconds(text: str) -> float:
    """Return the seconds of a duration such as `1h30m`."""
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)(ms|[smhdwy])", text))


class _QueryParser:
    """Precedence climbing over one token of look-ahead."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._position = 0
        self.kind = self.text = ""
        self._start = 0
        self.advance()

    def advance(self) -> str:
        """Take the current token and read the next one."""
        taken = self.text
        self._start = self._position
        match = _TOKEN.match(self._query, self._position)
        if match is None:
            if self._query[self._position :].strip():
                raise QueryError(
                    f"unexpected {self._query[self._position :].strip()[:10]!r} at {self._position} in"
                    f" {self._query!r}"
                )
            self.kind, self.text = "end", ""
            return taken
        self._position = match.end()
        self.kind, self.text = match.lastgroup or "end", match[match.lastgroup or 0]
        return taken

    def error(self, expected: str) -> QueryError:
        return QueryError(
            f"expected {expected} at position {self._start} of {self._query!r},"
            f" found {self.text or 'the end'!r}"
        )

    def expect(self, text: str) -> None:
        if self.text != text or self.kind == "string":
            raise self.error(repr(text))
        self.advance()

    def expression(self, least: int) -> Expression:
        left = self.unary()
        while True:
            operator = self.text
            precedence = _PRECEDENCE.get(operator, 0) if self.kind in {"operator", "name"} else 0
            if precedence <= least:
                return left
            self.advance()
            on, ignoring, group, include = self.matching()
            # All but ^ associate to the left.
            right = self.expression(precedence - 1 if operator == "^" else precedence)
            left = Binary(operator, left, right, on, ignoring, group, include)

    def matching(self) -> tuple[tuple[str, ...] | None, tuple[str, ...], str, tuple[str, ...]]:
        on: tuple[str, ...] | None = None
        ignoring: tuple[str, ...] = ()
        group, include = "", ()
        if self.text == "bool":
            raise QueryError(f"`bool` is not supported: {self._query!r}")
        if self.text == "on":
            self.advance()
            on = self.labels()
        elif self.text == "ignoring":
            self.advance()
            ignoring = self.labels()
        if self.text in {"group_left", "group_right"}:
            group = self.advance().removeprefix("group_")
            if self.text == "(" and self._next_is_labels():
                include = self.labels()
        return on, ignoring, group, include

    def _next_is_labels(self) -> bool:
        return bool(
            re.match(r"\s*(?:[a-zA-Z_]\w*\s*(?:,\s*[a-zA-Z_]\w*\s*)*)?\)", self._query[self._position :])
        )

    def labels(self) -> tuple[str, ...]:
        self.expect("(")
        found = []
        while self.text != ")":
            if self.kind != "name":
                raise self.error("a label")
            found.append(self.advance())
            if self.text == ",":
                self.advance()
        self.expect(")")
        return tuple(found)

    def unary(self) -> Expression:
        if self.kind == "operator" and self.text in {"-", "+"}:
            if self.advance() == "-":
                # Binds looser than ^ and tighter than *.
                return Binary("*", Number(-1.0), self.expression(_PRECEDENCE["*"]))
            return self.unary()
        return self.primary()

    def primary(self) -> Expression:
        if self.kind == "number":
            text = self.advance()
            return Number(float(int(text, 16)) if text.startswith("0x") else float(text))
        if self.text == "(":
            self.advance()
            found = self.expression(0)
            self.expect(")")
            return found
        if self.kind == "name":
            name = self.advance()
            if name in AGGREGATIONS and self.text in {"(", "by", "without"}:
                return self.aggregation(name)
            if self.text == "(":
                return self.call(name)
            return self.selector(name)
        if self.text == "{":
            return self.selector("")
        raise self.error("a number, a metric or a function")

    def aggregation(self, operation: str) -> Expression:
        labels: tuple[str, ...] = ()
        without = False
        if self.text in {"by", "without"}:
            without = self.advance() == "without"
            labels = self.labels()
        arguments = self.arguments()
        if self.text in {"by", "without"}:
            without = self.advance() == "without"
            labels = self.labels()
        wanted = 2 if operation in {"topk", "bottomk"} else 1
        if len(arguments) != wanted:
            raise QueryError(f"{operation} takes {wanted} arguments, found {len(arguments)}: {self._query!r}")
        return Aggregation(operation, arguments[-1], labels, without, arguments[0] if wanted == 2 else None)

    def call(self, name: str) -> Expression:
        return Call(name, tuple(self.arguments()))

    def arguments(self) -> list[Expression]:
        self.expect("(")
        found = []
        while self.text != ")":
            found.append(self.expression(0))
            if self.text != ",":
                break
            self.advance()
        self.expect(")")
        return found

    def selector(self, metric: str) -> Selector:
        matchers = []
        if self.text == "{" and self.kind == "operator":
            self.advance()
            while self.text != "}":
                if self.kind != "name":
                    raise self.error("a label or '}'")
                label, operator = self.advance(), self.text
                if operator not in _MATCHES:
                    raise self.error("one of = != =~ !~")
                self.advance()
                if self.kind != "string":
                    raise self.error("a string")
                matchers.append(Matcher(label, operator, _unquoted(self.advance())))
                if self.text == ",":
                    self.advance()
            self.expect("}")
        window = 0.0
        if self.text == "[" and self.kind == "operator":
            self.advance()
            if self.kind != "duration":
                raise self.error("a duration such as 5m")
            window = seconds(self.advance())
            self.expect("]")
        if not metric and not matchers:
            raise self.error("a metric or a matcher")
        return Selector(metric, tuple(matchers), window)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), text[1:-1])
