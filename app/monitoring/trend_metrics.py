"""Gauges of the monitor: the findings of its last run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.monitoring.findings import Finding


class TrendMetrics(Collector):
    """Exports `findings` of a report whose period ended at `end`, in seconds since 1970.

    `signal` and `line` name the finding: a declared signal and the labels of its series.
    """

    def __init__(self, findings: Sequence[Finding], end: float) -> None:
        self._findings = tuple(findings)
        self._end = end

    def collect(self) -> Iterator[Metric]:
        labels = ("signal", "line")
        change = GaugeMetricFamily(
            "kingdom_trend_change_ratio", "Change relative to the value before the onset.", labels=labels
        )
        onset = GaugeMetricFamily(
            "kingdom_trend_onset_timestamp_seconds", "When the change began, Unix time.", labels=labels
        )
        threshold = GaugeMetricFamily(
            "kingdom_trend_threshold_seconds",
            "Seconds until the warning threshold is reached, at the earliest.",
            labels=labels,
        )
        for finding in self._findings:
            values = (finding.signal, finding.line)
            onset.add_metric(values, finding.change.onset)
            if math.isfinite(finding.change.relative):
                change.add_metric(values, finding.change.relative)
            if finding.hours is not None:
                threshold.add_metric(values, finding.hours[0] * 3600)
        yield from (onset, change, threshold)
        yield GaugeMetricFamily(
            "kingdom_trend_findings", "Degradations found by the last run.", value=len(self._findings)
        )
        yield GaugeMetricFamily(
            "kingdom_trend_report_timestamp_seconds",
            "End of the period of the report, Unix time.",
            value=self._end,
        )
