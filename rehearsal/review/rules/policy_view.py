"""A planned stack as the policy pack sees it, for what the pack computes of it: costs and capacity."""

from __future__ import annotations

from typing import Any

from policies.api import Node, Resource, Stack
from rehearsal.engine.state import Snapshot
from rehearsal.pulumi.properties import Secret, Value
from rehearsal.pulumi.urn import name_of


def declared(snapshot: Snapshot) -> Stack:
    """The declared inputs of a snapshot's resources, those about to be deleted left out.

    A component has its outputs in their place, as in the stack that the pack is called with.
    """
    return Stack.of(
        [
            Resource(
                urn=item.urn,
                type=item.type,
                name=name_of(item.urn),
                node=Node(_plain(item.inputs if item.custom else item.outputs)),
                protect=item.protect,
                ignore_changes=item.ignore_changes,
                parent=item.parent,
            )
            for item in sorted(snapshot.resources, key=lambda item: item.urn)
            if not item.delete
        ]
    )


def _plain(value: Value) -> Any:
    match value:
        case Secret():
            return _plain(value.element)
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value
