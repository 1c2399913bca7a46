"""Gauges of findings: one series for each, and no value where there is none."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from app.monitoring.findings import Finding
from app.monitoring.trend_metrics import TrendMetrics
from app.monitoring.trends import Change


def exported(*findings: Finding) -> list[str]:
    registry = CollectorRegistry()
    registry.register(TrendMetrics(findings, 7200.0))
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_a_run_without_findings_exports_its_time() -> None:
    assert exported() == ["kingdom_trend_findings 0.0", "kingdom_trend_report_timestamp_seconds 7200.0"]


def test_a_change_from_zero_has_no_ratio_and_a_shift_no_time_to_the_threshold() -> None:
    shift = Finding(
        "cache-hits", "Cache hits", "feed", "%", Change("shift", 3600.0, 80.0, 60.0, 0.0), 36_000.0
    )
    trend = Finding(
        "queue-age", "Age", "", "s", Change("trend", 1800.0, 0.0, 5.0, 0.0), 36_000.0, 10.0, (1.5, None)
    )
    assert exported(shift, trend)[:4] == [
        'kingdom_trend_onset_timestamp_seconds{line="feed",signal="cache-hits"} 3600.0',
        'kingdom_trend_onset_timestamp_seconds{line="",signal="queue-age"} 1800.0',
        'kingdom_trend_change_ratio{line="feed",signal="cache-hits"} -0.25',
        'kingdom_trend_threshold_seconds{line="",signal="queue-age"} 5400.0',
    ]
