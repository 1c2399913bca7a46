"""Disable a setting: its value is inverted, opened to all clients, or removed."""

from __future__ import annotations

import copy
import dataclasses
import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.pulumi.properties import unwrap
from tests.infra.audits.paths import ABSENT
from tests.infra.mutations.killers import Changes
from tests.infra.mutations.source import Setting
from tests.infra.mutations.trace import MARK, SettingPositions, Steps, leaves_of
from tests.infra.rehearsal import name_of

EVERYBODY = "0.0.0.0/0"


def ways(
    setting: Setting, positions: SettingPositions, resources: Sequence[ResourceState]
) -> Iterator[tuple[str, Changes]]:
    """Yield (name, changes) for each way to disable the setting: as a whole, and each boolean in it alone."""
    by_urn = {item.urn: item for item in resources}
    made = sorted(urn for urn in by_urn if any(_stands_for(planned, urn) for planned in positions.declared))
    if setting.option:
        for urn in made:
            item = by_urn[urn]
            yield (
                f"{name_of(urn)} without its options",
                {urn: dataclasses.replace(item, protect=False, ignore_changes=())},
            )
        return
    places = _real(positions, resources)
    if not places:
        for urn in made:
            yield from _undone(by_urn[urn])
        return
    yield "as a whole", {urn: _without(by_urn[urn], leaves) for urn, leaves in places.items()}
    for urn, leaves in places.items():
        switches = [steps for steps in leaves if isinstance(_at(unwrap(by_urn[urn].inputs), steps), bool)]
        if len(leaves) > 1:
            for steps in switches:
                yield f"{name_of(urn)} {steps[-1]}", {urn: _without(by_urn[urn], [steps])}


def _undone(item: ResourceState) -> Iterator[tuple[str, Changes]]:
    """Yield the undone resource: removed, or a narrow grant replaced by a broad one."""
    inputs = unwrap(item.inputs)
    if "member" not in inputs:
        yield f"without {name_of(item.urn)}", {item.urn: None}
        return
    for key, wide in (("role", "roles/owner"), ("member", "allUsers")):
        wider = dataclasses.replace(item, inputs={**inputs, key: wide})
        yield f"{name_of(item.urn)} with {key} {wide}", {item.urn: wider}


def _real(positions: SettingPositions, resources: Sequence[ResourceState]) -> dict[str, list[Steps]]:
    """Return the positions in the real resources; a mark in a name or key of the plan matches any text."""
    found: dict[str, list[Steps]] = defaultdict(list)
    for urn, steps in sorted(positions.paths, key=str):
        for item in resources:
            if _stands_for(urn, item.urn):
                found[item.urn] += [
                    real
                    for real, _ in leaves_of(unwrap(item.inputs))
                    if _same(real, steps) and real not in found[item.urn]
                ]
    return {urn: places for urn, places in found.items() if places}


def _stands_for(planned: str, real: str) -> bool:
    """Whether a resource of the marked plan is one of the state's; a mark in a name matches any text."""
    return planned == real or (
        "<#" in planned
        and re.fullmatch(".+".join(map(re.escape, MARK.split(planned)[::2])), real) is not None
    )


def _same(real: Steps, planned: Steps) -> bool:
    return len(real) == len(planned) and all(
        one == other or MARK.fullmatch(str(other)) for one, other in zip(real, planned, strict=True)
    )


def _without(item: ResourceState, places: Sequence[Steps]) -> ResourceState:
    inputs = copy.deepcopy(unwrap(item.inputs))
    # In reverse order, so that removals from a list do not change the indices of later ones.
    for steps in sorted(
        places, key=lambda steps: [(isinstance(step, str), step) for step in steps], reverse=True
    ):
        holder = _at(inputs, steps[:-1])
        value = off(holder[steps[-1]])
        if value is ABSENT:
            del holder[steps[-1]]
        else:
            holder[steps[-1]] = value
    return dataclasses.replace(item, inputs=inputs)


def _at(tree: Any, steps: Steps) -> Any:
    for step in steps:
        tree = tree[step]
    return tree


def off(value: Any) -> Any:
    """Return the mutated value: an inverted boolean, 0.0.0.0/0 for a range, the owner role; else ABSENT."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        if value.startswith("roles/"):
            return "roles/owner"
        try:
            ipaddress.ip_network(value)
        except ValueError:
            return ABSENT
        return EVERYBODY
    return ABSENT
