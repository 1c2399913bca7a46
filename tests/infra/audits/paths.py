"""Read and replace values in a tree of properties by path.

In a path such as `rules[].match.config`, `[]` stands for every element of a list.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, Final

# A key with dots is quoted as in Pulumi: metadata.labels["app.kubernetes.io/name"].
PART: Final = re.compile(r'\["(?P<quoted>[^"]+)"\]|(?P<each>\[\])|(?P<plain>[^.\[\]]+)')
EACH: Final = object()
ABSENT: Final = object()


def parts(path: str) -> tuple[Any, ...]:
    """Split a path into keys, with `EACH` for `[]`."""
    return tuple(
        EACH if match["each"] else match["quoted"] or match["plain"] for match in PART.finditer(path)
    )


def values(tree: Any, path: str) -> list[Any]:
    """Return the values at the path; `ABSENT` where a key is missing or a list has no elements."""
    return list(_values(tree, parts(path)))


def _values(tree: Any, rest: tuple[Any, ...]) -> Iterator[Any]:
    if not rest:
        yield tree
    elif rest[0] is EACH:
        if not isinstance(tree, list) or not tree:
            yield ABSENT
            return
        for item in tree:
            yield from _values(item, rest[1:])
    elif isinstance(tree, dict) and rest[0] in tree:
        yield from _values(tree[rest[0]], rest[1:])
    else:
        yield ABSENT


def replaced(tree: Any, path: str, value: Any) -> Any:
    """Return a copy of the tree with the value at every position of the path; `ABSENT` removes the key."""
    found = copy.deepcopy(tree)
    _replace(found, parts(path), value)
    return found


def _replace(tree: Any, rest: tuple[Any, ...], value: Any) -> None:
    first, more = rest[0], rest[1:]
    if first is EACH:
        assert isinstance(tree, list), f"no list: {tree!r}"
        if more:
            for item in tree:
                _replace(item, more, value)
        else:
            tree[:] = [] if value is ABSENT else [value]
    elif more:
        assert first in tree or value is ABSENT, f"no {first} in {sorted(tree)}"
        if first in tree:
            _replace(tree[first], more, value)
    elif value is ABSENT:
        tree.pop(first, None)
    else:
        tree[first] = value


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every scalar with its path."""
    match tree:
        case dict():
            for key, value in tree.items():
                step = f'["{key}"]' if re.search(r'[.\[\]"]', str(key)) else f".{key}" if path else str(key)
                yield from leaves(value, path + step)
        case list():
            for item in tree:
                yield from leaves(item, f"{path}[]")
        case _:
            yield path, tree
