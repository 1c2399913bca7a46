"""Names of drills on the command line."""

from __future__ import annotations

import pytest

from rehearsal.cli.commands.drill import _chosen
from rehearsal.errors import InputError

KNOWN = ["replica-killed", "redis-failover", "disk-full", "zone-lost", "clock-skew", "volume-lost"]


def test_all_and_one_are_chosen_by_name() -> None:
    assert _chosen("all", 1, KNOWN) == KNOWN
    assert _chosen("disk-full", 1, KNOWN) == ["disk-full"]


def test_a_seed_chooses_the_same_five_different_drills_again() -> None:
    assert _chosen("random", 7, KNOWN) == _chosen("random", 7, KNOWN)
    for seed in range(20):
        assert len(set(_chosen("random", seed, KNOWN))) == 5


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown drill 'flood'") as caught:
        _chosen("flood", 1, KNOWN)
    assert "redis-failover" in str(caught.value.remedy)
