"""Settings of the program whose comment states what they prevent, found in its source.

A setting is a keyword argument, an entry of a dictionary, an element of a list, or a statement. A comment
belongs to what ends on its line, or to what begins below it.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

NOT_PROSE = re.compile(r"#\s*(noqa|pyrefly|----|https?://\S+$)")
Span = tuple[int, int, int, int]  # first line, its column, last line, its column; columns in bytes


@dataclass(frozen=True)
class Setting:
    """A setting of the program with its comment, which states the failure that the setting prevents.

    `value` is the position of its value; None for a statement without an assignment, whose comment is about
    the resources that it declares. `option` is true for a resource option of Pulumi, which is not sent to a
    cloud. `first` and `last` are the lines of the setting, `statement` those of the enclosing statement.
    """

    module: str
    key: str
    comment: str
    first: int
    last: int
    value: Span | None
    option: bool
    statement: tuple[int, int]

    @property
    def id(self) -> str:
        """Identifier in the table, such as `edge/cache.py cache_level`."""
        return f"{self.module} {self.key}"


def commented(path: Path, root: Path) -> list[Setting]:
    """Return the settings of a module that have a comment, in order; equal keys are numbered."""
    text = path.read_text(encoding="utf-8")
    beside, above = comments(text)
    nodes = list(_candidates(ast.parse(text)))
    found: list[Setting] = []
    for line, comment in sorted({**above, **beside}.items()):
        if line in beside:
            ending = [node for node in nodes if node.last == line]
            # The nodes that are entirely on the line; for a closing bracket, the node that it ends.
            whole = [node for node in ending if node.first == line] or ending[-1:]
        else:
            whole = [node for node in nodes if node.first == line]
        if whole:
            # The first candidate is the outermost.
            found.append(replace(whole[0], module=path.relative_to(root).as_posix(), comment=comment))
    total = Counter(setting.key for setting in found)
    seen: Counter[str] = Counter()
    numbered = []
    for setting in found:
        seen[setting.key] += 1
        key = f"{setting.key} ({seen[setting.key]})" if total[setting.key] > 1 else setting.key
        numbered.append(replace(setting, key=key))
    return numbered


def comments(text: str) -> tuple[dict[int, str], dict[int, str]]:
    """Return trailing comments by their line of code, and comments above a line of code by that line."""
    beside: dict[int, str] = {}
    above: dict[int, str] = {}
    waiting: list[str] = []
    fresh = True  # only white space so far on the line
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        match token.type:
            case tokenize.COMMENT:
                if not NOT_PROSE.match(token.string):
                    comment = token.string.lstrip("# ")
                    if fresh:
                        waiting.append(comment)
                    else:
                        beside[token.start[0]] = comment
            case tokenize.NL | tokenize.NEWLINE:
                fresh = True
            case tokenize.INDENT | tokenize.DEDENT:
                continue
            case _:
                if waiting:
                    above[token.start[0]] = " ".join(waiting)
                    waiting = []
                fresh = False
    return beside, above


def _candidates(
    node: ast.AST, *, option: bool = False, statement: tuple[int, int] = (0, 0)
) -> Iterator[Setting]:
    """Yield the settings in a node, the outermost first."""
    if isinstance(node, ast.stmt):
        statement = (_line(node), _end(node))
    for key, outer, value in _parts(node):
        span = None if value is None else _span(value)
        # Arguments of `child` and `ResourceOptions` are for Pulumi.
        yield Setting("", key, "", _line(outer), _end(outer), span, option or key == "opts", statement)
    inside = option or (
        isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("child", "ResourceOptions"))
    )
    for child in ast.iter_child_nodes(node):
        yield from _candidates(child, option=inside, statement=statement)


def _parts(node: ast.AST) -> Iterator[tuple[str, ast.AST, ast.expr | None]]:
    match node:
        case ast.Assign(targets=[target], value=value):
            yield ast.unparse(target), node, value
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield ast.unparse(target), node, value
        case ast.Return(value=ast.expr() as value):
            yield "return", node, value
        case ast.FunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom():
            return
        case ast.stmt():
            yield ast.unparse(node).splitlines()[0][:40], node, None
        case ast.keyword(arg=str(key), value=value):
            yield key, node, value
        case ast.Dict(keys=keys, values=values):
            for name, value in zip(keys, values, strict=True):
                if name is not None:
                    yield ast.unparse(name).strip("'"), _Both(name, value), value
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            for element in elements:
                # The result of a call, such as a chart, is not a value that could be disabled.
                if isinstance(element, ast.Constant | ast.Dict | ast.List | ast.Tuple):
                    yield ast.unparse(element).strip("'").replace("\n", " ")[:40], element, element
        case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
            yield ast.unparse(element)[:40], element, None
        case _:
            return


class _Both(ast.AST):
    """A key and its value as one node."""

    def __init__(self, key: ast.expr, value: ast.expr) -> None:
        super().__init__()
        self.lineno, self.end_lineno = key.lineno, value.end_lineno


def _line(node: ast.AST) -> int:
    return int(node.lineno)  # type: ignore[attr-defined]


def _end(node: ast.AST) -> int:
    return int(node.end_lineno)  # type: ignore[attr-defined]


def _span(node: ast.expr) -> Span:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset
