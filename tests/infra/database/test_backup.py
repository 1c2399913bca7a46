"""Database snapshots: retention of the schedule and of the compliance policy."""

from __future__ import annotations

from pathlib import Path

from infra.database.backup import MONTHLY_ON_THE_LAST_DAY, WEEKLY_ON_SATURDAY, retention
from tests.infra.rehearsal import Declared, configuration, rehearse

SHARED = ("policyItemDaily", "policyItemWeeklies", "policyItemMonthlies", "restoreWindowDays")


def test_retention_is_daily_unless_an_interval_is_given() -> None:
    assert retention("days", 7) == {
        "frequency_interval": 1, "retention_unit": "days", "retention_value": 7,
    }  # fmt: skip
    assert retention("weeks", 4, WEEKLY_ON_SATURDAY)["frequency_interval"] == WEEKLY_ON_SATURDAY


def test_snapshots_are_retained_as_configured(declared: Declared) -> None:
    settings = configuration(declared.stack)["kingdom:database"]["backup"]
    schedule = declared.one("CloudBackupSchedule")
    hourly = schedule["policyItemHourly"]
    assert (hourly["frequencyInterval"], hourly["retentionValue"]) == (
        settings["hourlyEvery"], settings["hourlyDays"],
    )  # fmt: skip
    assert schedule["policyItemDaily"]["retentionValue"] == settings["dailyDays"]
    (monthly,) = schedule["policyItemMonthlies"]
    assert monthly["frequencyInterval"] == MONTHLY_ON_THE_LAST_DAY
    assert monthly["retentionValue"] == settings["monthlyMonths"]


def test_the_compliance_policy_protects_what_the_schedule_retains(prod: Declared) -> None:
    schedule, policy = prod.one("CloudBackupSchedule"), prod.one("BackupCompliancePolicy")
    assert {key: policy[key] for key in SHARED} == {key: schedule[key] for key in SHARED}
    assert policy["authorizedEmail"] == configuration("prod")["kingdom:database"]["custodian"]["email"]


def test_a_destroy_without_protection_deletes_neither_the_compliance_policy_nor_its_schedule(
    tmp_path: Path,
) -> None:
    values = configuration("prod")
    values["kingdom:environment"]["protect"] = False
    declared = rehearse("prod", tmp_path, values)
    assert declared.one("CloudBackupSchedule")["skipDestroy"]
    assert declared.state("BackupCompliancePolicy").retain_on_delete


def test_a_removed_schedule_deletes_no_snapshot_of_production(prod: Declared) -> None:
    assert prod.one("CloudBackupSchedule")["skipDestroy"]
