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
    """A setting, its position, and the failure that it prevents.

    `value` is where its value stands; None for a statement that gives nothing a name: its resources are
    meant. `option` is whether it is one of Pulumi's resource options, which no cloud ever sees. `first` and
    `last` are the lines of the setting, `statement` those of the statement that it is in.
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
        """How the table names it: `edge/cache.py cache_level`."""
        return f"{self.module} {self.key}"


def commented(path: Path, root: Path) -> list[Setting]:
    """Every setting of a module that has a comment, in order; where two have one key, they are numbered."""
    text = path.read_text(encoding="utf-8")
    beside, above = comments(text)
    nodes = list(_candidates(ast.parse(text)))
    found: list[Setting] = []
    for line, comment in sorted({**above, **beside}.items()):
        if line in beside:
            ending = [node for node in nodes if node.last == line]
            # All of what stands on the line; where it only closes a bracket, what the bracket belongs to.
            whole = [node for node in ending if node.first == line] or ending[-1:]
        else:
            whole = [node for node in nodes if node.first == line]
        if whole:
            # Candidates come from the outside in.
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
    """Comments by the line of code that they stand beside, and by the line of code that they stand above."""
    beside: dict[int, str] = {}
    above: dict[int, str] = {}
    waiting: list[str] = []
    fresh = True  # nothing but space since the line began
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
    """Everything below a node that may have a comment, from the outside in."""
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
