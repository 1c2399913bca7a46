"""Records after random changes, compared with what a scan of all records finds."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from rehearsal.engine.state.resource_records import Entry, Kind, Records
from rehearsal.engine.state.resource_state import ResourceState, Snapshot

NAMES = 12


def urn(name: object) -> str:
    return f"urn:pulumi:test::toys::toy:index:Thing::{name}"


def record(random: Random, number: int) -> ResourceState:
    """Return a record that refers only to records with a lower number, which excludes cycles."""
    targets = [urn(random.randrange(number)) for _ in range(random.randrange(3))] if number else []
    parent, *others = [*targets, "", "", ""]
    return ResourceState(
        urn(number),
        "toy:index:Thing",
        True,
        id=f"id-{random.randrange(3)}",
        parent=parent,
        property_dependencies={"p": tuple(filter(None, others[:1]))},
        deleted_with=others[1],
    )


def scanned(records: Records, root: str) -> set[str]:
    """URNs of the live records that refer to `root`, directly or through others."""
    found: set[str] = set()
    while True:
        more = {
            item.urn
            for item in records.resources.values()
            if not item.delete and item.urn != root and {root, *found} & set(item.references())
        }
        if more <= found:
            return found
        found |= more


def change(random: Random, records: Records, step: int) -> Entry:
    live = [item for item in records.resources.values() if not item.delete]
    match random.randrange(5):
        case 0 if live:
            return Entry(Kind.DROP, random.choice(list(records.resources.values())))
        case 1 if live:
            return Entry(Kind.PUT, replace(random.choice(live), delete=True))
        case 2 if live:
            old = random.choice(live)
            return Entry(Kind.RENAME, old.with_renamed(old.urn, f"{old.urn}-{step}"), old=old.urn)
        case _:
            return Entry(Kind.PUT, record(random, random.randrange(NAMES)))


@pytest.mark.parametrize("seed", range(30))
def test_dependents_are_those_that_a_scan_finds(seed: int) -> None:
    random = Random(seed)
    records = Records(Snapshot(tuple(record(random, number) for number in range(NAMES))))
    for step in range(40):
        entry = change(random, records, step)
        records.apply([entry])
        if entry.kind is Kind.RENAME:
            assert not any(entry.old in (item.urn, *item.references()) for item in records.resources.values())
        for root in {item.urn for item in records.resources.values()}:
            found = records.dependents(root)
            assert {item.urn for item in found} == scanned(records, root)
            places = {item.urn: place for place, item in enumerate(found)}
            assert all(
                places.get(target, -1) < place
                for item, place in zip(found, places.values(), strict=True)
                for target in item.references()
            )
