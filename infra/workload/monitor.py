"""The `monitor` role on the cluster: a CronJob that writes reports and exports early warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.batch import v1 as batch
from pulumi_kubernetes.core import v1 as core

from infra.component import Component, Environment
from infra.reports import Reports
from infra.settings.roles import MONITOR, MONITOR_POOL
from infra.settings.service import MonitorSettings, WorkloadSettings
from infra.workload.namespace import Namespace, kubernetes_labels
from infra.workload.pod_monitoring import INTERVAL_SECONDS
from infra.workload.pods import container, pod, service_account

SIGNALS = "signals"
SIGNALS_DIR = "/etc/kingdom"
SIGNALS_FILE = "signals.json"
IMAGE_PATH = "spec.jobTemplate.spec.template.spec.containers[0].image"
MINUTE = 7
DEADLINE_SECONDS = 600
SCRAPE_SECONDS = 3 * INTERVAL_SECONDS
RETRIES = 1
GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class MonitorArgs:
    """The environment, the namespace, the monitor's Google resources, the signals as JSON, and the settings.

    `after` are the resources that precede its pods.
    """

    environment: Environment
    namespace: Namespace
    reports: Reports
    signals: str
    workload: WorkloadSettings
    settings: MonitorSettings
    after: Sequence[pulumi.Resource]


class Monitor(Component):
    """Account, ConfigMap of the signals, and CronJob of the `monitor` role. It mounts no secret.

    The CronJob starts at minute `MINUTE`, because most scheduled jobs start at minute 0.
    """

    def __init__(self, name: str, args: MonitorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:workload:Monitor", name, opts)
        namespace = args.namespace.metadata_name
        labels = kubernetes_labels(args.environment, MONITOR)
        account = service_account(self, MONITOR, args.environment, args.namespace, args.reports.account)
        signals = core.ConfigMap(
            f"{name}-signals",
            metadata={"name": SIGNALS, "namespace": namespace, "labels": labels},
            data={SIGNALS_FILE: args.signals},
            opts=self.child(depends_on=args.namespace.ready),
        )
        batch.CronJob(
            name,
            metadata={"name": MONITOR, "namespace": namespace, "labels": labels},
            spec={
                "schedule": f"{MINUTE} */{args.settings.every_hours} * * *",
                "time_zone": "Etc/UTC",
                "concurrency_policy": "Forbid",  # a second run would exceed the quota
                "starting_deadline_seconds": DEADLINE_SECONDS,
                "successful_jobs_history_limit": 1,
                "failed_jobs_history_limit": 3,
                "job_template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "backoff_limit": RETRIES,
                        # Ends a run that does not stop at its own deadline.
                        "active_deadline_seconds": (RETRIES + 1) * (DEADLINE_SECONDS + GRACE_SECONDS),
                        "template": {"metadata": {"labels": labels}, "spec": _pod(args)},
                    },
                },
            },
            opts=self.child(
                depends_on=[account, signals, *args.reports.ready, *args.after],
                # As for the Deployments: a manual update must not replace the image that runs.
                ignore_changes=[IMAGE_PATH] if args.workload.image.retains_deployed else [],
            ),
        )
        self.register_outputs({})


def _pod(args: MonitorArgs) -> Any:
    """Return the pod of one run."""
    volumes = [{"name": SIGNALS, "config_map": {"name": SIGNALS, "default_mode": 0o444}}]
    resources = args.settings.resources
    return {
        **pod(MONITOR, MONITOR_POOL.value, resources, volumes),
        "restart_policy": "Never",
        "termination_grace_period_seconds": GRACE_SECONDS,
        "containers": [
            container(MONITOR, args.workload.image, resources, variables(args), {SIGNALS: SIGNALS_DIR})
        ],
    }


def variables(args: MonitorArgs) -> dict[str, pulumi.Input[str]]:
    """Return the environment variables that only this role has."""
    return {
        "KINGDOM_ENVIRONMENT": args.environment.name,
        "KINGDOM_LOG_LEVEL": args.workload.log_level.value,
        "KINGDOM_PROMETHEUS_URL": prometheus(args.environment.project),
        "KINGDOM_PROMETHEUS_AUTH": "google",
        "KINGDOM_SIGNALS_FILE": f"{SIGNALS_DIR}/{SIGNALS_FILE}",
        "KINGDOM_REPORT_BUCKET": args.reports.bucket,
        "KINGDOM_STORAGE_ENDPOINT": "https://storage.googleapis.com",
        "KINGDOM_REPORT_SECONDS": str(args.settings.report_hours * 3600),
        "KINGDOM_MONITOR_DEADLINE_SECONDS": str(DEADLINE_SECONDS),
        "KINGDOM_MONITOR_SCRAPE_SECONDS": str(SCRAPE_SECONDS),
    }


def prometheus(project: str) -> str:
    """Return the URL of the Prometheus HTTP API of Google Managed Service for Prometheus."""
    return f"https://monitoring.googleapis.com/v1/projects/{project}/location/global/prometheus"
