"""Custom metrics of pods, read from their Prometheus endpoints for autoscalers."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from rehearsal.host.desired_state import DesiredStore
from rehearsal.host.processes.ports import LOOPBACK


@dataclass(frozen=True)
class MetricSample:
    """One sample of a Prometheus exposition."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse(text: str) -> list[MetricSample]:
    """Parse a Prometheus text exposition. Raises ValueError if it is malformed."""
    return [
        MetricSample(sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


class UndeclaredMetricError(Exception):
    """An autoscaler uses a metric that no declared resource exposes; the message names it."""


@dataclass(frozen=True)
class MetricSource:
    """Source of a metric: its Prometheus name, the pod's port (None: its first), path and label filter.

    `selector` are the labels of the pods that expose it.
    """

    name: str
    port: str | int | None = None
    path: str = "/metrics"
    labels: tuple[tuple[str, str], ...] = ()
    selector: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, declared: str, namespace: str, store: DesiredStore) -> MetricSource:
        """Create the source of a metric named in an HPA. Raises UndeclaredMetricError.

        GKE writes `autoscaling.gke.io|<AutoscalingMetric>|<metric>` for metrics that pods report, and
        `prometheus.googleapis.com|<name>|<kind>` for metrics collected by Managed Service for Prometheus.
        """
        parts = declared.split("|")
        if len(parts) != 3:
            return cls(declared)
        if parts[0] != "autoscaling.gke.io":
            return cls(parts[1])
        found = store.find("AutoscalingMetric", namespace, parts[1])
        if found is None:
            raise UndeclaredMetricError(f"AutoscalingMetric {namespace}/{parts[1]} does not exist")
        for item in found.spec.get("metrics") or []:
            pod = item.get("pod") or {}
            for container in pod.get("containers") or []:
                endpoint = container.get("endpoint") or {}
                for gauge in (metric.get("gauge") or {} for metric in container.get("metrics") or []):
                    if gauge.get("name") == parts[2]:
                        return cls(
                            gauge.get("prometheusMetricName") or parts[2],
                            endpoint.get("port"),
                            endpoint.get("path") or "/metrics",
                            _pairs(gauge.get("filter")),
                            _pairs(pod.get("selector")),
                        )
        raise UndeclaredMetricError(f"AutoscalingMetric {namespace}/{parts[1]} exposes no gauge {parts[2]}")


def _pairs(selector: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(((selector or {}).get("matchLabels") or {}).items()))


@dataclass
class Counters:
    """Last counter values of one pod, to compute rates; the first read yields none."""

    _seen: dict[str, tuple[float, float]] = field(default_factory=dict)

    def value(
        self, source: MetricSource, selector: Mapping[str, str], series: list[MetricSample]
    ) -> float | None:
        """Return the sum of a gauge, or the rate per second of a counter (`…_total`).

        None if not measured.
        """
        wanted = {**dict(source.labels), **selector}
        values = [
            item.value
            for item in series
            if item.name == source.name
            and all(item.labels.get(key) == value for key, value in wanted.items())
        ]
        total = sum(values)
        # Client libraries expose a gauge that was never set as NaN.
        if not values or not math.isfinite(total):
            return None
        if not source.name.endswith("_total"):
            return total
        now = time.monotonic()
        key = f"{source.name}{sorted(wanted.items())}"
        before = self._seen.get(key)
        self._seen[key] = (now, total)
        if before is None or total < before[1] or now <= before[0]:
            return None
        return (total - before[1]) / (now - before[0])


async def scrape(port: int, path: str = "/metrics") -> list[MetricSample]:
    """Return the samples that a pod exposes; [] if it does not respond with metrics within two seconds."""
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        async with asyncio.timeout(2.0):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                _, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
            return parse(body.decode(errors="replace"))
    return []
