"""Who is told of what: the alerts ALR1 to ALR4 at two severities (ALR5 is the database's own)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pulumi
from pulumi_gcp import monitoring

from infra.component import Component, Environment
from infra.service_settings import ObservabilitySettings, Threshold

_REQUESTS = "kingdom_http_request_seconds"


@dataclass(frozen=True, slots=True)
class ObservabilityArgs:
    """The namespace that is watched, the thresholds, and who hears of them."""

    environment: Environment
    namespace: pulumi.Input[str]
    settings: ObservabilitySettings


class Observability(Component):
    """Notification channels for pages and tickets, and the alert policies of the service."""

    def __init__(
        self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self._labels = args.environment.label("observability")
        addresses = {"warning": args.settings.ticket, "critical": args.settings.page}
        self._channels = {
            severity: monitoring.NotificationChannel(
                f"{name}-{severity}",
                display_name=f"{args.environment.name} {severity}",
                type="email",
                labels={"email_address": address},
                user_labels={**self._labels, "severity": severity},
                opts=self.child(),
            )
            for severity, address in addresses.items()
        }
        thresholds = args.settings.thresholds
        namespace = pulumi.Output.from_input(args.namespace)
        self._alert("alr1", "CPU", thresholds.cpu_percent, namespace.apply(_utilisation("cpu")), "%")
        self._alert("alr2", "memory", thresholds.memory_percent, namespace.apply(_utilisation("memory")), "%")
        self._alert(
            "alr3",
            "95th percentile of response time",
            thresholds.response_seconds,
            f"histogram_quantile(0.95, sum by (le) (rate({_REQUESTS}_bucket[5m])))",
            " s",
        )
        self._alert(
            "alr4",
            "error rate",
            thresholds.error_percent,
            f'100 * sum(rate({_REQUESTS}_count{{status=~"5.."}}[5m])) / sum(rate({_REQUESTS}_count[5m]))',
            "%",
        )
        self.register_outputs({})

    def _alert(
        self, requirement: str, what: str, limits: Threshold, query: pulumi.Input[str], unit: str
    ) -> None:
        for severity, limit in (("warning", limits.warning), ("critical", limits.critical)):
            monitoring.AlertPolicy(
                f"{self.name}-{requirement}-{severity}",
                display_name=f"{what} above {limit:g}{unit}",
                combiner="OR",
                severity=severity.upper(),
                conditions=[
                    {
                        "display_name": f"{what} above {limit:g}{unit} for 5 minutes",
                        "condition_prometheus_query_language": {
                            "query": pulumi.Output.format("{0} > {1}", query, f"{limit:g}"),
                            "duration": "300s",
                            "evaluation_interval": "60s",
                        },
                    }
                ],
                notification_channels=[self._channels[severity].name],
                # An incident whose cause is over must not stay open and hide the next one.
                alert_strategy={"auto_close": "1800s"},
                user_labels={**self._labels, "requirement": requirement, "severity": severity},
                opts=self.child(),
            )


def _utilisation(resource: str) -> Callable[[str], str]:
    """The fullest container's use of its limit, in percent, as GKE's system metrics have it."""

    def query(namespace: str) -> str:
        selector = f'monitored_resource="k8s_container",namespace_name="{namespace}"'
        if resource == "memory":
            selector += ',memory_type="non-evictable"'
        metric = f"kubernetes_io:container_{resource}_limit_utilization"
        return f"100 * max by (container_name) ({metric}{{{selector}}})"

    return query
