"""Convert a planned stack to the model of the policy pack, which computes costs and capacity from it."""

from __future__ import annotations

from typing import Any

from policies.api import Node, Resource, Stack
from rehearsal.engine.state import Snapshot
from rehearsal.pulumi.properties import Secret, Value
from rehearsal.pulumi.urn import name_of


def declared(snapshot: Snapshot) -> Stack:
    """Return the declared inputs of a snapshot's resources, except resources that are about to be deleted.

    Components have their outputs instead of inputs, as in the stack that an engine passes to the pack.
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
