"""PromQL queries of ALR1 to ALR4, shared by alerts and dashboards."""

from __future__ import annotations

from dataclasses import dataclass

from infra.observability.slos import REQUESTS, failed
from infra.settings.service import Threshold, ThresholdSettings


@dataclass(frozen=True, slots=True)
class Watched:
    """A requirement's title, its query in the unit of its thresholds, and these."""

    title: str
    query: str
    threshold: Threshold


def signals(namespace: str, thresholds: ThresholdSettings) -> dict[str, Watched]:
    """ALR1 to ALR4 by their ids in lower case."""
    pods = f'namespace_name="{namespace}", monitored_resource="k8s_container"'
    use = "100 * max(avg_over_time(kubernetes_io:container_{}_limit_utilization{{{}}}[5m]))"
    return {
        "alr1": Watched("CPU, percent of the limit", use.format("cpu", pods), thresholds.cpu_percent),
        "alr2": Watched(
            "Memory, percent of the limit",
            use.format("memory", pods + ', memory_type="non-evictable"'),
            thresholds.memory_percent,
        ),
        "alr3": Watched(
            "95th percentile of response time, seconds", quantile(0.95), thresholds.response_seconds
        ),
        "alr4": Watched("Requests that fail, percent", f"100 * {failed('5m')}", thresholds.error_percent),
    }


def quantile(share: float) -> str:
    """Response time that a share of requests stays below, in seconds."""
    return f"histogram_quantile({share:g}, sum by (le) (rate({REQUESTS}_bucket[5m])))"
