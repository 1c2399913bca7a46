"""Load report for the load balancer, sent with every response.

The header is Google's form of Open Request Cost Aggregation (ORCA): ``endpoint-load-metrics: JSON {...}``. A
load balancer that weights replicas by it sends fewer requests to a pod on a slow or busy node.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Final

from app.telemetry.http_metrics import HttpMetrics

_EVERY_SECONDS: Final = 1.0
_RATE_WINDOW: Final = 5
_CGROUP: Final = Path("/sys/fs/cgroup/cpu.max")


class LoadReport:
    """The report, rendered once per second so that a response only copies a few bytes."""

    def __init__(self, traffic: HttpMetrics) -> None:
        self._traffic = traffic
        self._report = b""

    def __call__(self) -> bytes:
        """Return the header value; empty until the first report."""
        return self._report

    async def run(self) -> None:
        """Update the report every second until cancelled."""
        cpu_usage = CpuUsage()
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            self._report = b'JSON {"cpu_utilization": %.3f, "rps_fractional": %.1f}' % (
                cpu_usage() / 100,
                self._traffic.rate(_RATE_WINDOW),
            )


class CpuUsage:
    """CPU usage of the process since the previous call, in percent of its available cores."""

    def __init__(self) -> None:
        self._cores = allotted_cores()
        self._at, self._used = time.monotonic(), time.process_time()

    def __call__(self) -> float:
        at, used = time.monotonic(), time.process_time()
        share = (used - self._used) / max(at - self._at, 1e-6) / self._cores
        self._at, self._used = at, used
        return 100 * min(1.0, share)


def allotted_cores(limit: Path = _CGROUP) -> float:
    """Return the cores this process can use: its cgroup's CPU quota, but at most 1 (one event loop)."""
    cores = float(os.cpu_count() or 1)
    try:
        quota, period = limit.read_text().split()
        if quota != "max":
            cores = min(cores, int(quota) / int(period))
    except (OSError, ValueError):
        pass  # no control groups, or version 1
    return min(1.0, cores)
