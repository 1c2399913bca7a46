"""Normalize exported resource records, so that those of two engines are comparable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rehearsal.pulumi.properties import SECRET_SIGNATURE, SIGNATURE

Record = dict[str, Any]

# Times and positions differ between runs, and the CLI stores complete stack traces.
_OF_THE_RUN = ("created", "modified", "sourcePosition", "stackTrace")


def comparable(records: list[Record]) -> dict[str, Record]:
    """Return `records` by URN without values that differ between runs of one engine.

    Replaced resources that wait for their deletion have the URN of their replacement: their id is in the key.
    """
    names = {
        item["id"]: f"<{item['urn']}>" for item in records if item["type"].startswith("pulumi:providers:")
    }
    # If a replaced component is not among the targets, the CLI keeps a second record of it, marked as to be
    # deleted, although there is nothing to delete.
    live = [item for item in records if item["custom"] or not item.get("delete")]
    found = [_comparable(item, names) for item in live]
    return {item["urn"] + (f" {item['id']} (replaced)" if item.get("delete") else ""): item for item in found}


def _comparable(record: Record, providers: dict[str, str]) -> Record:
    found = {key: _opened(value) for key, value in record.items() if key not in _OF_THE_RUN}
    # The order of dependencies depends on the scheduling of the SDK's coroutines.
    if "dependencies" in found:
        found["dependencies"] = sorted(found["dependencies"])
    # The CLI writes no properties without dependencies.
    uses = {key: sorted(urns) for key, urns in found.pop("propertyDependencies", {}).items() if urns}
    if uses:
        found["propertyDependencies"] = uses
    # An empty object that the CLI writes for plugin download settings.
    if found.get("inputs", {}).get("__internal") == {}:
        del found["inputs"]["__internal"]
    # A provider's id is a random UUID; references to it end in it.
    if found.get("id") in providers:
        found["id"] = providers[found["id"]]
    if "provider" in found:
        urn, _, id_ = found["provider"].rpartition("::")
        found["provider"] = f"{urn}::{providers[id_]}"
    return found


def _opened(value: Any) -> Any:
    """Return `value` with secrets parsed, also within secrets, because their JSON formatting differs."""
    match value:
        case dict() if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return {"secret": _opened(json.loads(value["plaintext"]))}
        case dict():
            return {key: _opened(item) for key, item in value.items()}
        case list():
            return [_opened(item) for item in value]
        case _:
            return value


def differences(one: dict[str, Record], other: dict[str, Record]) -> list[str]:
    """Return one line per difference between two sets of records."""
    return [f"{urn}{path}: {a!r} / {b!r}" for urn in sorted(one.keys() | other.keys())
            for path, a, b in _places("", one.get(urn), other.get(urn))]  # fmt: skip


def _places(path: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from _places(f"{path}.{key}", one.get(key), other.get(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from _places(f"{path}[{index}]", a, b)
    elif one != other:
        yield path, one, other
