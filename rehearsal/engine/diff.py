"""What changes: a provider's answer, together with ``ignoreChanges`` and ``replaceOnChanges``."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.events import PropertyChange
from rehearsal.pulumi.properties import Change, Path, Properties, Secret, differences, parse_path

_MISSING: Any = object()


def reset_ignored(inputs: Properties, old_inputs: Properties, ignored: Iterable[str]) -> Properties:
    """`inputs` with the value that each ignored path had before; a path that was absent is absent again.

    ``*`` stands for every key or index. A path into an element that was added or removed since cannot be
    ignored and is left as it is, as the Pulumi engine does (``processIgnoreChanges``).
    """
    result = copy.deepcopy(inputs)
    for text in ignored:
        for path in list(_expand(parse_path(text), result, old_inputs)):
            old, new_parent = _get(old_inputs, path), _get(result, path[:-1])
            key = path[-1]
            if isinstance(new_parent, dict):
                if old is _MISSING:
                    new_parent.pop(key, None)
                else:
                    new_parent[key] = copy.deepcopy(old)
            elif isinstance(new_parent, list) and isinstance(key, int) and key < len(new_parent):
                new_parent[key] = new_parent[key] if old is _MISSING else copy.deepcopy(old)
    return result


def _expand(pattern: Path, new: Any, old: Any, done: Path = ()) -> Iterator[Path]:
    if not pattern:
        yield done
        return
    head, rest = pattern[0], pattern[1:]
    if head != "*":
        yield from _expand(rest, _child(new, head), _child(old, head), (*done, head))
        return
    keys: dict[str | int, None] = {}
    for value in (new, old):
        value = _bare(value)
        if isinstance(value, dict):
            keys |= dict.fromkeys(value)
        elif isinstance(value, list):
            keys |= dict.fromkeys(range(len(value)))
    for key in keys:
        yield from _expand(rest, _child(new, key), _child(old, key), (*done, key))


def _bare(value: Any) -> Any:
    return value.element if isinstance(value, Secret) else value


def _child(value: Any, key: str | int) -> Any:
    value = _bare(value)
    if isinstance(value, dict):
        return value.get(key, _MISSING)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return _MISSING


def _get(value: Any, path: Path) -> Any:
    for part in path:
        value = _child(value, part)
    return _bare(value) if value is not _MISSING else value


@dataclass(frozen=True)
class Diff:
    """What differs between a resource as recorded and as declared."""

    changes: tuple[PropertyChange, ...] = ()
    replace: bool = False
    delete_before_replace: bool = False

    def __bool__(self) -> bool:
        return self.replace or bool(self.changes)


def property_changes(old: Properties, new: Properties) -> tuple[PropertyChange, ...]:
    """What is different in `new`, with the values on both sides."""
    return tuple(
        PropertyChange(path, kind, at(old, path), at(new, path))
        for path, kind in differences(old, new).items()
    )


def interpret(
    answer: provider_pb2.DiffResponse,
    old_inputs: Properties,
    new_inputs: Properties,
    *,
    replace_on_changes: Sequence[str] = (),
) -> Diff:
    """The :class:`Diff` that a provider's answer means.

    A provider that does not know (``DIFF_UNKNOWN``) leaves it to the engine, which compares the inputs.
    """
    if answer.changes == provider_pb2.DiffResponse.DIFF_NONE:
        return Diff()
    found = differences(old_inputs, new_inputs)
    if answer.changes == provider_pb2.DiffResponse.DIFF_UNKNOWN and not found and not answer.replaces:
        return Diff()
    changed: dict[Path, tuple[Change, bool]] = {}
    for text, detail in answer.detailedDiff.items():
        kind, replaces = _KINDS[detail.kind]
        changed[parse_path(text)] = (kind, replaces)
    if not changed:
        changed = {path: (kind, False) for path, kind in found.items()}
    for text in answer.replaces:
        prefix = parse_path(text)
        if not any(path[: len(prefix)] == prefix and replaces for path, (_, replaces) in changed.items()):
            changed[prefix] = (changed.get(prefix, (Change.UPDATE, True))[0], True)
    wanted = [parse_path(text) for text in replace_on_changes]
    changes = tuple(
        PropertyChange(
            path,
            kind,
            at(old_inputs, path),
            at(new_inputs, path),
            replaces or any(_matches(pattern, path) for pattern in wanted),
        )
        for path, (kind, replaces) in changed.items()
    )
    replace = bool(answer.replaces) or any(change.replaces for change in changes)
    return Diff(changes, replace, replace and answer.deleteBeforeReplace)


_KINDS = {
    provider_pb2.PropertyDiff.ADD: (Change.ADD, False),
    provider_pb2.PropertyDiff.ADD_REPLACE: (Change.ADD, True),
    provider_pb2.PropertyDiff.DELETE: (Change.DELETE, False),
    provider_pb2.PropertyDiff.DELETE_REPLACE: (Change.DELETE, True),
    provider_pb2.PropertyDiff.UPDATE: (Change.UPDATE, False),
    provider_pb2.PropertyDiff.UPDATE_REPLACE: (Change.UPDATE, True),
}


def _matches(pattern: Path, path: Path) -> bool:
    return len(pattern) <= len(path) and all(
        want in ("*", part) for want, part in zip(pattern, path, strict=False)
    )


def at(value: Any, path: Path) -> Any:
    """What stands at `path` in `value`, or None; a part of a secret is a secret."""
    secret = False
    for part in path:
        secret = secret or isinstance(value, Secret)
        value = _child(value, part)
    if value is _MISSING:
        return None
    return Secret(value) if secret and not isinstance(value, Secret) else value
