"""The bucket of production: recovery, access and lifecycle."""

from __future__ import annotations

from tests.infra.rehearsal import Declared


def test_deleted_and_overwritten_objects_can_be_restored(prod: Declared) -> None:
    bucket = prod.one("Bucket", "storage")
    assert bucket["versioning"] == {"enabled": True}
    assert bucket["softDeletePolicy"]["retentionDurationSeconds"] >= 7 * 86_400
    assert not bucket["forceDestroy"]


def test_no_object_is_public(declared: Declared) -> None:
    bucket = declared.one("Bucket", "storage")
    assert bucket["publicAccessPrevention"] == "enforced"
    assert bucket["uniformBucketLevelAccess"]


def test_old_versions_are_deleted(prod: Declared) -> None:
    rules = prod.one("Bucket", "storage")["lifecycleRules"]
    deleted = [rule["condition"] for rule in rules if rule["action"]["type"] == "Delete"]
    assert any(condition.get("daysSinceNoncurrentTime", 0) >= 30 for condition in deleted)
