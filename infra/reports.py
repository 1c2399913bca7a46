"""Monitoring reports: their private bucket, and the identity of the `monitor` role that writes to it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import projects, storage

from infra.component import Component, Environment
from infra.kms import Keys, Use
from infra.service_identity import workload_identity
from infra.settings.roles import MONITOR
from infra.settings.service import MonitorSettings

VIEWER = "roles/monitoring.viewer"
RECOVERY_DAYS = 7


@dataclass(frozen=True, slots=True)
class ReportsArgs:
    """The environment, the keys, the namespace of the service, and the settings of the monitor."""

    environment: Environment
    keys: Keys
    namespace: str
    settings: MonitorSettings


class Reports(Component):
    """Bucket of reports and identity of the monitor, which reads metrics and creates objects.

    `bucket` is the name, `account` the identity's e-mail address; `ready` precedes the first run.
    """

    def __init__(self, name: str, args: ReportsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:reports:Reports", name, opts)
        environment = args.environment
        bucket = storage.Bucket(
            name,
            name=f"{environment.project}-reports",
            location=environment.region.upper(),
            storage_class="STANDARD",
            uniform_bucket_level_access=True,  # access by IAM only, without ACLs of objects
            public_access_prevention="enforced",  # cannot be made public by mistake
            force_destroy=False,  # a bucket with objects is not deleted
            encryption={"default_kms_key_name": args.keys.ids[Use.REPORTS]},
            versioning={"enabled": True},  # a deleted report can be restored
            soft_delete_policy={"retention_duration_seconds": RECOVERY_DAYS * 86_400},
            lifecycle_rules=lifecycle(args.settings.keep_days),
            labels=environment.label("reports"),
            opts=self.child(protect=environment.protect, depends_on=args.keys.ready[Use.REPORTS]),
        )
        account, federated = workload_identity(self, MONITOR, environment, args.namespace)
        reads = projects.IAMMember(
            f"{name}-monitor-metrics",
            project=environment.project,
            role=VIEWER,
            member=account.member,
            opts=self.child(),
        )
        # The identity cannot read, replace or delete the reports that it has written.
        writes = storage.BucketIAMMember(
            f"{name}-monitor-objects",
            bucket=bucket.name,
            role="roles/storage.objectCreator",
            member=account.member,
            opts=self.child(),
        )
        self.bucket = bucket.name
        self.account = account.email
        self.ready: list[pulumi.Resource] = [federated, reads, writes]
        self.register_outputs({"bucket": self.bucket})


def lifecycle(keep_days: int) -> list[storage.BucketLifecycleRuleArgsDict]:
    """Return the rules that delete reports after `keep_days`, and their old versions a week later."""
    return [
        {"action": {"type": "Delete"}, "condition": {"age": keep_days, "with_state": "LIVE"}},
        {
            "action": {"type": "Delete"},
            "condition": {"days_since_noncurrent_time": RECOVERY_DAYS, "with_state": "ARCHIVED"},
        },
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 1}},
    ]
