"""The catalog of drills is complete and consistent."""

from __future__ import annotations

from rehearsal.drills.catalog import DRILLS


def test_drills_are_named_after_their_key() -> None:
    assert all(name == drill.name for name, drill in DRILLS.items())
    assert len(DRILLS) == 12


def test_only_the_lost_volume_is_restored_from_a_backup() -> None:
    assert [drill.name for drill in DRILLS.values() if drill.restores] == ["volume-lost"]
