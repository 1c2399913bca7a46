"""Rules over several properties; `refused.yaml` has a case of each rule."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.api.atlas import checks_of, excluding_ranges
from tests.rehearsal.providers.calls import Calls, urn

TOKEN = "mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule"


def found(inputs: dict[str, Any]) -> set[str]:
    return {str(path[0]) for check in checks_of(TOKEN) for path, _ in check(inputs)}


def test_properties_that_do_not_go_together_are_reported_at_the_one_to_change() -> None:
    assert not found(
        {"restoreWindowDays": 2, "policyItemHourly": {"retentionUnit": "days", "retentionValue": 2}}
    )
    assert found(
        {"restoreWindowDays": 3, "policyItemHourly": {"retentionUnit": "days", "retentionValue": 2}}
    ) == {"restoreWindowDays"}


def test_retention_is_compared_with_the_lengths_that_months_and_years_can_have() -> None:
    def item(unit: str, value: int) -> dict[str, Any]:
        return {"retentionUnit": unit, "retentionValue": value}

    year = [item("years", 1)]
    assert not found({"policyItemMonthlies": [item("months", 12)], "policyItemYearlies": year})
    assert found({"policyItemMonthlies": [item("months", 13)], "policyItemYearlies": year})
    assert not found({"policyItemWeeklies": [item("weeks", 1)], "policyItemMonthlies": [item("months", 1)]})
    assert found({"policyItemWeeklies": [item("days", 6)]}) == {"policyItemWeeklies"}
    assert found({"policyItemYearlies": [item("months", 11)]}) == {"policyItemYearlies"}


def scaled(low: str, high: str, **more: Any) -> dict[str, Any]:
    scaling = {"computeEnabled": True, "computeMinInstanceSize": low, "computeMaxInstanceSize": high}
    region = {
        "providerName": "GCP",
        "priority": 7,
        "regionName": "EUROPE_WEST_1",
        "electableSpecs": {"instanceSize": low, "nodeCount": 3},
        "autoScaling": scaling,
    }
    return {
        "projectId": "5e7e00128f8ce03996a47179",
        "name": "c",
        "clusterType": "REPLICASET",
        "useEffectiveFields": True,
        "replicationSpecs": [{"regionConfigs": [region]}],
        **more,
    }


@pytest.mark.parametrize(
    ("low", "high", "refused", "warned"),
    [
        ("M40", "M80", [], []),
        ("M30", "M80", [], []),
        ("M40", "M200", [], []),
        ("M50", "M80", [], ["computeMinInstanceSize"]),
        ("M40", "M50", [], ["computeMaxInstanceSize"]),
        ("M140", "M200", ["computeMinInstanceSize"], []),
        ("M10", "M30", ["computeMaxInstanceSize"], []),
    ],
)
def test_new_range_must_contain_the_tier_that_runs(
    low: str, high: str, refused: list[str], warned: list[str]
) -> None:
    old, new = scaled("M40", "M80"), scaled(low, high)
    assert [path[-1] for path, _ in excluding_ranges(new, old, certain=True)] == refused
    assert [path[-1] for path, _ in excluding_ranges(new, old, certain=False)] == warned


def test_range_changes_freely_without_effective_fields_or_autoscaling(atlas: Calls) -> None:
    old, new = scaled("M40", "M80"), scaled("M140", "M200")
    token = urn("mongodbatlas:index/advancedCluster:AdvancedCluster")
    path = "replicationSpecs[0].regionConfigs[0].autoScaling.computeMinInstanceSize"
    assert list(atlas.check(token, new, old).failures) == [path]
    assert not atlas.check(token, new).failures
    assert not atlas.check(token, new, old | {"useEffectiveFields": None}).failures
