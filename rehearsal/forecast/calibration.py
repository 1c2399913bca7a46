"""The cost of one request, measured by load tests on one machine, and assumptions about a cloud.

`kingdom load capacity --json FILE` measures; `kingdom forecast --calibrate FILE` writes the calibration.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from rehearsal.forecast.scalability import (
    Point,
    ScalabilityLaw,
    TooFewPointsError,
    bootstrap,
    fit,
    interval,
)

SHARED: Final = "shared"
FILE: Final = Path(__file__).with_name("calibration.json")
_MIN_WINDOWS: Final = 5
_WINDOW_SECONDS: Final = 5
_WARM_UP_SECONDS: Final = 5
# A sample is the mean since the one before, so that a slow observer still covers the window.
_MIN_SAMPLES: Final = 2
_MIN_SHARE_OF_RATE: Final = 0.25


class CalibrationError(ValueError):
    """A calibration that cannot be computed or read; the message states the reason and the remedy."""


@dataclass(frozen=True)
class Estimate:
    """A mean with the interval that contains 90 % of the measured windows."""

    low: float
    mean: float
    high: float

    def at(self, position: int) -> float:
        """Return the estimate at -1: low, 0: mean, 1: high."""
        return (self.low, self.mean, self.high)[position + 1]


@dataclass(frozen=True)
class Assumptions:
    """Durations in seconds that cannot be measured on one machine; the report states each."""

    pod_start: float = 20.0
    node_start: float = 120.0
    metrics_delay: float = 15.0


@dataclass(frozen=True)
class MixOperation:
    """An operation of the calibration's mix: its share of the requests, and its times at low load in seconds.

    `quantiles` are evenly spaced, each the middle of its share.
    """

    share: float
    quantiles: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median of the times."""
        return statistics.median(self.quantiles)


@dataclass(frozen=True)
class Scalability:
    """Throughput against requests in flight on the measured machine, by the Universal Scalability Law.

    `usable` is the share of the cores' CPU that is in use where throughput no longer rises.
    """

    law: ScalabilityLaw
    contention: Estimate
    coherence: Estimate
    usable: Estimate

    def remaining(self, in_flight: float) -> float:
        """Return the share of the maximum throughput that remains at a number of requests in flight.

        It decreases beyond the fitted peak only; beyond the measured range, the last measured value is used.
        """
        measured = min(in_flight, self.law.measured[1])
        if measured <= self.law.best_concurrency:
            return 1.0
        return self.law.throughput(measured) / self.law.throughput(self.law.best_concurrency)


@dataclass(frozen=True)
class RedisCost:
    """CPU seconds of a busy Redis by use (`shared`, `limits`, `queue`).

    `request`: per request; `idle`: per pod and second without load; `delivery`: per request and subscribed
    pod, for messages to all pods.
    """

    request: Mapping[str, float]
    idle: Mapping[str, float]
    delivery: float

    def instances(self, separate: Collection[str]) -> dict[str, tuple[float, float, float]]:
        """Return the three costs of each instance: of uses with their own, and of the shared one."""
        found: dict[str, tuple[float, float, float]] = {}
        for use in self.request:
            name = use if use in separate else SHARED
            request, idle, delivery = found.get(name, (0.0, 0.0, self.delivery if name == SHARED else 0.0))
            found[name] = (request + self.request[use], idle + self.idle.get(use, 0.0), delivery)
        return found

    def utilization(self, separate: Collection[str], rate: float, pods: float) -> float:
        """Return the share of its core that the busiest instance uses."""
        return max(
            rate * (request + delivery * pods) + idle * pods
            for request, idle, delivery in self.instances(separate).values()
        )

    def capacity(self, separate: Collection[str], pods: float, share: float = 1.0) -> tuple[str, float]:
        """Return the limiting instance, and its capacity in requests per second at this share of its core."""
        return min(
            (
                (name, max(0.0, share - idle * pods) / (request + delivery * pods))
                for name, (request, idle, delivery) in self.instances(separate).items()
                if request + delivery * pods > 0
            ),
            key=lambda each: each[1],
            default=(SHARED, math.inf),
        )


