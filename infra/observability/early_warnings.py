"""Alerts on the findings that the `monitor` role exports, and on a monitor that exports none."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.component import Component
from infra.observability.notification_channels import NotificationChannels, Severity, promql

OVERLAP_MINUTES = 15
MISSED_RUNS = 3


@dataclass(frozen=True, slots=True)
class EarlyWarningsArgs:
    """The notification channels, and the hours between two runs of the monitor."""

    channels: NotificationChannels
    every_hours: int


class EarlyWarnings(Component):
    """One incident for each line of a signal with a degradation, and one for a missing report."""

    def __init__(
        self, name: str, args: EarlyWarningsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kingdom:observability:EarlyWarnings", name, opts)
        for key, (title, query) in warnings(args.every_hours).items():
            args.channels.alert(self, key, title, promql(query, duration="0s"), Severity.WARNING)
        self.register_outputs({})


def warnings(every_hours: int) -> dict[str, tuple[str, str]]:
    """Title and PromQL of each alert.

    Pods end after a run, so the queries look back to the last run. `OVERLAP_MINUTES` cover the start,
    evaluation and ingestion of the next run, so that a persistent finding is one incident.
    """
    last = f"{every_hours * 60 + OVERLAP_MINUTES}m"
    missed = f"{every_hours * MISSED_RUNS}h"
    return {
        "degradation": (
            "Early warning: a signal has become worse",
            f"count by (signal, line) (last_over_time(kingdom_trend_onset_timestamp_seconds[{last}])) > 0",
        ),
        "monitor-missing": (
            f"No monitoring report for {every_hours * MISSED_RUNS} hours",
            f"absent_over_time(kingdom_trend_report_timestamp_seconds[{missed}])",
        ),
    }
