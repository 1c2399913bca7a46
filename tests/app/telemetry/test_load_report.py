"""Load report: CPU usage relative to the available cores, and recent requests per second."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.telemetry import load_report
from app.telemetry.http_metrics import HttpMetrics
from app.telemetry.load_report import CpuUsage, LoadReport, allotted_cores
from tests.support.backends import until


@pytest.mark.parametrize(
    ("quota", "cores"), [("50000 100000", 0.5), ("400000 100000", 1.0), ("max 100000", 1.0), ("broken", 1.0)]
)
def test_cores_are_limited_by_the_quota_and_by_one_event_loop(
    tmp_path: Path, quota: str, cores: float
) -> None:
    limit = tmp_path / "cpu.max"
    limit.write_text(quota)
    assert allotted_cores(limit) == cores
    assert allotted_cores(tmp_path / "missing") == min(1.0, float(os.cpu_count() or 1))


def test_busy_process_has_a_higher_usage_than_an_idle_one(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, used = iter([0.0, 10.0, 20.0]), iter([0.0, 5.0, 100.0])
    # The module's own clock: other threads of the tests read the real one.
    clock = SimpleNamespace(monotonic=lambda: next(wall), process_time=lambda: next(used))
    monkeypatch.setattr(load_report, "time", clock)
    monkeypatch.setattr(load_report, "allotted_cores", lambda: 1.0)
    usage = CpuUsage()
    assert usage() == pytest.approx(50.0)
    assert usage() == 100.0, "never above all of its cores"


@pytest.mark.anyio
async def test_report_has_the_form_of_the_load_balancer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_report, "_EVERY_SECONDS", 0.01)
    report = LoadReport(HttpMetrics())
    assert report() == b""
    running = asyncio.create_task(report.run())
    await until(lambda: _is_ready(report))
    running.cancel()
    assert re.fullmatch(rb'JSON \{"cpu_utilization": [01]\.\d{3}, "rps_fractional": \d+\.\d\}', report())


async def _is_ready(report: LoadReport) -> bool:
    return bool(report())
