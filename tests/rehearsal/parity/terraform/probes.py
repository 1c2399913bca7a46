"""Test values for every attribute of a resource, independent of the facts, which may lack a rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rehearsal.providers.schema import ListOf, MapOf, Scalar
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.constraints.mutations import Mutation, attributes, mutation

# By the type of an attribute: values that rules often forbid, and one that they mostly allow.
_VALUES: Final[dict[str, tuple[Any, ...]]] = {
    "string": ("", "no-such-value", "\x01 ~", "a" * 300, "2026-13-01"),
    "int": (-1, 0, 1, 10_000_000),
    "float": (-1.5, 0.0, 1.0, 1e7),
    "bool": (True, False),
    "list": ([], ["no-such-value"]),
    "set": ([], ["no-such-value"]),
    "map": ({}, {"no-such-key": "a"}),
}


def probes(token: str, inputs: dict[str, Any]) -> Iterator[Mutation]:
    """Yield copies with each test value of each attribute and without it; blocks are emptied and removed."""
    for path, attribute, holder, name in attributes(token, inputs):
        before = holder.get(name)
        if before is not None:
            yield mutation(token, inputs, path, "absent", None)
        if attribute.children:
            yield mutation(token, inputs, path, "empty", [{}] if isinstance(attribute.type, ListOf) else {})
            continue
        for value in _VALUES.get(attribute.facts["type"].lower().removesuffix("64"), ()):
            if isinstance(value, dict) and value and attribute.type != MapOf(Scalar("string")):
                continue
            if before is not UNKNOWN and value != before:
                yield mutation(token, inputs, path, f"is {str(value)[:20]!r}", value)
