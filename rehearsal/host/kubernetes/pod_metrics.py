"""Metrics that pods expose at /metrics, as an autoscaler reads them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from rehearsal.host.desired_state import Store
from rehearsal.host.processes.ports import LOOPBACK


@dataclass(frozen=True)
class Series:
    """One line of a Prometheus exposition."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse(text: str) -> list[Series]:
    """The series of a Prometheus text exposition. Raises ValueError for another form."""
    return [
        Series(sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


class UndeclaredError(Exception):
    """An autoscaler declares a metric that no pod exposes; the message names it."""


@dataclass(frozen=True)
class Source:
    """Source of a metric: its Prometheus name, the pod's port (None: its first), path and label filter.

    `selector` are labels of the pods that expose it; those of others have no such metric.
    """

    name: str
    port: str | int | None = None
    path: str = "/metrics"
    labels: tuple[tuple[str, str], ...] = ()
    selector: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, declared: str, namespace: str, store: Store) -> Source:
        """From a metric's name in an HPA. Raises UndeclaredError.

        GKE writes `autoscaling.gke.io|<AutoscalingMetric>|<metric>` for what pods report themselves, and
        `prometheus.googleapis.com|<name>|<kind>` for what managed Prometheus has collected of them.
        """
        parts = declared.split("|")
        if len(parts) != 3:
            return cls(declared)
        if parts[0] != "autoscaling.gke.io":
            return cls(parts[1])
        found = store.find("AutoscalingMetric", namespace, parts[1])
        if found is None:
            raise UndeclaredError(f"there is no AutoscalingMetric {namespace}/{parts[1]}")
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
        raise UndeclaredError(f"AutoscalingMetric {namespace}/{parts[1]} exposes no gauge {parts[2]}")


def _pairs(selector: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(((selector or {}).get("matchLabels") or {}).items()))


@dataclass
class Counters:
    """The last values of the counters of one pod: the first read gives no rate yet."""

    _seen: dict[str, tuple[float, float]] = field(default_factory=dict)

    def value(self, source: Source, selector: Mapping[str, str], series: list[Series]) -> float | None:
        """The sum of a gauge, or the rate per second when it is a counter (`…_total`); None: not measured."""
        wanted = {**dict(source.labels), **selector}
        values = [
            item.value
            for item in series
            if item.name == source.name
            and all(item.labels.get(key) == value for key, value in wanted.items())
        ]
        total = sum(values)
        # Before a gauge was ever set, libraries show it as not a number.
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


async def scrape(port: int, path: str = "/metrics") -> list[Series]:
    """The series that a pod exposes; [] when it does not respond within two seconds, or not with metrics."""
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
