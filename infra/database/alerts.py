"""Alerts of Atlas itself: connections (ALR5), disk, replication lag and certificates."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_mongodbatlas as atlas

from infra.component import Component
from infra.observability.notification_channels import Severity
from infra.settings.service import ObservabilitySettings

CERTIFICATE_DAYS = 30  # enough to plan a rotation (docs/runbooks/rotation.md)


@dataclass(frozen=True, slots=True)
class DatabaseAlertsArgs:
    """The Atlas project, the thresholds, and the alert recipients."""

    project: pulumi.Input[str]
    settings: ObservabilitySettings


class DatabaseAlerts(Component):
    """Alert configurations at two severities, and notices of events of the cluster."""

    def __init__(
        self, name: str, args: DatabaseAlertsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kingdom:database:DatabaseAlerts", name, opts)
        self._args = args
        connections = args.settings.thresholds.database_connections_percent
        metrics = {
            "connections": ("CONNECTIONS_PERCENT", connections.warning, connections.critical),
            "disk": ("DISK_PARTITION_SPACE_USED_DATA", 75.0, 90.0),
            "cpu": ("NORMALIZED_SYSTEM_CPU_USER", 80.0, 90.0),
        }
        for key, (metric, warning, critical) in metrics.items():
            for severity, threshold in ((Severity.WARNING, warning), (Severity.CRITICAL, critical)):
                atlas.AlertConfiguration(
                    f"{name}-{key}-{severity.lower()}",
                    project_id=args.project,
                    event_type="OUTSIDE_METRIC_THRESHOLD",
                    enabled=True,
                    severity_override=severity.value,
                    metric_threshold_config={
                        "metric_name": metric,
                        "mode": "AVERAGE",
                        "operator": "GREATER_THAN",
                        "threshold": threshold,
                        "units": "RAW",
                    },
                    notifications=[self._notify(severity)],
                    opts=self.child(),
                )
        for key, (event, severity) in {
            "no-primary": ("NO_PRIMARY", Severity.CRITICAL),
            "failover": ("PRIMARY_ELECTED", Severity.INFO),
            "key": ("GCP_ENCRYPTION_KEY_NEEDS_ROTATION", Severity.WARNING),
        }.items():
            atlas.AlertConfiguration(
                f"{name}-{key}",
                project_id=args.project,
                event_type=event,
                enabled=True,
                severity_override=severity.value,
                notifications=[self._notify(severity)],
                opts=self.child(),
            )
        # The service authenticates with a certificate that expires: the alert fires before sign-ins fail.
        atlas.AlertConfiguration(
            f"{name}-certificate",
            project_id=args.project,
            event_type="NDS_X509_USER_AUTHENTICATION_MANAGED_USER_CERTS_EXPIRATION_CHECK",
            enabled=True,
            severity_override=Severity.WARNING.value,
            threshold_config={"operator": "LESS_THAN", "threshold": CERTIFICATE_DAYS, "units": "DAYS"},
            notifications=[self._notify(Severity.WARNING)],
            opts=self.child(),
        )
        self.register_outputs({})

    def _notify(self, severity: Severity) -> atlas.AlertConfigurationNotificationArgsDict:
        settings = self._args.settings
        return {
            "type_name": "EMAIL",
            "email_address": severity.address(settings),
            "delay_min": 0,
            "interval_min": 15 if severity is Severity.CRITICAL else 60,
        }
