"""Calibrations: from the JSON of a load test, written, read, and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.forecast.calibration import CalibrationError, from_load_test, load, write
from tests.rehearsal.forecast.factories import calibration


def result(**changes: Any) -> dict[str, Any]:
    """100 requests/s for 60 s; `api` uses 0.5 cores and Redis 0.02."""
    seconds = [{"completed": 100} for _ in range(60)]
    samples = [
        {
            "at": at + 0.5,
            "cpu": 0.6,
            "cpuByComponent": {"api": 0.5, "redis": 0.02},
            "podMemory": {"api": 1000.0},
        }
        for at in range(60)
    ]
    return {
        "invalid": list[str](), "began": "2026-11-25T23:00:00+00:00", "machine": "test, 2 cores, 8 GiB",
        "commit": "abc",
        "scenario": "peak", "mix": "mixed", "seconds": seconds, "platform": samples,
        "total": {"errorShare": 0.0, "goodRate": 100.0, "p50": 0.01, "p95": 0.03, "p99": 0.06},
    } | changes  # fmt: skip


def test_the_cost_of_a_request_is_cpu_divided_by_rate() -> None:
    found = from_load_test(result(), job_share=0.05)
    assert found.cpu["api"].mean == pytest.approx(0.005)
    assert found.cpu["redis"].mean == pytest.approx(0.0002)
    assert found.utilization == pytest.approx(0.3)
    assert found.memory == 1000.0
    assert found.quantiles == tuple(sorted(found.quantiles))
    assert found.quantiles[9] == pytest.approx(0.01, rel=0.1)
    assert found.quantiles[-1] <= 0.06
    assert "commit abc, test, 2 cores, 8 GiB, scenario peak (mixed) at 100 requests/s, 30%" in found.origin


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"invalid": ["the scheduler lagged"]}, "load test is invalid: the scheduler lagged"),
        ({"total": {"errorShare": 0.02}}, "2.0% of the requests failed"),
        ({"platform": []}, "0 windows of 5 s"),
    ],
)
def test_a_run_that_says_nothing_about_cost_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        from_load_test(result(**changes), job_share=0.05)


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    write(calibration(), file)
    assert load(file) == calibration()


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="there is no calibration"):
        load(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text('{"date": "2026-11-25"}')
    with pytest.raises(CalibrationError, match="is not a calibration"):
        load(broken)
