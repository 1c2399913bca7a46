"""How busy the pod is, told to the load balancer with every answer.

The header is Google's form of Open Request Cost Aggregation (ORCA): ``endpoint-load-metrics: JSON {...}``. A
balancer that weights replicas by it sends less to a pod on a slow or crowded node.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Final

from app.telemetry.http_metrics import Traffic

_EVERY_SECONDS: Final = 1.0
_RATE_WINDOW: Final = 5
_CGROUP: Final = Path("/sys/fs/cgroup/cpu.max")


class Load:
    """The report, made once a second, so that an answer only copies a few bytes."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._report = b""

    def __call__(self) -> bytes:
        """The value of the header; empty until the first report is made."""
        return self._report

    async def run(self) -> None:
        """Keep the report up to date until cancelled."""
        processor = Processor()
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            self._report = b'JSON {"cpu_utilization": %.3f, "rps_fractional": %.1f}' % (
                processor() / 100,
                self._traffic.rate(_RATE_WINDOW),
            )


class Processor:
    """The share of its cores that the process used since the last call, in percent."""

    def __init__(self) -> None:
        self._cores = allotted_cores()
        self._at, self._used = time.monotonic(), time.process_time()

    def __call__(self) -> float:
        at, used = time.monotonic(), time.process_time()
        share = (used - self._used) / max(at - self._at, 1e-6) / self._cores
        self._at, self._used = at, used
        return 100 * min(1.0, share)


def allotted_cores(limit: Path = _CGROUP) -> float:
    """The cores this process can use: what its control group allows, and never more than one event loop
    can.
    """
    cores = float(os.cpu_count() or 1)
    try:
        quota, period = limit.read_text().split()
        if quota != "max":
            cores = min(cores, int(quota) / int(period))
    except (OSError, ValueError):
        pass  # no control groups here, or of the first version
    return min(1.0, cores)
