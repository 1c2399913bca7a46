"""Exported records in a form in which those of two engines can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rehearsal.pulumi.properties import SECRET_SIGNATURE, SIGNATURE

Record = dict[str, Any]

# When and where something was written differs from run to run, and the CLI keeps whole stack traces.
_OF_THE_RUN = ("created", "modified", "sourcePosition", "stackTrace")


def comparable(records: list[Record]) -> dict[str, Record]:
    """`records` by URN, without what two runs of one engine may differ in."""
    names = {
        item["id"]: f"<{item['urn']}>" for item in records if item["type"].startswith("pulumi:providers:")
    }
    return {item["urn"]: _comparable(item, names) for item in records}


def _comparable(record: Record, providers: dict[str, str]) -> Record:
    found = {key: _opened(value) for key, value in record.items() if key not in _OF_THE_RUN}
    # The order in which dependencies are found is that of a race between coroutines of the SDK.
    if "dependencies" in found:
        found["dependencies"] = sorted(found["dependencies"])
    # The CLI writes no properties without dependencies.
    uses = {key: sorted(urns) for key, urns in found.pop("propertyDependencies", {}).items() if urns}
    if uses:
        found["propertyDependencies"] = uses
    # An empty bag of the CLI's own, for where to download a plugin from.
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
    """`value` with secrets parsed: their JSON may be written in more than one way."""
    match value:
        case dict() if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return {"secret": json.loads(value["plaintext"])}
        case dict():
            return {key: _opened(item) for key, item in value.items()}
        case list():
            return [_opened(item) for item in value]
        case _:
            return value


def differences(one: dict[str, Record], other: dict[str, Record]) -> list[str]:
    """A line for each place in which two sets of records differ."""
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