@dataclass(frozen=True)
class Calibration:
    """Cost of a request: CPU in core seconds by component, response times in seconds at low load.

    `idle` are the cores that the components used without load, with `idle_pods` pods of each role; the CPU of
    a request comes on top. `rates` are the lowest and the highest measured rate at which the targets held;
    `quantiles` are evenly spaced percentiles of the response time at the lowest one, at which the platform
    used `utilization` of the machine's `cores`; `operations` are those of that rate by name, of `requests` in
    total; `memory` is resident bytes of an `api` pod; `jobs` is the share of arrivals that put a job into the
    queue. `cpu` of Redis is that of a server that is idle between commands, `redis` that of a busy one.
    """

    date: str
    machine: str
    cores: int
    commit: str
    mix: str
    rates: tuple[float, float]
    utilization: float
    requests: int
    cpu: Mapping[str, Estimate]
    idle: Mapping[str, float]
    idle_pods: Mapping[str, float]
    scalability: Scalability
    quantiles: tuple[float, ...]
    operations: Mapping[str, MixOperation]
    memory: float
    jobs: float
    redis: RedisCost | None
    assumptions: Assumptions

    @property
    def origin(self) -> str:
        """Return date, commit, machine and load of the measurement in one line."""
        low, high = self.rates
        return (
            f"{self.date}, commit {self.commit or 'unknown'}, {self.machine}, mix {self.mix} "
            f"at {low:.0f} to {high:.0f} requests/s"
        )

    def total(self, position: int) -> float:
        """Return the CPU seconds of all components per request."""
        return sum(each.at(position) for each in self.cpu.values())

    def idle_of(self, component: str) -> float:
        """Return the cores without load: of a pod of `api` or `worker`, or of another component per pod."""
        pods = self.idle_pods.get(component) or sum(self.idle_pods.values())
        return self.idle.get(component, 0.0) / pods if pods else 0.0

    def redis_cost(self, position: int) -> RedisCost | None:
        """Return the cost of a busy Redis, else that of one that is idle between commands, else None."""
        if self.redis is not None:
            return self.redis
        if "redis" not in self.cpu:
            return None
        return RedisCost({SHARED: self.cpu["redis"].at(position)}, {SHARED: self.idle_of("redis")}, 0.0)

    def occupied(self, component: str, position: int) -> float:
        """Return the core seconds that a request of a component occupies, unusable CPU included."""
        return self.cpu[component].at(position) / self.scalability.usable.at(-position)

    def occupied_without_load(self, component: str, position: int) -> float:
        """Return the cores of `idle_of`, unusable CPU included."""
        return self.idle_of(component) / self.scalability.usable.at(-position)


def load(file: Path = FILE) -> Calibration:
    """Read a calibration. Raises CalibrationError."""
    try:
        found = json.loads(file.read_text())
        law = found["scalability"].pop("law")
        law["measured"] = tuple(law["measured"])
        values: dict[str, Any] = {
            **found,
            "rates": tuple(found["rates"]),
            "cpu": {name: Estimate(**each) for name, each in found["cpu"].items()},
            "scalability": Scalability(
                ScalabilityLaw(**law),
                **{name: Estimate(**each) for name, each in found["scalability"].items()},
            ),
            "quantiles": tuple(found["quantiles"]),
            "operations": {
                name: MixOperation(each["share"], tuple(each["quantiles"]))
                for name, each in found["operations"].items()
            },
            "redis": RedisCost(**found["redis"]) if found["redis"] else None,
            "assumptions": Assumptions(**found["assumptions"]),
        }
        return Calibration(**values)
    except FileNotFoundError as error:
        raise CalibrationError(f"the calibration {file} is missing; write one with --calibrate") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CalibrationError(f"{file} is not a calibration: {error}") from error


def write(calibration: Calibration, file: Path = FILE) -> None:
    """Write a calibration as JSON."""
    file.write_text(json.dumps(asdict(calibration), indent=2) + "\n")


