"""The catalog of drills is complete and consistent."""

from __future__ import annotations

from rehearsal.drills.catalog import DRILLS


def test_drills_are_named_after_their_key() -> None:
    assert all(name == drill.name for name, drill in DRILLS.items())
    assert len(DRILLS) == 15


def test_only_the_lost_volume_is_restored_from_a_backup() -> None:
    assert [drill.name for drill in DRILLS.values() if drill.restores] == ["volume-lost"]


def test_every_dependency_has_a_drill_in_which_it_hangs() -> None:
    hanging = [drill.name for drill in DRILLS.values() if drill.hangs]
    assert hanging == ["database-hung", "redis-hung", "storage-hung"]
