"""What one request costs, measured by a load test on one machine, and what is assumed about a cloud.

`kingdom load run SCENARIO --json FILE` measures; `kingdom forecast --calibrate FILE` writes the calibration.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("calibration.json")
_MIN_WINDOWS: Final = 5
_WINDOW_SECONDS: Final = 5
_QUANTILES: Final = 20


class CalibrationError(ValueError):
    """A calibration that cannot be made or read; the message states why and what would be right."""


@dataclass(frozen=True)
class Estimate:
    """A mean with the interval that holds 90 % of the measured windows."""

    low: float
    mean: float
    high: float

    def at(self, position: int) -> float:
        """-1: low, 0: mean, 1: high."""
        return (self.low, self.mean, self.high)[position + 1]


@dataclass(frozen=True)
class Assumptions:
    """What one machine cannot measure, in seconds; each is stated in the report."""

    pod_start: float = 20.0
    node_start: float = 120.0
    metrics_delay: float = 15.0


@dataclass(frozen=True)
class Calibration:
    """Cost of a request: CPU in core seconds by component, response times in seconds at low load.

    `quantiles` are evenly spaced percentiles of the response time; `utilization` is the share of the
    machine's cores that the platform used during the measurement; `memory` is resident bytes of an `api` pod.
    """

    date: str
    machine: str
    commit: str
    scenario: str
    mix: str
    rate: float
    utilization: float
    cpu: Mapping[str, Estimate]
    quantiles: tuple[float, ...]
    memory: float
    jobs: float
    assumptions: Assumptions

    @property
    def origin(self) -> str:
        """Date, commit, machine and load of the measurement in one line."""
        return (
            f"{self.date}, commit {self.commit or 'unknown'}, {self.machine}, scenario {self.scenario} "
            f"({self.mix}) at {self.rate:.0f} requests/s, {self.utilization:.0%} of the cores used"
        )


def load(file: Path = FILE) -> Calibration:
    """Read a calibration. Raises CalibrationError."""
    try:
        found = json.loads(file.read_text())
        values: dict[str, Any] = {
            **found,
            "cpu": {name: Estimate(*interval) for name, interval in found["cpu"].items()},
            "quantiles": tuple(found["quantiles"]),
            "assumptions": Assumptions(**found["assumptions"]),
        }
        return Calibration(**values)
    except FileNotFoundError as error:
        raise CalibrationError(f"there is no calibration {file}; make one with --calibrate") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CalibrationError(f"{file} is not a calibration: {error}") from error


def write(calibration: Calibration, file: Path = FILE) -> None:
    """Write a calibration as JSON."""
    data = {
        **vars(calibration),
        "cpu": {name: list(vars(each).values()) for name, each in calibration.cpu.items()},
        "quantiles": list(calibration.quantiles),
        "assumptions": vars(calibration.assumptions),
    }
    file.write_text(json.dumps(data, indent=2) + "\n")


def from_load_test(result: Mapping[str, Any], job_share: float) -> Calibration:
    """From the JSON of a load test. `job_share` is the share of arrivals that put a job into the queue.

    Raises CalibrationError for a run that is invalid, too short, or missed its targets: its times are waits.
    """
    if result["invalid"]:
        raise CalibrationError(f"the load test is invalid: {'; '.join(result['invalid'])}")
    if result["total"]["errorShare"] >= 0.01:
        raise CalibrationError(
            f"{result['total']['errorShare']:.1%} of the requests failed; less than 1 % is needed"
        )
    windows = list(_windows(result))
    if len(windows) < _MIN_WINDOWS:
        raise CalibrationError(
            f"the load test has {len(windows)} windows of {_WINDOW_SECONDS} s with measurements; "
            f"{_MIN_WINDOWS} are needed"
        )
    names = sorted({name for cpu, _ in windows for name in cpu})
    cpu = {name: _estimate([each.get(name, 0.0) / served for each, served in windows]) for name in names}
    cores = [each["cpu"] for each in result["platform"] if each.get("cpu") is not None and each["at"] >= 0]
    return Calibration(
        date=result["began"][:10],
        machine=result["machine"],
        commit=result["commit"],
        scenario=result["scenario"],
        mix=result["mix"],
        rate=result["total"]["goodRate"],
        utilization=statistics.fmean(cores) / _cores_of(result["machine"]),
        cpu=cpu,
        quantiles=_quantiles(result["total"]),
        memory=_memory(result),
        jobs=job_share,
        assumptions=Assumptions(),
    )


def _windows(result: Mapping[str, Any]) -> Iterator[tuple[dict[str, float], float]]:
    """CPU cores by component and completed requests per second, in windows after the warm-up."""
    served = [each["completed"] for each in result["seconds"]]
    samples = [
        each for each in result["platform"] if 5 <= each["at"] < len(served) and each.get("cpuByComponent")
    ]
    for start in range(5, len(served) - _WINDOW_SECONDS + 1, _WINDOW_SECONDS):
        inside = [each for each in samples if start <= each["at"] < start + _WINDOW_SECONDS]
        count = sum(served[start : start + _WINDOW_SECONDS]) / _WINDOW_SECONDS
        if len(inside) < _WINDOW_SECONDS - 1 or not count:
            continue
        names = {name for each in inside for name in each["cpuByComponent"]}
        yield (
            {
                name: statistics.fmean(each["cpuByComponent"].get(name, 0.0) for each in inside)
                for name in names
            },
            count,
        )


def _estimate(values: list[float]) -> Estimate:
    ordered = sorted(values)
    last = len(ordered) - 1
    low, high = ordered[math.floor(0.05 * last)], ordered[math.ceil(0.95 * last)]
    return Estimate(low, statistics.fmean(ordered), high)


def _quantiles(total: Mapping[str, Any]) -> tuple[float, ...]:
    """Evenly spaced quantiles of the response time, on a log-linear curve through P50, P95 and P99."""
    known = [
        (0.0, total["p50"] / 4),
        (0.5, total["p50"]),
        (0.95, total["p95"]),
        (0.99, total["p99"]),
        (1.0, total["p99"]),
    ]
    found = []
    for index in range(_QUANTILES):
        share = (index + 0.5) / _QUANTILES
        (left, low), (right, high) = next(
            pair for pair in pairwise(known) if pair[0][0] <= share <= pair[1][0]
        )
        position = (share - left) / (right - left)
        found.append(math.exp(math.log(low) + (math.log(high) - math.log(low)) * position))
    return tuple(found)


def _memory(result: Mapping[str, Any]) -> float:
    values = [each["podMemory"]["api"] for each in result["platform"] if each.get("podMemory", {}).get("api")]
    return statistics.fmean(values) if values else 0.0


def _cores_of(machine: str) -> int:
    part = next((each for each in machine.split(", ") if each.endswith(" cores")), "1 cores")
    return int(part.split()[0])