def from_capacity(result: Mapping[str, Any], job_share: float) -> Calibration:
    """Compute a calibration from the JSON of `kingdom load capacity`.

    `job_share` is the share of arrivals that enqueue a job. The cost is that of the steps at which the
    targets held, the response times those of the lowest rate; the law is fitted to all valid steps. Raises
    CalibrationError for a result that cannot be used.
    """
    if result.get("kind") != "capacity":
        raise CalibrationError(
            f"this is the result of a load test of the kind {result.get('kind')!r}: "
            "a calibration needs that of `kingdom load capacity --json FILE`"
        )
    steps = [step for step in result["steps"] if not step["invalid"]]
    held = sorted((step for step in steps if step["holds"]), key=lambda step: step["rate"])
    if not held:
        reasons = sorted({reason for step in result["steps"] for reason in step["invalid"]})
        raise CalibrationError(
            f"the targets held at no rate of the load test: {'; '.join(reasons) or 'they were missed'}"
        )
    # At lower rates most of the CPU is that without load, and the difference is noise.
    highest = held[-1]["rate"]
    busy = [step for step in held if step["rate"] >= _MIN_SHARE_OF_RATE * highest]
    windows = [window for step in busy for window in _windows(step)]
    if len(windows) < _MIN_WINDOWS:
        raise CalibrationError(
            f"the load test has {len(windows)} windows of {_WINDOW_SECONDS} s with measurements; "
            f"{_MIN_WINDOWS} are needed"
        )
    names = sorted({name for window in windows for name in window.cpu})
    idle, idle_pods = _idle(result.get("idle") or [])
    cpu = {name: _estimate([window.cost(name, idle, idle_pods) for window in windows]) for name in names}
    # Without jobs, the load uses no CPU of worker.
    loaded = [role for role in idle_pods if role in cpu and (role != "worker" or job_share > 0)]
    if unloaded := [role for role in loaded if cpu[role].low <= 0]:
        raise CalibrationError(
            f"{' and '.join(unloaded)} used no more CPU under load than without, in at least one window: run "
            "`kingdom load capacity` again on a machine that does nothing else"
        )
    low, cores = held[0], held[0]["cores"]
    used = [each["cpu"] for each in low["platform"] if each.get("cpu") is not None and each["at"] >= 0]
    return Calibration(
        date=low["began"][:10],
        machine=low["machine"],
        cores=cores,
        commit=low["commit"],
        mix=low["mix"],
        rates=(low["rate"], held[-1]["rate"]),
        utilization=statistics.fmean(used) / cores,
        requests=low["total"]["arrivals"],
        cpu=cpu,
        idle=idle,
        idle_pods=idle_pods,
        scalability=_scalability(
            steps, sum(each.mean for each in cpu.values()) / cores, sum(idle.values()) / cores
        ),
        quantiles=tuple(low["quantiles"]),
        operations={
            name: MixOperation(each["arrivals"] / low["total"]["arrivals"], tuple(each["quantiles"]))
            for name, each in low["endpoints"].items()
            if each["arrivals"]
        },
        memory=_memory(held[-1]),
        jobs=job_share,
        redis=_redis(result.get("redis")),
        assumptions=Assumptions(),
    )


