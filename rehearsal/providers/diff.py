"""Compare two sets of inputs: changed properties, and those that need a replacement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pulumi.runtime.proto import provider_pb2

from rehearsal.providers.validation import DEFAULTS_KEY
from rehearsal.pulumi.properties import (
    UNKNOWN,
    Change,
    Path,
    Secret,
    differences,
    format_path,
    leaves,
    parse_path,
)

Kind = provider_pb2.PropertyDiff.Kind
_KINDS: Final = {
    (Change.ADD, False): provider_pb2.PropertyDiff.ADD,
    (Change.ADD, True): provider_pb2.PropertyDiff.ADD_REPLACE,
    (Change.DELETE, False): provider_pb2.PropertyDiff.DELETE,
    (Change.DELETE, True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    (Change.UPDATE, False): provider_pb2.PropertyDiff.UPDATE,
    (Change.UPDATE, True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}

Pattern = tuple[str, ...]


def patterns(*texts: str) -> frozenset[Pattern]:
    """Parse property paths without list indices; ``nodeConfig`` covers ``nodeConfig.machineType`` too."""
    return frozenset(tuple(text.split(".")) for text in texts)


def changed(
    old: Mapping[str, Any], new: Mapping[str, Any], ignored: Iterable[str] = ()
) -> dict[Path, Change]:
    """Return the changes between two sets of checked inputs, without the `ignored` property paths.

    As in Pulumi's engine, an `ignored` path that is empty or malformed has no effect.
    """
    skip = [path for text in ignored if (path := _parsed(text))]
    return {
        path: change
        for path, change in differences(_plain(old), _plain(new)).items()
        if not any(_covers(one, path) for one in skip)
    }


def _parsed(text: str) -> Path:
    try:
        return parse_path(text)
    except ValueError:
        return ()


def _plain(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if key != DEFAULTS_KEY}


def _covers(ignored: Path, path: Path) -> bool:
    return len(ignored) <= len(path) and all(
        one in ("*", other) for one, other in zip(ignored, path, strict=False)
    )


def forces_replacement(
    path: Path, old: Mapping[str, Any], new: Mapping[str, Any], fixed: frozenset[Pattern]
) -> bool:
    """Whether the change at `path` replaces the resource.

    An added or removed object counts if it sets a property whose change replaces the resource.
    """
    for below in _below(_at(old, path), _at(new, path)):
        names = tuple(str(part) for part in (*path, *below) if not isinstance(part, int))
        if any(names[: len(one)] == one for one in fixed):
            return True
    return False


def _below(*values: Any) -> Iterable[Path]:
    for value in values:
        if value is not None and value is not UNKNOWN:
            yield from (path for path, _ in leaves(value))
    yield ()


def _at(value: Any, path: Path) -> Any:
    for part in path:
        while isinstance(value, Secret):
            value = value.element
        if isinstance(value, Mapping) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    while isinstance(value, Secret):
        value = value.element
    return value


def diff_response(
    changes: Mapping[Path, Change], replacing: Iterable[Path], *, delete_first: bool, stable: Iterable[str]
) -> provider_pb2.DiffResponse:
    """Return the response: changed paths in `detailedDiff`, top-level names in `diffs` and `replaces`."""
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
        hasDetailedDiff=True,
        stables=sorted(stable),
    )
    must = set(replacing)
    for path, change in changes.items():
        response.detailedDiff[format_path(path)].CopyFrom(
            provider_pb2.PropertyDiff(kind=_KINDS[change, path in must], inputDiff=True)
        )
    response.diffs.extend(sorted({str(path[0]) for path in changes}))
    response.replaces.extend(sorted({str(path[0]) for path in must}))
    response.deleteBeforeReplace = bool(must) and delete_first
    return response
