"""Notification channels: pages, tickets, and informational notices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pulumi
from pulumi_gcp import monitoring

from infra.component import Component, Environment
from infra.settings.service import ObservabilitySettings


class Severity(StrEnum):
    """Severity of an alert; each has its own address."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"

    def address(self, settings: ObservabilitySettings) -> str:
        """Return the address of the severity's channel."""
        return {
            Severity.INFO: settings.info,
            Severity.WARNING: settings.ticket,
            Severity.CRITICAL: settings.page,
        }[self]


@dataclass(frozen=True, slots=True)
class NotificationChannelsArgs:
    """The environment and the addresses."""

    environment: Environment
    settings: ObservabilitySettings


class NotificationChannels(Component):
    """A notification channel for each severity, and the alert policies that use them."""

    def __init__(
        self, name: str, args: NotificationChannelsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kingdom:observability:Channels", name, opts)
        self.environment = args.environment
        self._names = {
            severity: monitoring.NotificationChannel(
                f"{name}-{severity.lower()}",
                type="email",
                display_name=f"{severity.title()} in {args.environment.name}",
                labels={"email_address": severity.address(args.settings)},
                user_labels=args.environment.label("observability"),
                opts=self.child(),
            ).name
            for severity in Severity
        }
        self.register_outputs({})

    def alert(
        self,
        parent: Component,
        key: str,
        title: str,
        condition: monitoring.AlertPolicyConditionArgsDict,
        severity: Severity,
        *,
        labels: dict[str, str] | None = None,
        strategy: monitoring.AlertPolicyAlertStrategyArgsDict | None = None,
    ) -> None:
        """Create an alert policy that notifies the channel of `severity` when `condition` holds.

        `parent` owns the policy. A notice has no severity: Cloud Monitoring has none below a warning.
        """
        environment = self.environment
        monitoring.AlertPolicy(
            f"{parent.name}-{key}",
            display_name=f"{title} ({environment.name})",
            combiner="OR",
            severity=None if severity is Severity.INFO else severity.value,
            conditions=[{**condition, "display_name": title}],
            notification_channels=[self._names[severity]],
            documentation={
                "subject": f"{environment.name}: {title}",
                "content": f"Runbook: `{page_of(key)}` in the repository.",
                "mime_type": "text/markdown",
            },
            alert_strategy=strategy or {"auto_close": "86400s"},
            user_labels={
                **environment.label("observability"),
                **(labels or {}),
                "severity": severity.lower(),
            },
            opts=parent.child(),
        )


def page_of(key: str) -> str:
    """Return the section of docs/operating.md about the alert `key`, which both severities share."""
    for severity in Severity:
        key = key.removesuffix(f"-{severity.lower()}")
    return f"docs/operating.md#{key}"


def promql(query: str, duration: str = "300s") -> monitoring.AlertPolicyConditionArgsDict:
    """A condition that holds when a PromQL query has had a result for `duration`."""
    return {
        "display_name": "",
        "condition_prometheus_query_language": {
            "query": query,
            "duration": duration,
            "evaluation_interval": "60s",
            # The metric does not exist before the service has run.
            "disable_metric_validation": True,
        },
    }
