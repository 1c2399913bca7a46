"""Values of a plan for the comment: inputs of new resources, and generated outputs to mark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.cli.display import masked
from rehearsal.engine.events import Op
from rehearsal.pulumi.properties import Value
from rehearsal.review.stack_review import StackReview

_MAX_NEW: Final = 40  # new resources; if a plan has more, no inputs are listed
_MAX_INPUTS: Final = 12  # inputs of one resource
# Values that a cloud assigns: addresses, UUIDs, long numbers and hexadecimal ids.
_ASSIGNED: Final = re.compile(
    r"(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{9,}|[0-9a-f]{16,}"
)


def created_inputs(item: StackReview) -> dict[str, list[tuple[str, Value]]]:
    """Return (path, value) of the inputs of new resources by URN.

    Empty for a new stack, or if the plan creates more than 40 resources.
    """
    if item.result is None or item.base is None:
        return {}
    new = {step.urn for step in item.changes if step.op is Op.CREATE}
    if len(new) > _MAX_NEW:
        return {}
    return {
        resource.urn: list(_leaves(masked(resource.inputs)))[:_MAX_INPUTS]
        for resource in item.result.snapshot.resources
        if resource.urn in new
    }


def assigned_values(item: StackReview) -> frozenset[str]:
    """Return values that the rehearsal generated: addresses and ids in outputs that no input contains."""
    if item.base is None or item.base.result is None:
        return frozenset()
    found: set[str] = set()
    for resource in item.base.result.snapshot.resources:
        inputs = json.dumps(masked(resource.inputs), default=str)
        for _, value in _leaves(masked(resource.outputs)):
            if isinstance(value, str | int):
                found.update(one for one in _ASSIGNED.findall(str(value)) if one not in inputs)
    return frozenset(found)


def _leaves(value: Value, path: str = "") -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            for key, item in value.items():
                if not str(key).startswith("__"):
                    yield from _leaves(item, f"{path}.{key}" if path else str(key))
        case list() if value and all(isinstance(item, Mapping) for item in value):
            for index, item in enumerate(value):
                yield from _leaves(item, f"{path}[{index}]")
        case None:
            return
        case _:
            yield path, value
