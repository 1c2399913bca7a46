"""Clusters and backup schedules of a project with a compliance policy."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.fresh_project import backups
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.fresh_project.test_model import plan_of, resource

CLUSTER = "mongodbatlas:index/advancedCluster:AdvancedCluster"
POLICY = "mongodbatlas:index/backupCompliancePolicy:BackupCompliancePolicy"
SCHEDULE = "mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule"
HOURLY = {"frequencyInterval": 6, "retentionUnit": "days", "retentionValue": 2}
WEEKLY = {"frequencyInterval": 6, "retentionUnit": "weeks", "retentionValue": 4}


@pytest.mark.parametrize(
    ("days", "window", "project", "found"),
    [(7, 2, "a", 0), (8, 3, "a", 0), (6, 2, "a", 1), (6, 1, "a", 2), (1, 1, "b", 0), (6, 2, UNKNOWN, 1)],
)
def test_schedules_meet_the_compliance_policy(days: int, window: int, project: Any, found: int) -> None:
    def stored(days: int, window: int, project: Any) -> dict[str, Any]:
        item = {"frequencyInterval": 1, "retentionUnit": "days", "retentionValue": days}
        return {"policyItemDaily": item, "restoreWindowDays": window, "projectId": project}

    policy = resource("policy", type_=POLICY, inputs=stored(7, 2, "a"))
    schedule = resource("schedule", type_=SCHEDULE, inputs=stored(days, window, project))
    assert [item.urn for item in backups.backups(plan_of(policy, schedule))] == [schedule.urn] * found


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ({"policyItemHourly": HOURLY, "policyItemWeeklies": [WEEKLY]}, None),
        ({"policyItemHourly": HOURLY | {"frequencyInterval": 1}, "policyItemWeeklies": [WEEKLY]}, None),
        ({"policyItemHourly": UNKNOWN, "policyItemWeeklies": UNKNOWN}, None),
        ({"policyItemHourly": HOURLY}, "policyItemWeeklies is absent"),
        ({"policyItemHourly": HOURLY, "policyItemWeeklies": []}, "policyItemWeeklies is absent"),
        (
            {"policyItemHourly": HOURLY | {"frequencyInterval": 12}, "policyItemWeeklies": [WEEKLY]},
            "a snapshot every 12 hours is less often than the compliance policy requires, every 6 hours",
        ),
    ],
)
def test_schedules_have_every_item_of_the_policy_as_often(
    schedule: dict[str, Any], reason: str | None
) -> None:
    policy = resource(
        "policy",
        type_=POLICY,
        inputs={"projectId": "a", "policyItemHourly": HOURLY, "policyItemWeeklies": [WEEKLY]},
    )
    one = resource("schedule", type_=SCHEDULE, inputs={"projectId": "a", **schedule})
    found = list(backups.backups(plan_of(policy, one)))
    assert [reason in item.what for item in found if reason] == ([True] if reason else [])
    assert len(found) == (1 if reason else 0)


@pytest.mark.parametrize(
    ("cluster", "pit", "found"),
    [
        ({"backupEnabled": True, "pitEnabled": True}, True, []),
        ({}, True, []),
        ({"backupEnabled": UNKNOWN, "pitEnabled": False}, False, []),
        ({"backupEnabled": False}, False, ["backupEnabled"]),
        ({"backupEnabled": True, "pitEnabled": False}, True, ["pitEnabled"]),
    ],
)
def test_clusters_have_the_backups_of_the_policy(
    cluster: dict[str, Any], pit: bool, found: list[str]
) -> None:
    policy = resource("policy", type_=POLICY, inputs={"projectId": "a", "pitEnabled": pit})
    one = resource("cluster", type_=CLUSTER, inputs={"projectId": "a", **cluster})
    assert [item.what.split()[0] for item in backups.backups(plan_of(policy, one))] == found
    assert list(backups.backups(plan_of(one))) == []
