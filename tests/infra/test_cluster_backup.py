"""Backups restore lost data, and cannot be deleted early."""

from __future__ import annotations

import pytest

from tests.infra.rehearsal import Declared, configuration
from tests.infra.settings.problems import setting_problems


def test_the_cluster_is_backed_up_as_the_settings_say(declared: Declared) -> None:
    plan, settings = declared.one("BackupPlan"), configuration(declared.stack)["kingdom:backup"]
    assert plan["backupSchedule"]["cronSchedule"] == settings["cron"]
    assert plan["retentionPolicy"] == {
        "backupRetainDays": settings["keepDays"],
        "backupDeleteLockDays": settings["lockDays"],
    }
    assert "encryptionKey" in plan["backupConfig"]


def test_a_restore_overwrites_nothing_and_restores_the_service(declared: Declared) -> None:
    restore = declared.one("RestorePlan")["restoreConfig"]
    namespace = declared.one("Namespace")["metadata"]["name"]
    assert restore["selectedNamespaces"]["namespaces"] == [namespace]
    assert restore["namespacedResourceRestoreMode"] == "FAIL_ON_CONFLICT"


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_a_young_backup_cannot_be_deleted(stack: str) -> None:
    assert configuration(stack)["kingdom:backup"]["lockDays"] > 0


def test_production_keeps_copies_of_its_database_in_another_region(prod: Declared) -> None:
    schedule = prod.one("CloudBackupSchedule")
    cluster = prod.one("AdvancedCluster")
    home = cluster["replicationSpecs"][0]["regionConfigs"][0]["regionName"]
    assert schedule["copySettings"][0]["regionName"] != home
    assert schedule["copyPolicyItemsEnabled"]
    retained = {
        item["frequencyType"]: item["retentionValue"]
        for item in schedule["copySettings"][0]["copyPolicyItems"]
    }
    assert retained["daily"] == schedule["policyItemDaily"]["retentionValue"]
    assert retained["weekly"] == schedule["policyItemWeeklies"][0]["retentionValue"]
    policy = prod.one("BackupCompliancePolicy")
    assert policy["copyProtectionEnabled"]
    # The compliance policy requires no more than the schedule retains.
    for item in ("policyItemDaily", "policyItemWeeklies", "policyItemMonthlies"):
        assert policy[item] == schedule[item]


def test_a_lock_longer_than_the_life_of_a_backup_is_refused() -> None:
    values = configuration("prod")
    values["kingdom:backup"] |= {"keepDays": 7, "lockDays": 14}
    assert "lockDays 14 is more than keepDays 7" in "".join(setting_problems(values).values())
