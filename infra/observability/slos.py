"""TGT1 and TGT3 as service level objectives over 30 days, with burn-rate alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pulumi
from pulumi_gcp import monitoring

from infra.component import Component, Environment
from infra.observability.notification_channels import NotificationChannels, Severity, promql
from infra.observability.signals import Signals
from infra.settings.service import ObjectiveSettings

Burn = Callable[[str], str]

DAYS = 30
# Long window, short window, and burn rate of a 30-day budget: 2 % of it in an hour, 5 % in six (page); 10 %
# in a day or in three (ticket). The short window ends the alert soon after its cause.
BURNS = {
    Severity.CRITICAL: (("1h", "5m", 14.4), ("6h", "30m", 6.0)),
    Severity.WARNING: (("1d", "2h", 3.0), ("3d", "6h", 1.0)),
}
# Metrics of the load balancer: they include requests to an unavailable service.
BALANCER = 'resource.type="https_lb_rule" AND metric.type="loadbalancing.googleapis.com/https/{}"'


@dataclass(frozen=True, slots=True)
class ObjectivesArgs:
    """The environment, the notification channels, the objectives, and the declared signals."""

    environment: Environment
    channels: NotificationChannels
    settings: ObjectiveSettings
    signals: Signals


class Objectives(Component):
    """Objectives for availability and latency, each with burn-rate alerts."""

    def __init__(self, name: str, args: ObjectivesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:observability:Objectives", name, opts)
        settings = args.settings
        labels = args.environment.label("observability")
        service = monitoring.CustomService(
            name,
            service_id="kingdom",
            display_name=f"Kingdom ({args.environment.name})",
            user_labels=labels,
            opts=self.child(),
        )
        monitoring.Slo(
            f"{name}-availability",
            service=service.service_id,
            slo_id="availability",
            display_name=f"{settings.availability_percent:g} % of requests do not fail",
            goal=round(settings.availability_percent / 100, 6),
            rolling_period_days=DAYS,
            request_based_sli={
                "good_total_ratio": {
                    "total_service_filter": BALANCER.format("request_count"),
                    "bad_service_filter": BALANCER.format("request_count")
                    + ' AND metric.labels.response_code_class="500"',
                }
            },
            user_labels=labels,
            opts=self.child(),
        )
        monitoring.Slo(
            f"{name}-latency",
            service=service.service_id,
            slo_id="latency",
            display_name=f"{settings.fast_percent:g} % of requests take {settings.fast_seconds:g} s at most",
            goal=round(settings.fast_percent / 100, 6),
            rolling_period_days=DAYS,
            request_based_sli={
                "distribution_cut": {
                    "distribution_filter": BALANCER.format("total_latencies"),
                    "range": {"min": 0, "max": settings.fast_seconds * 1000},
                }
            },
            user_labels=labels,
            opts=self.child(),
        )
        for objective, failing, allowed in objectives(settings, args.signals):
            for severity, windows in BURNS.items():
                query = " or ".join(
                    f"({failing(long)} > {factor * allowed:g} and {failing(short)} > {factor * allowed:g})"
                    for long, short, factor in windows
                )
                args.channels.alert(
                    self,
                    f"{objective}-burn-{severity.lower()}",
                    f"The error budget of {objective} burns too fast",
                    promql(query, duration="0s"),  # the windows already require a duration
                    severity,
                    labels={"slo": objective},
                )
        self.register_outputs({})


def objectives(settings: ObjectiveSettings, signals: Signals) -> list[tuple[str, Burn, float]]:
    """Return name, share of bad requests as PromQL over a window, and the allowed share."""
    allowed = {
        "availability": 1 - settings.availability_percent / 100,
        "latency": 1 - settings.fast_percent / 100,
    }
    return [(name, partial(signals.bad_share, name), round(allowed[name], 6)) for name in signals.objectives]
