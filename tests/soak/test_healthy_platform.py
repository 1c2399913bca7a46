"""A healthy platform has at most one finding in ten hours with a daily pattern of the load.

A copy of the project is recorded at a compressed time scale (`recorded_platform.py`): with buckets of 5 s,
ten hours are 50 minutes. Each bucket has fewer requests than at full length, so percentiles have more noise.
The recording begins after the minutes in which memory rises after a start, since these are not compressed.
"""

from __future__ import annotations

import math
import time
from typing import Final

import httpx
import psutil
import pytest

from tests.soak.recorded_platform import BUCKET, Load, compress, recorded
from tests.support import projects
from tests.support.projects import wait_for

HOURS: Final = 10
WARM_UP_SECONDS: Final = 300
_HOUR_SECONDS: Final = 60 * BUCKET
_AMPLITUDE: Final = 0.6  # of the load, around its mean

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900 + 2 * HOURS * _HOUR_SECONDS)]


def test_ten_hours_of_a_healthy_platform_have_up_to_one_finding() -> None:
    first = time.monotonic() + WARM_UP_SECONDS

    def level() -> float:
        hours = max(0.0, time.monotonic() - first) / _HOUR_SECONDS
        return 1 + _AMPLITUDE * math.sin(2 * math.pi * hours / 24)

    with projects.platform() as project:
        compress(project, scales=[(600, 5), (60, 1)])
        project.run("up", seconds=300)
        load = Load(project, level)
        with load.running():
            wait_for("the warm-up", lambda: time.monotonic() >= first, 2 * WARM_UP_SECONDS)
            with recorded(project) as recording:
                wait_for("the first scrape", recording.look, 60)
                start = recording.look()
                psutil.cpu_percent()
                for hour in range(1, HOURS + 1):
                    end = start + hour * _HOUR_SECONDS
                    wait_for(f"hour {hour}", lambda end=end: recording.look() >= end, 2 * _HOUR_SECONDS)
                    findings = [finding["text"] for finding in recording.findings.values()]
                    print(
                        f"hour {hour}: {psutil.cpu_percent():.0f} % of the CPUs in use, level {level():.2f},"
                        f" {len(findings)} findings: {findings}",
                        flush=True,
                    )
                events = httpx.get(f"{recording.url}api/events", timeout=30).json()
        print(f"{load.sent} requests, {load.failed} failed")
    reported = [event["title"] for event in events if event["kind"] == "finding"]
    assert len(reported) <= 1, reported