def _idle(samples: Sequence[Mapping[str, Any]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the cores by component and the pods by role without load. Raises CalibrationError.

    Only the longest period without a change of replicas counts, from its third sample on: a starting pod uses
    a whole core for two seconds.
    """
    # The first sample has zeros, because it cannot be compared with an earlier one.
    used = [each for each in samples if any((each.get("cpuByComponent") or {}).values())]
    runs = [list(run) for _, run in groupby(used, key=lambda each: each["replicas"])]
    steady = max((run if run[0] is used[0] else run[2:] for run in runs), key=len, default=used[:0])
    if len(steady) < _MIN_SAMPLES:
        raise CalibrationError(
            "the load test did not measure the platform without load: run `kingdom load capacity` again"
        )
    names = {name for each in steady for name in each["cpuByComponent"]}
    return (
        {name: statistics.fmean(each["cpuByComponent"].get(name, 0.0) for each in steady) for name in names},
        {role: float(count) for role, count in steady[0]["replicas"].items()},
    )


def _redis(measured: Mapping[str, Any] | None) -> RedisCost | None:
    """Return the cost of a busy Redis: that of the recording under load minus the pods' cost without load."""
    if not measured:
        return None
    idle = {use: each / measured["idleSeconds"] for use, each in measured["idle"].items()}
    return RedisCost(
        request={
            use: max(0.0, each - idle[use] * measured["recordedSeconds"]) / measured["requests"]
            for use, each in measured["seconds"].items()
        },
        idle={use: each / measured["idlePods"] for use, each in idle.items()},
        delivery=measured["delivery"] / measured["requests"],
    )


def _scalability(steps: Sequence[Mapping[str, Any]], cost: float, idle: float) -> Scalability:
    """Fit the law to the valid steps. `cost` of a request and `idle` without load are shares of all CPU."""
    points = [point for step in steps for point in _points(step)]
    try:
        law, laws = fit(points), bootstrap(points)
    except TooFewPointsError as error:
        raise CalibrationError(f"the load test has too few valid steps: {error}") from error

    def usable(of: ScalabilityLaw) -> float:
        return min(1.0, of.throughput(of.best_concurrency) * cost + idle)

    def estimate(mean: float, values: Sequence[float]) -> Estimate:
        low, high = interval(values)
        return Estimate(min(low, mean), mean, max(high, mean))

    return Scalability(
        law,
        estimate(law.contention, [each.contention for each in laws]),
        estimate(law.coherence, [each.coherence for each in laws]),
        estimate(usable(law), [usable(each) for each in laws]),
    )


def _points(step: Mapping[str, Any]) -> Iterator[Point]:
    """Yield requests in flight and completed requests per second, in windows after the warm-up."""
    seconds = step["seconds"]
    for start in range(_WARM_UP_SECONDS, len(seconds) - _WINDOW_SECONDS + 1, _WINDOW_SECONDS):
        window = seconds[start : start + _WINDOW_SECONDS]
        in_flight = statistics.fmean(each["inFlight"] for each in window)
        completed = statistics.fmean(each["completed"] for each in window)
        if in_flight and completed:
            yield in_flight, completed


@dataclass(frozen=True)
class _Window:
    """CPU cores by component, completed requests per second, and pods by role if known."""

    cpu: Mapping[str, float]
    served: float
    pods: Mapping[str, float]

    def cost(self, name: str, idle: Mapping[str, float], idle_pods: Mapping[str, float]) -> float:
        """Return the CPU seconds of a component per request.

        Its cost without load, which grows with the pods, is subtracted.
        """
        here, there = (pods.get(name) or sum(pods.values()) for pods in (self.pods or idle_pods, idle_pods))
        without_load = idle.get(name, 0.0) * (here / there if there else 1.0)
        return max(0.0, self.cpu.get(name, 0.0) - without_load) / self.served


def _windows(result: Mapping[str, Any]) -> Iterator[_Window]:
    """Yield the windows after the warm-up in which the replicas did not change."""
    served = [each["completed"] for each in result["seconds"]]
    samples = [
        each
        for each in result["platform"]
        if _WARM_UP_SECONDS <= each["at"] < len(served) and each.get("cpuByComponent")
    ]
    for start in range(_WARM_UP_SECONDS, len(served) - _WINDOW_SECONDS + 1, _WINDOW_SECONDS):
        inside = [each for each in samples if start <= each["at"] < start + _WINDOW_SECONDS]
        count = sum(served[start : start + _WINDOW_SECONDS]) / _WINDOW_SECONDS
        pods = [each.get("replicas") or {} for each in inside]
        if len(inside) < _MIN_SAMPLES or not count or any(each != pods[0] for each in pods):
            continue
        names = {name for each in inside for name in each["cpuByComponent"]}
        yield _Window(
            {
                name: statistics.fmean(each["cpuByComponent"].get(name, 0.0) for each in inside)
                for name in names
            },
            count,
            pods[0],
        )


def _estimate(values: list[float]) -> Estimate:
    ordered = sorted(values)
    last = len(ordered) - 1
    low, high = ordered[math.floor(0.05 * last)], ordered[math.ceil(0.95 * last)]
    return Estimate(low, statistics.fmean(ordered), high)


def _memory(result: Mapping[str, Any]) -> float:
    values = [each["podMemory"]["api"] for each in result["platform"] if each.get("podMemory", {}).get("api")]
    return statistics.fmean(values) if values else 0.0
