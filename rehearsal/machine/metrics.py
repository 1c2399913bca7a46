"""What the autoscaler measures of a pod: CPU and memory of its processes, and its own /metrics."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from rehearsal.machine.ports import LOOPBACK
from rehearsal.machine.processes import measure
from rehearsal.machine.store import Store

_LINE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Series:
    """One line of a Prometheus exposition."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse(text: str) -> list[Series]:
    """The series of a Prometheus text exposition; lines that are none are passed over."""
    found = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            with suppress(ValueError):
                labels = dict(_LABEL.findall(match[2] or ""))
                found.append(Series(match[1], labels, float(match[3])))
    return found


@dataclass(frozen=True)
class Source:
    """Where a metric is read: its Prometheus name, and the pod's port (None: its first) and path."""

    name: str
    port: str | int | None = None
    path: str = "/metrics"

    @classmethod
    def of(cls, declared: str, namespace: str, store: Store) -> Source:
        """From a metric's name in an HPA.

        GKE writes `autoscaling.gke.io|<AutoscalingMetric>|<metric>` for what pods report themselves, and
        `prometheus.googleapis.com|<name>|<kind>` for what managed Prometheus has collected of them.
        """
        parts = declared.split("|")
        if len(parts) != 3:
            return cls(declared)
        if parts[0] != "autoscaling.gke.io":
            return cls(parts[1])
        found = store.find("AutoscalingMetric", namespace, parts[1])
        for item in (found.spec.get("metrics") or []) if found else []:
            for container in (item.get("pod") or {}).get("containers") or []:
                endpoint = container.get("endpoint") or {}
                for metric in container.get("metrics") or []:
                    gauge = metric.get("gauge") or {}
                    if gauge.get("name") == parts[2]:
                        name = gauge.get("prometheusMetricName") or parts[2]
                        return cls(name, endpoint.get("port"), endpoint.get("path") or "/metrics")
        return cls(parts[2])


@dataclass
class Meter:
    """Measurements of one pod over time. The first look at anything that grows gives no rate yet."""

    _cpu: tuple[float, float] | None = None
    _counters: dict[str, tuple[float, float]] = field(default_factory=dict)

    def resources(self, pids: list[int]) -> dict[str, float | None]:
        """`cpu` in cores since the last call (None at first) and `memory` in bytes."""
        now = time.monotonic()
        memory, spent = 0, 0.0
        for pid in pids:
            resident, used = measure(pid)
            memory, spent = memory + resident, spent + used
        before, self._cpu = self._cpu, (now, spent)
        cpu = None
        if before is not None and now > before[0] and spent >= before[1]:
            cpu = (spent - before[1]) / (now - before[0])
        return {"cpu": cpu, "memory": float(memory) if pids else None}

    def custom(self, name: str, selector: Mapping[str, str], series: list[Series]) -> float | None:
        """The sum of the gauge `name`, or the rate per second when it is a counter (`…_total`)."""
        values = [
            item.value
            for item in series
            if item.name == name and all(item.labels.get(key) == value for key, value in selector.items())
        ]
        if not values:
            return None
        total = sum(values)
        if not name.endswith("_total"):
            return total
        now = time.monotonic()
        key = f"{name}{sorted(selector.items())}"
        before = self._counters.get(key)
        self._counters[key] = (now, total)
        if before is None or total < before[1] or now <= before[0]:
            return None
        return (total - before[1]) / (now - before[0])


async def scrape(port: int, path: str = "/metrics") -> list[Series]:
    """The series that a pod shows; [] when it does not answer within two seconds."""
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(2.0):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                _, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
            return parse(body.decode(errors="replace"))
    return []
