"""Bounds of backups and retention, and which options protect which store."""

from __future__ import annotations

from typing import Any

import pytest

from policies.testing import ResourceFixture, evaluate

DAY = 86_400


def schedule(**props: Any) -> ResourceFixture:
    return ResourceFixture("mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule", props)


@pytest.mark.parametrize(("days", "found"), [(6, True), (7, False), (8, False)])
def test_daily_snapshots_are_retained_for_seven_days(days: int, found: bool) -> None:
    given = schedule(policyItemDaily={"retentionUnit": "days", "retentionValue": days}, restoreWindowDays=2)
    assert evaluate("atlas-backup-schedule", given).found("must be at least 7 days") is found


def test_a_retention_in_weeks_is_not_compared_with_days() -> None:
    given = schedule(policyItemDaily={"retentionUnit": "weeks", "retentionValue": 1}, restoreWindowDays=2)
    assert evaluate("atlas-backup-schedule", given).clean


@pytest.mark.parametrize(("days", "found"), [(1, True), (2, False)])
def test_any_second_of_two_days_can_be_restored(days: int, found: bool) -> None:
    given = schedule(policyItemDaily={"retentionUnit": "days", "retentionValue": 7}, restoreWindowDays=days)
    assert evaluate("atlas-backup-schedule", given).found("restoreWindowDays") is found


def test_a_schedule_without_daily_snapshots_is_a_finding() -> None:
    assert evaluate("atlas-backup-schedule", schedule()).found("takes no daily snapshot")


@pytest.mark.parametrize(
    ("retain", "backup", "keys"),
    [
        (True, True, {"retainBackupsEnabled"}),
        (False, True, set()),
        (False, False, {"backupEnabled"}),
    ],
)
def test_backups_need_not_outlive_the_cluster_where_it_is_configured(
    retain: bool, backup: bool, keys: set[str]
) -> None:
    given = ResourceFixture(
        "mongodbatlas:index/advancedCluster:AdvancedCluster",
        {"backupEnabled": backup, "retainBackupsEnabled": False},
    )
    result = evaluate("atlas-backup", given, settings={"retain": retain})
    assert {key for key in ("backupEnabled", "retainBackupsEnabled") if result.found(f"{key}:")} == keys


@pytest.mark.parametrize(
    ("type_", "props", "protect", "findings"),
    [
        ("gcp:redis/instance:Instance", {"deletionProtection": True}, True, 0),
        ("gcp:redis/instance:Instance", {"deletionProtection": True}, False, 1),
        ("gcp:redis/instance:Instance", {}, False, 2),
        ("gcp:storage/bucket:Bucket", {}, True, 0),
        ("gcp:storage/bucket:Bucket", {}, False, 1),
        # The content of a secret is created again by a rotation: its own protection is enough.
        ("gcp:secretmanager/secret:Secret", {"deletionProtection": True}, False, 0),
        ("gcp:secretmanager/secret:Secret", {}, True, 1),
    ],
)
def test_a_store_needs_its_own_protection_and_the_option(
    type_: str, props: dict[str, Any], protect: bool, findings: int
) -> None:
    result = evaluate("deletion-protection", ResourceFixture(type_, props, protect=protect))
    assert len(result.findings) == findings


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        (None, False),  # Google's default is seven days
        ({"retentionDurationSeconds": 7 * DAY}, False),
        ({"retentionDurationSeconds": 7 * DAY - 1}, True),
        ({"retentionDurationSeconds": 0}, True),
    ],
)
def test_deleted_objects_can_be_restored_for_seven_days(policy: dict[str, Any] | None, found: bool) -> None:
    props: dict[str, Any] = {"versioning": {"enabled": True}}
    if policy is not None:
        props["softDeletePolicy"] = policy
    result = evaluate("bucket-recoverable", ResourceFixture("gcp:storage/bucket:Bucket", props))
    assert result.found("softDeletePolicy") is found


@pytest.mark.parametrize(("counts", "found"), [((3,), False), ((2,), True), ((2, 1), False), ((1, 1), True)])
def test_members_of_all_regions_are_counted(counts: tuple[int, ...], found: bool) -> None:
    regions = [{"electableSpecs": {"nodeCount": count}} for count in counts]
    given = ResourceFixture(
        "mongodbatlas:index/advancedCluster:AdvancedCluster",
        {"replicationSpecs": [{"regionConfigs": regions}]},
    )
    assert evaluate("atlas-available", given).found("fewer than three electable members") is found


@pytest.mark.parametrize(
    ("scaling", "found"),
    [({"computeEnabled": True}, True), ({"diskGbEnabled": True}, True), ({"computeEnabled": False}, False)],
)
def test_a_cluster_of_a_fixed_size_needs_no_effective_fields(scaling: dict[str, Any], found: bool) -> None:
    given = ResourceFixture(
        "mongodbatlas:index/advancedCluster:AdvancedCluster",
        {"replicationSpecs": [{"regionConfigs": [{"autoScaling": scaling}]}]},
    )
    assert evaluate("atlas-autoscaling-effective", given).found("useEffectiveFields") is found


@pytest.mark.parametrize(
    ("location", "found"),
    [("europe-west1", False), ("EU", False), ("EUROPE-WEST4", False), ("us-east1", True), ("ASIA", True)],
)
def test_data_is_stored_in_an_allowed_region(location: str, found: bool) -> None:
    result = evaluate("allowed-regions", ResourceFixture("gcp:storage/bucket:Bucket", {"location": location}))
    assert bool(result.findings) is found
