"""Who is told what: alerts ALR1 to ALR4 at two severities, burn-rate alerts, and an uptime check.

ALR5 is Atlas' own: see `infra/database_alerts.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pulumi
from pulumi_gcp import monitoring

from infra.component import Component, Environment
from infra.database_alerts import Severity
from infra.logs import Logs, LogsArgs
from infra.platform_settings import EdgeSettings
from infra.service_settings import ObjectiveSettings, ObservabilitySettings, Threshold

Burn = Callable[[str], str]

REQUESTS = "kingdom_http_request_seconds"
# Long window, short window, and how many times faster than allowed a 30-day budget is spent: 2 % of it in an
# hour, 5 % in six (page); 10 % in a day or in three (ticket). The short window ends the alert with its cause.
BURNS = {
    Severity.CRITICAL: (("1h", "5m", 14.4), ("6h", "30m", 6.0)),
    Severity.WARNING: (("1d", "2h", 3.0), ("3d", "6h", 1.0)),
}


@dataclass(frozen=True, slots=True)
class ObservabilityArgs:
    """The environment, where it is reached, and its settings."""

    environment: Environment
    edge: EdgeSettings
    namespace: str
    settings: ObservabilitySettings


class Observability(Component):
    """Notification channels, alert policies and the uptime check."""

    def __init__(
        self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        settings = args.settings
        self._args = args
        self._channels = {
            severity: monitoring.NotificationChannel(
                f"{name}-{severity.lower()}",
                type="email",
                display_name=f"{severity.title()} in {args.environment.name}",
                labels={"email_address": address},
                user_labels=args.environment.label("observability"),
                opts=self.child(),
            )
            for severity, address in (
                (Severity.CRITICAL, settings.page),
                (Severity.WARNING, settings.ticket),
            )
        }
        limits = settings.thresholds
        for requirement, title, threshold in (
            ("alr1", "CPU, percent of the limit", limits.cpu_percent),
            ("alr2", "Memory, percent of the limit", limits.memory_percent),
            ("alr3", "95th percentile of response time, seconds", limits.response_seconds),
            ("alr4", "Requests that fail, percent", limits.error_percent),
        ):
            self._threshold(requirement, title, signals(args.namespace)[requirement], threshold)
        for objective, failing, allowed in objectives(settings.objectives):
            for severity, windows in BURNS.items():
                query = " or ".join(
                    f"({failing(long)} > {factor * allowed:g} and {failing(short)} > {factor * allowed:g})"
                    for long, short, factor in windows
                )
                self._alert(
                    f"{objective}-burn-{severity.lower()}",
                    f"The error budget of {objective} burns too fast",
                    query,
                    severity,
                    {"slo": objective},
                    "0s",  # the windows themselves are the patience
                )
        Logs(f"{name}-logs", LogsArgs(args.environment, settings.log_days), self.child())
        monitoring.UptimeCheckConfig(
            name,
            display_name=f"{args.edge.hostname} answers",
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
                "use_ssl": True,
                "validate_ssl": True,  # an expired certificate is an outage
            },
            user_labels=args.environment.label("observability"),
            opts=self.child(),
        )
        self.register_outputs({})

    def _threshold(self, requirement: str, title: str, signal: str, threshold: Threshold) -> None:
        for severity, limit in (
            (Severity.WARNING, threshold.warning),
            (Severity.CRITICAL, threshold.critical),
        ):
            self._alert(
                f"{requirement}-{severity.lower()}",
                f"{requirement.upper()}: {title} above {limit:g}",
                f"{signal} > {limit:g}",
                severity,
                {"requirement": requirement},
                "300s",
            )

    def _alert(
        self, key: str, title: str, query: str, severity: Severity, labels: dict[str, str], duration: str
    ) -> None:
        environment = self._args.environment
        monitoring.AlertPolicy(
            f"{self.name}-{key}",
            display_name=f"{title} ({environment.name})",
            combiner="OR",
            severity=severity.value,
            conditions=[
                {
                    "display_name": title,
                    "condition_prometheus_query_language": {
                        "query": query,
                        "duration": duration,
                        "evaluation_interval": "60s",
                        # The metric is there only once the service has run.
                        "disable_metric_validation": True,
                    },
                }
            ],
            notification_channels=[self._channels[severity].name],
            alert_strategy={"auto_close": "86400s"},
            user_labels={**environment.label("observability"), **labels, "severity": severity.lower()},
            opts=self.child(),
        )


def signals(namespace: str) -> dict[str, str]:
    """PromQL of what each requirement watches, in the unit of its thresholds."""
    pods = f'namespace_name="{namespace}", monitored_resource="k8s_container"'
    use = "100 * max(avg_over_time(kubernetes_io:container_{}_limit_utilization{{{}}}[5m]))"
    return {
        "alr1": use.format("cpu", pods),
        "alr2": use.format("memory", pods + ', memory_type="non-evictable"'),
        "alr3": f"histogram_quantile(0.95, sum by (le) (rate({REQUESTS}_bucket[5m])))",
        "alr4": f"100 * {failed('5m')}",
    }


def failed(window: str) -> str:
    """Share of requests that the platform failed within a window."""
    return f'sum(rate({REQUESTS}_count{{status=~"5.."}}[{window}])) / sum(rate({REQUESTS}_count[{window}]))'


def objectives(settings: ObjectiveSettings) -> list[tuple[str, Burn, float]]:
    """Name, share of bad requests as PromQL over a window, and the share that is allowed."""

    def slow(window: str) -> str:
        fast = f'sum(rate({REQUESTS}_bucket{{le="{settings.fast_seconds:g}"}}[{window}]))'
        return f"(1 - {fast} / sum(rate({REQUESTS}_count[{window}])))"

    return [
        ("availability", failed, round(1 - settings.availability_percent / 100, 6)),
        ("latency", slow, round(1 - settings.fast_percent / 100, 6)),
    ]
