"""All rules together."""

from __future__ import annotations

from rehearsal.monitoring.recommendations.rules import RULES, recommendations
from tests.rehearsal.monitoring.recommendations.lines import API, Lines, history


def test_without_a_recording_nothing_is_recommended() -> None:
    assert recommendations(history({}, 0.0)) == []
    assert len(RULES) == 12


def test_the_capacity_of_a_role_changes_in_one_way_at_a_time() -> None:
    lines: Lines = {
        "cpu-by-role": {"api": 0.1},
        "replicas": {"api": API["minReplicas"]},
        "requests": {"": 1.0},
    }
    found = recommendations(history(lines, 168.0))
    assert [one.rule for one in found] == ["cpu-request"]


def test_a_setting_is_changed_once_and_reports_without_a_setting_remain() -> None:
    lines: Lines = {
        "database-connections": {"": 90.0},
        "cache-hits": {"contents": 40.0, "orders": 40.0},
        "cache-evictions": {"contents": 0.0, "orders": 0.0},
    }
    found = recommendations(history(lines))
    assert [one.rule for one in found] == ["cache-ttl", "cache-ttl", "pool-size"]
