"""Comparison of a forecast of the measured machine with a load test outside of the calibration.

The machine is modelled as stations that share its cores; the interval of a window covers the spread of the
measured cost, and the sampling error of a percentile of as many requests as the window and the calibration
have.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rehearsal.forecast.calibration import Calibration, CalibrationError
from rehearsal.forecast.simulation import Latency

MAX_ERROR: Final = 0.3
"""Bound on the relative error of P95."""
MIN_COVERED: Final = 0.9
"""Share of the windows whose measured P95 lies in the forecast's 90 % interval."""
_NORMAL_95: Final = 1.645
_QUANTILES: Final = 100


@dataclass(frozen=True)
class ComparedWindow:
    """A window of a run: P95 as measured, and as forecast with its 90 % interval; times in seconds."""

    at: int
    rate: float
    measured: float
    low: float
    forecast: float
    high: float

    @property
    def covered(self) -> bool:
        """Whether the measured value is within the interval."""
        return self.low <= self.measured <= self.high


@dataclass(frozen=True)
class Validation:
    """A run compared with its forecast. Replicas are the maximum of `api`."""

    windows: list[ComparedWindow]
    measured_replicas: int
    forecast_replicas: int

    @property
    def error(self) -> float:
        """Return the relative error of P95: the median ratio of forecast to measured, minus 1."""
        measured = statistics.median(each.measured for each in self.windows)
        return statistics.median(each.forecast for each in self.windows) / measured - 1

    @property
    def covered(self) -> float:
        """Share of the windows whose measured P95 lies in the interval."""
        return statistics.fmean(each.covered for each in self.windows)

    @property
    def holds(self) -> bool:
        """Whether the forecast is accurate enough."""
        return (
            abs(self.error) <= MAX_ERROR
            and self.covered >= MIN_COVERED
            and abs(self.forecast_replicas - self.measured_replicas) <= 1
        )

    def to_json(self) -> dict[str, Any]:
        """Return the result and all figures."""
        return {
            "holds": self.holds,
            "p95Error": self.error,
            "covered": self.covered,
            "replicas": {"measured": self.measured_replicas, "forecast": self.forecast_replicas},
            "windows": [{**vars(each), "covered": each.covered} for each in self.windows],
        }

    def to_text(self) -> str:
        """Return a Markdown table of the windows, and the result."""
        lines = [
            "| second | requests/s | P95 measured | forecast | 90 % interval | |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {each.at} | {each.rate:.0f} | {each.measured * 1000:.0f} ms | {each.forecast * 1000:.0f} ms "
            f"| {each.low * 1000:.0f} to {each.high * 1000:.0f} ms "
            f"| {'inside' if each.covered else 'outside'} |"
            for each in self.windows
        ]
        result = (
            f"P95: error {self.error:+.0%} (at most {MAX_ERROR:.0%}); {self.covered:.0%} of the windows "
            f"inside the interval (at least {MIN_COVERED:.0%}); replicas of api: at most "
            f"{self.measured_replicas} measured, {self.forecast_replicas} forecast: "
            f"{'holds' if self.holds else 'missed'}"
        )
        return "\n".join([*lines, "", result])


def compare(calibration: Calibration, run: Mapping[str, Any], forecast_replicas: int) -> Validation:
    """Compare a load test's JSON with the forecast of the same arrivals. Raises CalibrationError."""
    if run.get("kind") != "run":
        raise CalibrationError(
            "a forecast is validated with the JSON of `kingdom load run SCENARIO --json FILE`"
        )
    if run["invalid"]:
        raise CalibrationError(f"the load test is invalid: {'; '.join(run['invalid'])}")
    if run["machine"] != calibration.machine:
        raise CalibrationError(
            f"the load test ran on {run['machine']}, the calibration is of {calibration.machine}: "
            "only runs of one machine can be compared"
        )
    mix = _mix(calibration, run)
    factor = _mean(calibration, mix) / _mean(calibration, _shares(calibration))
    latency = Latency(calibration, mixture(calibration, mix))
    used = [each["replicas"].get("api", 0) for each in run["platform"] if each["at"] >= 0]
    return Validation(
        [_window(calibration, latency, factor, each) for each in run["windows"] if each["arrivals"]],
        max(used, default=0),
        # A run is shorter than the time for which replicas of an earlier load are retained.
        max(forecast_replicas, *used[:1]),
    )


def _mix(calibration: Calibration, run: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of each operation in a run.

    Raises CalibrationError for an operation without a measured time.
    """
    counts = {name: each["arrivals"] for name, each in run["endpoints"].items() if each["arrivals"]}
    unknown = sorted(set(counts) - set(calibration.operations))
    if unknown:
        raise CalibrationError(
            f"the calibration has no time of {', '.join(unknown)}: use a mix that includes them"
        )
    return {name: count / sum(counts.values()) for name, count in counts.items()}


def _shares(calibration: Calibration) -> dict[str, float]:
    return {name: each.share for name, each in calibration.operations.items()}


def _mean(calibration: Calibration, mix: Mapping[str, float]) -> float:
    """Return the mean time of a mix's requests at low load, to which their CPU is assumed proportional."""
    return sum(share * calibration.operations[name].median for name, share in mix.items())


def mixture(calibration: Calibration, mix: Mapping[str, float]) -> tuple[float, ...]:
    """Return evenly spaced quantiles of the response times of a mix at low load, in seconds."""
    weighted = sorted(
        (time, share / len(calibration.operations[name].quantiles))
        for name, share in mix.items()
        for time in calibration.operations[name].quantiles
    )
    total = sum(weight for _, weight in weighted)
    found: list[float] = []
    below, position = 0.0, 0
    for index in range(_QUANTILES):
        wanted = total * (index + 0.5) / _QUANTILES
        while position < len(weighted) - 1 and below + weighted[position][1] < wanted:
            below += weighted[position][1]
            position += 1
        found.append(weighted[position][0])
    return tuple(found)


def _window(
    calibration: Calibration, latency: Latency, factor: float, window: Mapping[str, Any]
) -> ComparedWindow:
    rate = window["arrivals"] / window["seconds"]
    variance = 0.05 * 0.95 * (1 / window["arrivals"] + 1 / calibration.requests)
    sampling = _NORMAL_95 * math.sqrt(variance)

    def p95(position: int, percent: float) -> float:
        usable = calibration.scalability.usable.at(-position)
        service = factor * calibration.total(position) / usable
        idle = sum(calibration.idle.values()) / usable
        return latency.percentile(percent, (rate * service + idle) / calibration.cores, service)

    return ComparedWindow(
        window["at"],
        rate,
        window["p95"],
        p95(-1, 100 * max(0.5, 0.95 - sampling)),
        p95(0, 95.0),
        p95(1, 100 * min(0.999, 0.95 + sampling)),
    )
