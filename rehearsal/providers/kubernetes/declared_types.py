"""The input types of the Kubernetes SDK, read from an index instead of the SDK.

Importing the SDK's classes takes more than a second, which is longer than the evaluation of a thousand
manifests. ``python -m tools.kubernetes_types`` writes the index from the installed SDK. It is used only while
its version is that of the installed SDK; otherwise the SDK itself is imported.
"""

from __future__ import annotations

import json
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from rehearsal.providers.schema import (
    Choice,
    Field,
    ListOf,
    MapOf,
    ObjectType,
    OneOf,
    Scalar,
    Type,
    resource_type,
)

INDEX: Final = Path(__file__).with_suffix(".json")
SDK: Final = "pulumi-kubernetes"


def declared_inputs(token: str) -> ObjectType | None:
    """The declared inputs of a type token such as ``kubernetes:apps/v1:Deployment``; None if not declared."""
    if (index := _index()) is not None:
        found = index["kinds"].get(token)
        return _object(found) if found is not None else None
    declared = resource_type(token)
    return declared.inputs if declared is not None else None


class IndexedField(Field):
    """A field of the index: its type is decoded on first use."""

    def __init__(self, name: str, encoded: Any, required: bool, closed: tuple[str, ...]) -> None:
        super().__init__(name, property(), required)
        self.encoded = encoded
        self.closed_set = closed

    @cached_property
    def type(self) -> Type:
        return _decoded(self.encoded)


class IndexedObject(ObjectType):
    """An object of the index."""

    def __init__(self, name: str, encoded: dict[str, Any]) -> None:
        super().__init__(object)
        self.name = name
        self.encoded = encoded

    @cached_property
    def fields(self) -> dict[str, Field]:
        return {
            name: IndexedField(name, kind, bool(required), tuple(closed))
            for name, (kind, required, *closed) in self.encoded.items()
        }


@cache
def _index() -> dict[str, Any] | None:
    """The index; None if it was written from another version of the SDK."""
    index = json.loads(INDEX.read_text(encoding="utf-8"))
    return index if index["version"] == version(SDK) else None


@cache
def _object(reference: str) -> ObjectType:
    index = _index()
    assert index is not None
    return IndexedObject(reference.rpartition(":")[2], index["objects"][reference])


def _decoded(encoded: Any) -> Type:
    if isinstance(encoded, str):
        return Scalar(encoded)
    kind, *rest = encoded
    match kind:
        case "list":
            return ListOf(_decoded(rest[0]))
        case "map":
            return MapOf(_decoded(rest[0]))
        case "choice":
            return Choice(tuple(rest))
        case "object":
            return _object(rest[0])
        case _:
            return OneOf(tuple(map(_decoded, rest)))
