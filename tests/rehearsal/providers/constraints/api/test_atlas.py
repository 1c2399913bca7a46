"""Rules over several properties; `refused.yaml` has a case of each rule."""

from __future__ import annotations

from typing import Any

from rehearsal.providers.constraints.api.atlas import checks_of

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
