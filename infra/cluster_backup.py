"""Backup for GKE: scheduled backups of the cluster, and a restore plan for the service."""

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
    """The environment, the keys, the cluster, the namespace to restore, and the settings."""

    environment: Environment
    keys: Keys
    cluster: Cluster
    namespace: str
    settings: BackupSettings


class Backup(Component):
    """Backup plan of the whole cluster, and a restore plan for the service's namespace."""

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:cluster_backup:Backup", name, opts)
        environment, settings = args.environment, args.settings
        plan = gkebackup.BackupPlan(
            name,
            name="kingdom",
            description="Every object on the cluster, and its volumes",
            location=environment.region,
            cluster=args.cluster.cluster_id,
            # A paused plan creates no backups.
            backup_schedule={"cron_schedule": settings.cron, "paused": False},
            backup_config={
                "all_namespaces": True,
                "include_volume_data": True,
                # Kubernetes Secrets are left out: the service's are in Secret Manager, and the cluster
                # recreates its tokens.
                "include_secrets": False,
                # Fail a backup with unreadable objects; otherwise it would be incomplete without a notice.
                "permissive_mode": False,
                # A copied backup cannot be decrypted without the key.
                "encryption_key": {"gcp_kms_encryption_key": args.keys.ids[Use.BACKUPS]},
            },
            retention_policy={
                "backup_retain_days": settings.keep_days,
                # Backups younger than `lockDays` cannot be deleted, not even by an administrator.
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
                # Restores into a namespace without these objects: existing objects are not overwritten.
                "namespaced_resource_restore_mode": "FAIL_ON_CONFLICT",
                "volume_data_restore_policy": "RESTORE_VOLUME_DATA_FROM_BACKUP",
                # Cluster-scoped objects that pods refer to; existing ones are newer and are not replaced.
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
