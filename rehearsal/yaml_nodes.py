"""Nodes of YAML documents: all of them, their depth, their number with every alias replaced, their anchors.

libyaml recurses for each level and overflows the stack of the process; an alias repeats everything below its
anchor.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import yaml

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The other line breaks of YAML 1.1.
_BREAKS: Final = "\r\x85\u2028\u2029"


def too_deep(text: str, levels: int) -> Any:
    """Return the mark at which a document of `text` exceeds `levels` nested collections; None if none does.

    Raises yaml.YAMLError for invalid YAML, but only if the text has to be parsed to count the levels.
    """
    # A block collection is indented by at least one column more than the one around it, a list inside an
    # object by none; a flow collection takes a bracket.
    few = levels // 2
    brackets = text.count("[") + text.count("{")
    if brackets >= few:
        brackets = max(item.count("[") + item.count("{") for item in text.split("\n---"))
    lines = f"\n{text}"
    for mark in _BREAKS:
        lines = lines.replace(mark, "\n")
    if brackets < few and not _far_in(levels).search(lines):
        return None
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > levels:
            return event.start_mark
    return None


@cache
def _far_in(levels: int) -> re.Pattern[str]:
    """Return the pattern of a line that is indented so far that its depth may exceed `levels`."""
    # With a line feed instead of ``^``, the search is five times as fast.
    return re.compile(rf"\n[ \t?:-]{{{levels // 4 - 1}}}")


def repeats_anchor(error: yaml.YAMLError) -> bool:
    """Whether a document was refused because it declares an anchor again."""
    return "duplicate anchor" in (getattr(error, "context", "") or "")


def with_distinct_anchors(text: str) -> str:
    """Return `text` with an own name for each anchor, and the aliases of the latest one before them.

    An anchor may be declared again (YAML 1.2.2, section 3.2.2.2), which PyYAML refuses and the parsers of
    Go accept.
    """
    # libyaml does not count a byte order mark.
    start = int(text.startswith("\ufeff"))
    tokens: list[yaml.AnchorToken | yaml.AliasToken] = []
    with contextlib.suppress(yaml.YAMLError):
        tokens.extend(
            token
            for token in yaml.scan(text, Loader=_LOADER)
            if isinstance(token, (yaml.AnchorToken, yaml.AliasToken))
        )
    # An alias without an anchor stays one: no anchor gets its name.
    aliases = {token.value for token in tokens if isinstance(token, yaml.AliasToken)}
    names = (name for number in itertools.count() if (name := f"n{number}") not in aliases)
    pieces: list[str] = []
    at = 0
    latest: dict[str, str] = {}
    for token in tokens:
        if isinstance(token, yaml.AnchorToken):
            latest[token.value] = next(names)
        if token.value in latest:
            name = start + token.start_mark.index + 1  # behind the ampersand or the asterisk
            pieces += [text[at:name], latest[token.value]]
            at = name + len(token.value)
    return "".join((*pieces, text[at:]))


def expanded_size(node: yaml.Node, cyclic: int) -> int:
    """Return the number of values below `node`, itself included, with every alias replaced.

    An anchor that contains itself counts as `cyclic` values.
    """
    return _size(node, cyclic, {})


def _size(node: yaml.Node, cyclic: int, known: dict[int, int]) -> int:
    if id(node) not in known:
        known[id(node)] = cyclic
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            inner = list(node.value)
        elif isinstance(node, yaml.MappingNode):
            inner = [item for pair in node.value for item in pair]
        known[id(node)] = 1 + sum(_size(item, cyclic, known) for item in inner)
    return known[id(node)]


def nodes_below(tree: yaml.Node) -> Iterator[yaml.Node]:
    """Yield `tree` and every node below it once, in the order of the text."""
    pending: list[yaml.Node] = [tree]
    seen: set[int] = set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            pending.extend(item for pair in reversed(node.value) for item in reversed(pair))
        elif isinstance(node, yaml.SequenceNode):
            pending.extend(reversed(node.value))
