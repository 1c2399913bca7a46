"""Informational alerts: limits reached, and changes of access and audit settings."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.component import Component
from infra.observability.notification_channels import NotificationChannels, Severity, promql

CERTIFICATE_DAYS = 21

# Changes that grant access or hide that it was used (CIS Google Cloud 2.4 to 2.10), and a shell in a pod.
CHANGES = {
    "permissions": (
        "Permissions of the project changed",
        'protoPayload.methodName="SetIamPolicy" AND resource.type="project"',
    ),
    "audit": (
        "Audit configuration changed",
        'protoPayload.methodName="SetIamPolicy" AND protoPayload.serviceData.policyDelta.auditConfigDeltas:*',
    ),
    "firewall": (
        "A firewall rule changed",
        'resource.type="gce_firewall_rule" AND protoPayload.methodName:*',
    ),
    "routes": ("A route changed", 'resource.type="gce_route" AND protoPayload.methodName:*'),
    "network": ("The network changed", 'resource.type="gce_network" AND protoPayload.methodName:*'),
    "bucket": (
        "Permissions of a bucket changed",
        'resource.type="gcs_bucket" AND protoPayload.methodName="storage.setIamPermissions"',
    ),
    "shell": (
        "Shell opened in a pod",
        'resource.type="k8s_cluster" AND protoPayload.methodName="io.k8s.core.v1.pods.exec.create"',
    ),
    "refused-image": (
        "An image of another registry was rejected",
        'resource.type="k8s_cluster" AND protoPayload.response.reason="VIOLATES_POLICY"',
    ),
}


@dataclass(frozen=True, slots=True)
class AuditAlertsArgs:
    """The notification channel, and the namespace of the service."""

    channels: NotificationChannels
    namespace: str


class AuditAlerts(Component):
    """Informational alerts from metrics and from the audit log."""

    def __init__(self, name: str, args: AuditAlertsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:observability:Notices", name, opts)
        for key, (title, query) in measured(args.namespace).items():
            args.channels.alert(self, key, title, promql(query, duration="600s"), Severity.INFO)
        for key, (title, found) in CHANGES.items():
            args.channels.alert(
                self,
                key,
                title,
                {"display_name": "", "condition_matched_log": {"filter": found}},
                Severity.INFO,
                # A deployment causes many events at once; one notification is enough.
                strategy={"auto_close": "3600s", "notification_rate_limit": {"period": "300s"}},
            )
        self.register_outputs({})


def measured(namespace: str) -> dict[str, tuple[str, str]]:
    """Title and PromQL of each alert that is based on a metric."""
    pods = f'namespace="{namespace}"'
    return {
        "scaled-out": (
            "HPA at maxReplicas for 10 minutes",
            (
                f"kube_horizontalpodautoscaler_status_current_replicas{{{pods}}}"
                f" >= kube_horizontalpodautoscaler_spec_max_replicas{{{pods}}}"
            ),
        ),
        "waiting": (
            "Pods pending for 10 minutes",
            f'sum(kube_pod_status_phase{{{pods}, phase="Pending"}}) > 0',
        ),
        "restarts": (
            "Container restarted",
            f'sum(increase(kubernetes_io:container_restart_count{{namespace_name="{namespace}"}}[10m])) > 0',
        ),
        "certificate": (
            f"The TLS certificate expires within {CERTIFICATE_DAYS} days",
            (
                "min(monitoring_googleapis_com:uptime_check_time_until_ssl_cert_expires"
                f'{{monitored_resource="uptime_url"}}) < {CERTIFICATE_DAYS}'
            ),
        ),
    }
