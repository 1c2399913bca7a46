"""Backups of what is on the cluster, and the way back from them."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import gkebackup

from infra.cluster import Cluster
from infra.component import Component, Environment
from infra.kms import Keys, Use
from infra.settings.service import BackupSettings


@dataclass(frozen=True, slots=True)
class BackupArgs:
    """The environment, the keys, the cluster to save, the namespace to restore, and its settings."""

    environment: Environment
    keys: Keys
    cluster: Cluster
    namespace: str
    settings: BackupSettings


class Backup(Component):
    """Backup plan of the whole cluster, and a restore plan for the namespace of the service."""

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:cluster_backup:Backup", name, opts)
        environment, settings = args.environment, args.settings
        plan = gkebackup.BackupPlan(
            name,
            name="kingdom",
            description="Every object on the cluster, and its volumes",
            location=environment.region,
            cluster=args.cluster.cluster_id,
            backup_schedule={"cron_schedule": settings.cron, "paused": False},  # a paused plan saves nothing
            backup_config={
                "all_namespaces": True,
                "include_volume_data": True,
                # The service's secrets are in Secret Manager; the cluster creates its own tokens again.
                "include_secrets": False,
                # A backup that skips unreadable objects would look complete.
                "permissive_mode": False,
                # A copied backup cannot be read without the key.
                "encryption_key": {"gcp_kms_encryption_key": args.keys.ids[Use.BACKUPS]},
            },
            retention_policy={
                "backup_retain_days": settings.keep_days,
                # A recent backup cannot be deleted, not even by an administrator.
                "backup_delete_lock_days": settings.lock_days,
            },
            labels=environment.label("backup"),
            opts=self.child(protect=environment.protect, depends_on=args.keys.ready[Use.BACKUPS]),
        )
        gkebackup.RestorePlan(
            name,
            name="kingdom",
            description="The namespace of the service",
            location=environment.region,
            backup_plan=plan.id,
            cluster=args.cluster.cluster_id,
            restore_config={
                "selected_namespaces": {"namespaces": [args.namespace]},
                # Into an empty namespace: existing objects are not overwritten.
                "namespaced_resource_restore_mode": "FAIL_ON_CONFLICT",
                "volume_data_restore_policy": "RESTORE_VOLUME_DATA_FROM_BACKUP",
                # Cluster-scoped objects that pods refer to; an existing one is newer.
                "cluster_resource_restore_scope": {
                    "selected_group_kinds": [
                        {"resource_group": "scheduling.k8s.io", "resource_kind": "PriorityClass"}
                    ]
                },
                "cluster_resource_conflict_policy": "USE_EXISTING_VERSION",
            },
            labels=environment.label("backup"),
            opts=self.child(),
        )
        self.register_outputs({})
