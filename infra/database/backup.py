"""Database snapshots: frequency, retention, copies in another region, and protection from deletion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_mongodbatlas as atlas

from infra.component import Component, Environment
from infra.settings.platform import AtlasBackupSettings, CustodianSettings, DatabaseSettings

WEEKLY_ON_SATURDAY = 6
MONTHLY_ON_THE_LAST_DAY = 40


@dataclass(frozen=True, slots=True)
class DatabaseBackupArgs:
    """The environment, the Atlas project and cluster, and the database's settings."""

    environment: Environment
    project: pulumi.Input[str]
    cluster: atlas.AdvancedCluster
    settings: DatabaseSettings


class DatabaseBackup(Component):
    """Backup schedule with copies in another region; if a custodian is set, also a compliance policy."""

    def __init__(
        self, name: str, args: DatabaseBackupArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kingdom:database:DatabaseBackup", name, opts)
        protect, settings = args.environment.protect, args.settings
        backup = settings.backup
        schedule = atlas.CloudBackupSchedule(
            name,
            project_id=args.project,
            cluster_name=args.cluster.name,
            reference_hour_of_day=2,
            reference_minute_of_hour=0,
            restore_window_days=backup.restore_days,
            policy_item_hourly=retention("days", backup.hourly_days, backup.hourly_every),
            policy_item_daily=retention("days", backup.daily_days),
            policy_item_weeklies=[retention("weeks", backup.weekly_weeks, WEEKLY_ON_SATURDAY)],
            policy_item_monthlies=[retention("months", backup.monthly_months, MONTHLY_ON_THE_LAST_DAY)],
            # Each copy policy item has its own retention; a list of frequencies alone is deprecated.
            copy_policy_items_enabled=backup.copy_region is not None,
            copy_settings=copies(args) if backup.copy_region else None,
            # A deleted schedule would delete its snapshots; under a compliance policy it cannot be deleted.
            skip_destroy=protect or settings.custodian is not None,
            opts=self.child(protect=protect),
        )
        if settings.custodian is not None:
            self._compliance(args, settings.custodian, schedule)
        self.register_outputs({})

    def _compliance(
        self, args: DatabaseBackupArgs, custodian: CustodianSettings, schedule: atlas.CloudBackupSchedule
    ) -> None:
        """Protect snapshots from deletion and from shorter retention, even with a stolen key."""
        backup = args.settings.backup
        atlas.BackupCompliancePolicy(
            self.name,
            project_id=args.project,
            authorized_email=custodian.email,
            authorized_user_first_name=custodian.first_name,
            authorized_user_last_name=custodian.last_name,
            copy_protection_enabled=backup.copy_region is not None,
            encryption_at_rest_enabled=args.settings.customer_key,
            pit_enabled=args.settings.point_in_time_recovery,
            restore_window_days=backup.restore_days,
            on_demand_policy_item=retention("days", backup.daily_days),
            policy_item_daily=retention("days", backup.daily_days),
            policy_item_weeklies=[retention("weeks", backup.weekly_weeks, WEEKLY_ON_SATURDAY)],
            policy_item_monthlies=[retention("months", backup.monthly_months, MONTHLY_ON_THE_LAST_DAY)],
            # Only MongoDB's support can disable the policy: a destroy would fail.
            opts=self.child(protect=args.environment.protect, retain_on_delete=True, depends_on=[schedule]),
        )


def retention(unit: str, value: int, interval: int = 1) -> Any:
    """Return a policy item: snapshots at `interval`, retained for `value` units (days, weeks or months).

    The SDK has a type for each frequency; all have these fields.
    """
    return {"frequency_interval": interval, "retention_unit": unit, "retention_value": value}


def copies(args: DatabaseBackupArgs) -> list[atlas.CloudBackupScheduleCopySettingArgsDict]:
    """Copy daily and weekly snapshots to another region, so that the loss of one region loses no data."""
    backup: AtlasBackupSettings = args.settings.backup
    return [
        {
            "cloud_provider": "GCP",
            "region_name": backup.copy_region,
            # A copy has the same retention as its snapshot.
            "copy_policy_items": [
                {
                    "frequency_type": "daily",
                    "retention_unit": "days",
                    "retention_value": backup.daily_days,
                },
                {
                    "frequency_type": "weekly",
                    "retention_unit": "weeks",
                    "retention_value": backup.weekly_weeks,
                },
            ],
            "should_copy_oplogs": args.settings.point_in_time_recovery,
            "zone_id": args.cluster.replication_specs.apply(lambda specs: specs[0].zone_id or ""),
        }
    ]
