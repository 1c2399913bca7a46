"""Condition mutants of a module: one changed comparison, `and`, `or`, `not` or boundary each."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

_COMPARISONS: Final[Mapping[type[ast.cmpop], tuple[str, ...]]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
}
_Condition = ast.UnaryOp | ast.BoolOp | ast.Compare


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed condition: file (relative to the repository), line (1-based), original and changed text.

    `function` is the qualified name of the enclosing function or class ("" at module level), and `occurrence`
    counts equal changes in it from 1: both identify the mutant when lines move. `start` and `end` are offsets
    in the source.
    """

    path: str
    line: int
    start: int
    end: int
    original: str
    changed: str
    function: str = ""
    occurrence: int = 1

    def __str__(self) -> str:
        original, changed = (" ".join(text.split()) for text in (self.original, self.changed))
        return f"{self.path}:{self.line}: {self.function or 'module'}: {original} -> {changed}"

    @property
    def key(self) -> str:
        """Identity of the mutant, independent of its line and of line breaks."""
        texts = (" ".join(text.split()) for text in (self.original, self.changed))
        return "\n".join((self.path, self.function, *texts, str(self.occurrence)))

    def apply(self, source: str) -> str:
        """Return the source with the changed condition."""
        return source[: self.start] + self.changed + source[self.end :]


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    """Yield every condition mutant of a module. Assertions are left out: they document invariants."""
    seen: Counter[str] = Counter()
    for mutant in _mutants(path, source):
        seen[mutant.key] += 1
        yield replace(mutant, occurrence=seen[mutant.key])


def _mutants(path: str, source: str) -> Iterator[Mutant]:
    offsets = [0]
    for line in source.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line.encode()))
    encoded = source.encode()

    def text(node: ast.expr) -> str:
        return encoded[begin(node) : finish(node)].decode()

    def begin(node: ast.expr) -> int:
        return offsets[node.lineno - 1] + node.col_offset

    def finish(node: ast.expr) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return offsets[node.end_lineno - 1] + node.end_col_offset

    def mutant(function: str, node: ast.expr, changed: str) -> Mutant:
        # The syntax tree counts bytes, a mutant counts characters.
        start, end = (len(encoded[:at].decode()) for at in (begin(node), finish(node)))
        return Mutant(path, node.lineno, start, end, text(node), changed, function)

    for function, node in _conditions(ast.parse(source), ""):
        if isinstance(node, ast.UnaryOp):
            yield mutant(function, node, f"({text(node.operand)})")
        elif isinstance(node, ast.BoolOp):
            other = " or " if isinstance(node.op, ast.And) else " and "
            yield mutant(function, node, "(" + other.join(f"({text(value)})" for value in node.values) + ")")
        elif len(node.ops) == 1:
            left, right = text(node.left), text(node.comparators[0])
            for operator in _COMPARISONS.get(type(node.ops[0]), ()):
                yield mutant(function, node, f"({left} {operator} {right})")
            if _is_integer(node.comparators[0]):
                operator = _operator(encoded[finish(node.left) : begin(node.comparators[0])].decode())
                yield mutant(function, node, f"({left} {operator} {int(right) + 1})")


def _operator(between: str) -> str:
    return " ".join(between.replace("(", " ").replace(")", " ").split())


def _is_integer(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _conditions(tree: ast.AST, function: str) -> Iterator[tuple[str, _Condition]]:
    """Yield the conditions below a node, each with the qualified name of its function or class."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Assert):
            continue
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.BoolOp | ast.Compare) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        ):
            yield function, node
        inner = function
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{function}.{node.name}".lstrip(".")
        yield from _conditions(node, inner)
