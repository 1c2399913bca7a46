"""Diffs of resources: a provider's response combined with ``ignoreChanges`` and ``replaceOnChanges``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.events import PropertyChange
from rehearsal.pulumi.properties import (
    Change,
    Path,
    Properties,
    Secret,
    differences,
    parse_path,
    with_secrets_of,
)

_MISSING: Any = object()


def reset_ignored(
    inputs: Properties, old_inputs: Properties, ignored: Iterable[str]
) -> tuple[Properties, list[str]]:
    """Return `inputs` with the old value at every path of `ignored`, and the paths that cannot be reset.

    A path through an element that only one side has cannot be reset: that element has the declared value.
    Values that were secret stay secret, and so does what the declaration calls secret, which the CLI leaves
    in plaintext. This is ``processIgnoreChanges`` of ``pkg/resource/deploy/step_generator.go`` and
    ``PropertyPath.Reset`` of ``sdk/go/common/resource/properties_path.go``. A path that cannot be parsed is
    skipped.
    """
    result, failed = _reset_paths(copy.deepcopy(inputs), old_inputs, ignored)
    return with_secrets_of(result, inputs), failed


def reset_ignored_of_component(
    inputs: Properties, old_inputs: Properties, ignored: Iterable[str]
) -> tuple[Properties, Properties, list[str]]:
    """Return the inputs to compare, the inputs to record, and the paths that cannot be reset.

    The CLI's engine copies the inputs of a component without their nested objects and lists before it resets
    paths. It compares the copy and records the original: ignored paths of one part have the declared value in
    the state, longer ones the old value.
    """
    recorded = copy.deepcopy(inputs)
    compared, failed = _reset_paths(dict(recorded), old_inputs, ignored)
    return compared, recorded, failed


def _reset_paths(
    result: Properties, old_inputs: Properties, ignored: Iterable[str]
) -> tuple[Properties, list[str]]:
    failed: list[str] = []
    for text in ignored:
        try:
            path = parse_path(text)
        except ValueError:
            continue
        if not _reset(path, old_inputs, result, old_secret=False, new_secret=False):
            failed.append(text)
    return result, failed


def _reset(path: Path, old: Any, new: Any, *, old_secret: bool, new_secret: bool) -> bool:
    """Reset `path` within the container `new` in place; return False where the path cannot be followed."""
    if not path:
        return False
    while isinstance(old, Secret):
        old, old_secret = old.element, True
    while isinstance(new, Secret):
        new, new_secret = new.element, True
    key, rest = path[0], path[1:]
    hidden = old_secret and not new_secret

    def previous(value: Any) -> Any:
        value = copy.deepcopy(value)
        return Secret(value) if hidden and not isinstance(value, Secret) else value

    def below(one: Any, other: Any) -> bool:
        return _reset(rest, one, other, old_secret=old_secret, new_secret=new_secret)

    if isinstance(key, int):
        return _reset_index(key, old, new, previous, below if rest else None)
    if key == "*":
        return _reset_all(old, new, previous, below if rest else None)
    if not rest:
        if isinstance(old, dict) and key in old:
            if not isinstance(new, dict):
                return False
            new[key] = previous(old[key])
        elif isinstance(new, dict):
            new.pop(key, None)
        return True
    if not isinstance(old, dict) or not isinstance(new, dict):
        return not isinstance(old, dict) and not isinstance(new, dict)
    if key not in new:
        return key not in old
    return below(old.get(key), new[key])


def _reset_index(
    key: int,
    old: Any,
    new: Any,
    previous: Callable[[Any], Any],
    below: Callable[[Any, Any], bool] | None,
) -> bool:
    if key < 0:
        return False
    if not isinstance(old, list) or not isinstance(new, list):
        return not isinstance(old, list) and not isinstance(new, list)
    if below is None and key >= len(old) and key >= len(new):
        return True
    if key >= len(old) or key >= len(new):
        return False
    if below is not None:
        return below(old[key], new[key])
    new[key] = previous(old[key])
    return True


def _reset_all(
    old: Any, new: Any, previous: Callable[[Any], Any], below: Callable[[Any, Any], bool] | None
) -> bool:
    if below is not None:
        if isinstance(old, dict) and isinstance(new, dict):
            return all(key in new and below(old[key], new[key]) for key in old)
        if isinstance(old, list) and isinstance(new, list):
            pairs = zip(old, new, strict=False)
            return all(below(one, other) for one, other in pairs) and len(old) == len(new)
        return False
    if isinstance(new, dict):
        if isinstance(old, dict):
            for key in [key for key in new if key not in old]:
                del new[key]
            new.update({key: previous(value) for key, value in old.items()})
        return True
    if isinstance(new, list):
        if not isinstance(old, list):
            return True
        for index, value in enumerate(old[: len(new)]):
            new[index] = previous(value)
        return len(old) == len(new)
    return False


def _bare(value: Any) -> Any:
    return value.element if isinstance(value, Secret) else value


def _child(value: Any, key: str | int) -> Any:
    value = _bare(value)
    if isinstance(value, dict):
        return value.get(key, _MISSING)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return _MISSING


@dataclass(frozen=True)
class Diff:
    """Difference between a resource as recorded and as declared.

    `update` holds even without `changes` if the provider reports a difference and the values are equal.
    """

    changes: tuple[PropertyChange, ...] = ()
    replace: bool = False
    delete_before_replace: bool = False
    update: bool = False

    def __bool__(self) -> bool:
        return self.replace or self.update or bool(self.changes)


_INIT_ERROR: Path = ("#initerror",)  # initErrorSpecialKey of the CLI's engine


def property_changes(old: Properties, new: Properties) -> tuple[PropertyChange, ...]:
    """Return the changed properties with their old and new values."""
    return tuple(
        PropertyChange(path, kind, at(old, path), at(new, path))
        for path, kind in differences(old, new).items()
    )


def interpret(
    response: provider_pb2.DiffResponse,
    old_inputs: Properties,
    new_inputs: Properties,
    *,
    replace_on_changes: Sequence[str] = (),
    unready: bool = False,
) -> Diff:
    """Convert a provider's Diff response to a :class:`Diff`.

    For ``DIFF_UNKNOWN`` the engine compares the inputs itself. A resource that is `unready` after its
    creation or update is replaced if a path of `replace_on_changes` covers ``#initerror``.
    """
    equal = response.changes == provider_pb2.DiffResponse.DIFF_NONE
    found: dict[Path, Change] = {} if equal else differences(old_inputs, new_inputs)
    if response.changes == provider_pb2.DiffResponse.DIFF_UNKNOWN:
        equal = not found and not response.replaces
    if equal and not unready:
        return Diff()  # like the CLI's engine, it does not parse the paths of `replace_on_changes`
    wanted = [parse_path(text) for text in replace_on_changes]
    failed = ()
    if unready and any(_matches(pattern, _INIT_ERROR) for pattern in wanted):
        failed = (PropertyChange(_INIT_ERROR, Change.UPDATE, replaces=True),)
    if equal:
        return Diff(failed, bool(failed))
    changed: dict[Path, tuple[Change, bool]] = {}
    for text, detail in response.detailedDiff.items():
        kind, replaces = _KINDS[detail.kind]
        changed[parse_path(text)] = (kind, replaces)
    if not changed:
        changed = {path: (kind, False) for path, kind in found.items()}
    for text in response.replaces:
        prefix = parse_path(text)
        if not any(path[: len(prefix)] == prefix and replaces for path, (_, replaces) in changed.items()):
            changed[prefix] = (changed.get(prefix, (Change.UPDATE, True))[0], True)
    some = response.changes == provider_pb2.DiffResponse.DIFF_SOME
    if some and not response.detailedDiff:
        # Only what the provider names counts, as in `applyReplaceOnChanges` of the CLI's engine.
        keys = map(parse_path, response.diffs)
        wanted = [key for key in keys if any(_matches(pattern, key) for pattern in wanted)]
    changes = failed + tuple(
        PropertyChange(
            path,
            kind,
            at(old_inputs, path),
            at(new_inputs, path),
            replaces or any(_matches(pattern, path) for pattern in wanted),
        )
        for path, (kind, replaces) in changed.items()
    )
    replace = bool(response.replaces) or any(change.replaces for change in changes)
    return Diff(changes, replace, replace and response.deleteBeforeReplace, update=some)


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
    """Return the value at `path` in `value`, or None; an element of a secret is a secret."""
    secret = False
    for part in path:
        secret = secret or isinstance(value, Secret)
        value = _child(value, part)
    if value is _MISSING:
        return None
    return Secret(value) if secret and not isinstance(value, Secret) else value
