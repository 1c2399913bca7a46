"""Monitoring from outside the service: alerts ALR1 to ALR4, SLOs, audit alerts, dashboards, logs.

ALR5 is Atlas' own: see `infra/database/alerts.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import monitoring

from infra.component import Component, Environment
from infra.observability.audit_alerts import AuditAlerts, AuditAlertsArgs
from infra.observability.dashboards import Dashboards, DashboardsArgs
from infra.observability.early_warnings import EarlyWarnings, EarlyWarningsArgs
from infra.observability.log_retention import LogRetention, LogRetentionArgs
from infra.observability.notification_channels import (
    NotificationChannels,
    NotificationChannelsArgs,
    Severity,
    promql,
)
from infra.observability.signals import signals
from infra.observability.slos import Objectives, ObjectivesArgs
from infra.settings.platform import EdgeSettings
from infra.settings.service import ObservabilitySettings


@dataclass(frozen=True, slots=True)
class ObservabilityArgs:
    """The environment, the public host, and the settings."""

    environment: Environment
    edge: EdgeSettings
    namespace: str
    settings: ObservabilitySettings


class Observability(Component):
    """Notification channels, alert policies, objectives, the uptime check, dashboards and the log bucket."""

    def __init__(
        self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kingdom:observability:Observability", name, opts)
        environment, settings = args.environment, args.settings
        channels = NotificationChannels(
            f"{name}-channels", NotificationChannelsArgs(environment, settings), self.child()
        )
        declared = signals(args.namespace, settings)
        for signal in declared.signals.values():
            if not signal.policy or signal.threshold is None:
                continue
            key = signal.requirement.lower()
            for severity, limit in (
                (Severity.WARNING, signal.threshold.warning),
                (Severity.CRITICAL, signal.threshold.critical),
            ):
                channels.alert(
                    self,
                    f"{key}-{severity.lower()}",
                    f"{key.upper()}: {signal.title} above {limit:g}",
                    promql(f"{signal.query} > {limit:g}"),
                    severity,
                    labels={"requirement": key},
                )
        self._uptime(args, channels)
        Objectives(
            f"{name}-objectives",
            ObjectivesArgs(environment, channels, settings.objectives, declared),
            self.child(),
        )
        if settings.monitor is not None:
            EarlyWarnings(
                f"{name}-trends", EarlyWarningsArgs(channels, settings.monitor.every_hours), self.child()
            )
        AuditAlerts(f"{name}-notices", AuditAlertsArgs(channels, args.namespace), self.child())
        Dashboards(
            f"{name}-dashboards",
            DashboardsArgs(environment, declared),
            self.child(),
        )
        LogRetention(f"{name}-logs", LogRetentionArgs(environment, settings.log_days), self.child())
        self.register_outputs({})

    def _uptime(self, args: ObservabilityArgs, channels: NotificationChannels) -> None:
        """Create the uptime check: from three continents, through the edge to the database."""
        monitoring.UptimeCheckConfig(
            self.name,
            display_name=f"{args.edge.hostname} responds",
            timeout="10s",
            period="60s",
            selected_regions=["EUROPE", "USA", "ASIA_PACIFIC"],
            monitored_resource={
                "type": "uptime_url",
                "labels": {"host": args.edge.hostname, "project_id": args.environment.project},
            },
            http_check={
                "path": args.edge.monitor_path,
                "port": args.edge.port,
                "use_ssl": True,  # checked over TLS, as clients connect
                "validate_ssl": True,  # an expired certificate counts as unavailable
            },
            user_labels=args.environment.label("observability"),
            opts=self.child(),
        )
        # The metric has the same name for other kinds of checks, so the filter names the kind.
        checked = f'monitored_resource="uptime_url", host="{args.edge.hostname}"'
        passed = f"monitoring_googleapis_com:uptime_check_check_passed{{{checked}}}"
        channels.alert(
            self,
            "down",
            f"{args.edge.hostname} is unreachable",
            # More than half of the locations at once: a single one may have a network problem.
            promql(f"avg(avg_over_time({passed}[5m])) < 0.5", duration="60s"),
            Severity.CRITICAL,
        )
