"""The plan of each stack equals its reviewed inventory."""

from __future__ import annotations

import difflib

import pytest
import yaml

from tests.infra.inventory.listing import FOLDER, listing
from tests.infra.rehearsal import STACKS


@pytest.mark.parametrize("stack", STACKS)
def test_the_plan_is_the_reviewed_inventory(stack: str) -> None:
    reviewed = (FOLDER / f"{stack}.yaml").read_text()
    change = "".join(
        difflib.unified_diff(
            reviewed.splitlines(keepends=True),
            listing(stack).splitlines(keepends=True),
            "reviewed",
            "planned",
            n=2,
        )
    )
    assert not change, f"{stack} changes; review it, then `make inventory`:\n{change}"


@pytest.mark.parametrize("stack", STACKS)
def test_counts_are_those_of_the_listed_resources(stack: str) -> None:
    content = yaml.safe_load((FOLDER / f"{stack}.yaml").read_text())
    counted: dict[str, int] = {}
    for types in content["resources"].values():
        for kind, named in types.items():
            counted[kind] = counted.get(kind, 0) + len(named)
    assert counted == content["counts"]
