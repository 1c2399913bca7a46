"""Backups that a compliance policy of MongoDB Atlas requires of the clusters in its project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api.atlas import POLICY_ITEMS, retained_days
from rehearsal.providers.constraints.api.base import at, number
from rehearsal.providers.fresh_project.model import CreationPlan, Obstacle
from rehearsal.pulumi.properties import UNKNOWN

BACKUP_SCHEDULE: Final = "mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule"
COMPLIANCE_POLICY: Final = "mongodbatlas:index/backupCompliancePolicy:BackupCompliancePolicy"
_CLUSTER: Final = "mongodbatlas:index/advancedCluster:AdvancedCluster"
_HOURLY: Final = POLICY_ITEMS[0]


def backups(plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield clusters and backup schedules that do not meet the compliance policy of the project.

    The policy is the minimum of every cluster. Atlas refuses a schedule that lacks an item of it, takes
    snapshots less often or stores them for less time
    (`BACKUP_POLICIES_NOT_MEETING_BACKUP_COMPLIANCE_POLICY_REQUIREMENTS`), and a cluster without its backups.
    """
    for urn, inputs in plan.of_type(_CLUSTER):
        for policy in policies_of(plan, inputs):
            for reason in _without_backups(inputs, policy):
                yield Obstacle(urn, reason, "Set it to true, or change the policy before it is created")
    for urn, inputs in plan.of_type(BACKUP_SCHEDULE):
        for policy in policies_of(plan, inputs):
            for reason, remedy in _below(inputs, policy):
                yield Obstacle(urn, reason, f"{remedy} before it is created")


def _without_backups(cluster: Mapping[str, Any], policy: Mapping[str, Any]) -> Iterator[str]:
    for name, required in (("backupEnabled", True), ("pitEnabled", policy.get("pitEnabled") is True)):
        if required and cluster.get(name) is False:
            yield f"{name} is false, and the compliance policy requires these backups of every cluster"


def _below(schedule: Mapping[str, Any], policy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (failure, remedy) for each item of a schedule that is below the one of the policy."""
    for name in ("restoreWindowDays", *POLICY_ITEMS):
        stored = _days(schedule.get(name), long_months=True)
        required = _days(policy.get(name), long_months=False)
        if required is not None and name in POLICY_ITEMS and schedule.get(name) in (None, []):
            reason = f"{name} is absent, and the compliance policy requires it of every schedule"
            yield reason, "Add it, or remove it from the policy"
        if stored is not None and required is not None and stored < required:
            reason = f"{name}: {stored:g} days are less than the {required:g} days of the compliance policy"
            yield f"{reason}, which Atlas requires of every schedule", "Raise it, or lower the policy"
    taken, allowed = (number(at(item, _HOURLY, "frequencyInterval")) for item in (schedule, policy))
    if taken is not None and allowed is not None and taken > allowed:
        reason = (
            f"{_HOURLY}: a snapshot every {taken:g} hours is less often than the compliance policy requires"
        )
        yield f"{reason}, every {allowed:g} hours", "Lower the interval, or raise that of the policy"


def _days(value: Any, *, long_months: bool) -> float | None:
    """Return a number of days, or the longest retention of policy items in days; None if it is not known.

    `long_months`: months and years have their highest number of days, otherwise the lowest.
    """
    if isinstance(value, (int, float)):
        return value
    return max(retained_days(value, long_months=long_months), default=None)


def policies_of(plan: CreationPlan, schedule: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the compliance policies of a schedule's project; an unknown project may be the same."""
    project = schedule.get("projectId")
    policies = [inputs for _, inputs in plan.of_type(COMPLIANCE_POLICY)]
    return [
        one
        for one in policies
        if UNKNOWN in (one.get("projectId"), project) or one.get("projectId") == project
    ]
