"""Synthetic lines of all signals of a healthy platform on one machine.

The load has a daily pattern; after a deployment caches are cold, and memory rises until it levels off.

Response, query and job times are observations in the buckets of the service's histograms, read as a rate over
five minutes, so lines with few requests have as few observations as they would have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from scipy.stats import norm

from app.monitoring.signals import Signals
from app.monitoring.source import TimeSeries
from app.telemetry.http_metrics import BOUNDS
from rehearsal.monitoring.store import Recording

STEP_SECONDS: Final = 15.0
DEPLOYMENTS: Final = (0.0, 3 * 3600.0, 6.5 * 3600.0)
_RATE_STEPS: Final = 20  # five minutes
_DAY: Final = 86_400.0
_REQUESTS: Final = 8.0  # a second, as the mean of a day
_ROUTES: Final = 12
_COLLECTIONS: Final = ("accounts", "contents", "orders", "sessions", "summaries", "jobs")
_CACHES: Final = ("accounts", "contents", "feed", "orders", "own-contents", "visibility")
_JOBS: Final = {"generate": 0.05, "event": 0.1, "maintain-indexes": 1 / 600}  # a second
_ROLES: Final = {"api": 384, "worker": 512}  # MiB of the limit
_MIB: Final = 2.0**20

Array = Any
Lines = dict[str, Array]


@dataclass
class HealthyRun:
    """One run of a number of hours from the start of the platform; `start` is the time of the day, 0 to 1.

    It is a Source: a query of a declared signal returns its lines up to `now`.
    """

    signals: Signals
    seed: int
    hours: float = 10.0
    now: float = 0.0
    store: Recording = field(default_factory=lambda: Recording(None))
    _lines: dict[str, list[tuple[dict[str, str], Array]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._chance = np.random.default_rng(self.seed)
        self._count = int(self.hours * 3600 / STEP_SECONDS) + 1
        self._times = STEP_SECONDS * np.arange(self._count)
        pattern = np.sin(2 * np.pi * (self._times / _DAY + self._chance.random()))
        self._load = 1 + 0.6 * pattern + self._wander(0.04, 300)
        # Since the last start, and for how long the load of a cold start lasts.
        starts = np.array(DEPLOYMENTS)
        self._age = self._times - starts[np.searchsorted(starts, self._times, side="right") - 1]
        self._cold = 1 + 1.5 * np.exp(-self._age / 30)
        # A backup, a browser on the machine, a collection of garbage: some seconds now and then.
        self._busy = np.zeros(self._count)
        for at in np.flatnonzero(self._chance.random(self._count) < STEP_SECONDS / 3000):
            self._busy[at : at + self._chance.integers(1, 4)] = self._chance.uniform(0.5, 3)
        self._add_requests()
        self._add_processes()
        self._add_queue()

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        """Return, for each step, the last value within it, as the recorder does."""
        moments = np.arange(start, min(end, self.now) + step / 2, step)
        last = np.floor(moments / STEP_SECONDS + 1e-9).astype(int)
        present = (last >= 0) & (last < self._count) & (last * STEP_SECONDS > moments - step)
        found = []
        for labels, values in self._lines.get(query, []):
            chosen = values[last[present]]
            finite = np.isfinite(chosen)
            if finite.any():
                at = moments[present][finite]
                found.append(TimeSeries(labels, at.tolist(), chosen[finite].tolist()))
        return found

    def _add(self, signal: str, lines: Mapping[str, Array] | Array) -> None:
        declared = self.signals.signals[signal]
        label = declared.by[0] if declared.by else ""
        group = lines if isinstance(lines, Mapping) else {"": lines}
        self._lines[declared.query] = [({label: name} if label else {}, line) for name, line in group.items()]

    def _add_requests(self) -> None:
        weights = 1 / np.arange(1, _ROUTES + 1)
        weights /= weights.sum()
        slower = 0.6 * self._busy + 0.4 * (self._cold - 1)
        counts: Lines = {}
        observed: Lines = {}
        for number, weight in enumerate(weights):
            route = f"/v1/route-{number}"
            counts[route] = self._chance.poisson(
                np.maximum(0, _REQUESTS * weight * self._load * STEP_SECONDS)
            )
            middle = 0.006 * self._chance.uniform(1, 8)
            busy = 1 + (self._load / 2.5) ** 2 + self._wander(0.08, 120)
            observed[route] = self._observed(counts[route], middle * busy * (1 + slower), 0.5)
        self._add("requests", _rate(sum(counts.values())))
        self._add("requests-by-route", {route: _rate(count) for route, count in counts.items()})
        self._add("response-time-by-route", {route: _percentile(each) for route, each in observed.items()})
        self._add("response-time", _percentile(sum(observed.values())))
        total = sum(counts.values())
        times: Lines = {}
        for number, name in enumerate(_COLLECTIONS):
            commands = self._chance.binomial(total, 0.8 / (1 + number))
            middle = 0.001 * self._chance.uniform(0.6, 5)
            times[name] = _percentile(
                self._observed(
                    commands, middle * (1 + 0.2 * self._load + slower + self._wander(0.08, 120)), 0.6
                )
            )
        self._add("query-time", times)
        hits: Lines = {}
        for number, name in enumerate(_CACHES):
            reads = self._chance.binomial(total, 0.7 / (1 + number))
            reread = self._chance.uniform(2, 20) * np.maximum(0.1, self._load) / np.sqrt(self._cold)
            hit = self._chance.binomial(reads, reread / (1 + reread))
            with np.errstate(invalid="ignore", divide="ignore"):
                hits[name] = 100 * _rate(hit) / _rate(reads)
        self._add("cache-hits", hits)
        used = self._chance.poisson(np.maximum(0, 4 + 3 * self._load + 4 * (self._busy > 0)))
        self._add("database-connections", 100 * np.maximum(used, 4) / 54)

    def _add_processes(self) -> None:
        waits: Lines = {}
        memory: Lines = {}
        tasks: Lines = {}
        for role in _ROLES:
            share = (
                0.003 * self._chance.uniform(0.5, 4) * (1 + self._load**2) * np.exp(self._wander(0.35, 900))
            )
            waits[role] = 100 * _mean(np.minimum(1, share + 0.08 * self._busy + 0.05 * (self._cold - 1)))
            memory[role] = self._memory()
            connections = self._chance.poisson(np.maximum(0, 6 * self._load + self._wander(1, 600)))
            tasks[role] = 14.0 + connections * (1 - np.exp(-(self._age + 15) / 60))
        self._add("cpu-wait", waits)
        self._add("memory-by-role", memory)
        self._add("event-loop-tasks", tasks)
        used = [100 * memory[role] / _MIB / limit for role, limit in _ROLES.items()]
        self._add("memory", _mean(np.maximum(*used)))
        if "process-age" in self.signals.signals:
            self._add("process-age", dict.fromkeys(_ROLES, self._age))

    def _memory(self) -> Array:
        """The largest pod: it rises after each start, more or less quickly, and levels off.

        Measured on this platform: api from 132 to 155 MiB in 16 minutes, worker from 147 to 164 MiB in four.
        """
        level, steps = self._chance.uniform(95, 140), np.zeros(self._count)
        found = np.zeros(self._count)
        starts = [int(at / STEP_SECONDS) for at in DEPLOYMENTS if at < self.hours * 3600]
        for first, last in zip(starts, [*starts[1:], self._count], strict=True):
            settle = 60 * float(np.exp(self._chance.uniform(np.log(2), np.log(25))))
            risen = 1 - self._chance.uniform(0.08, 0.3) * np.exp(-self._age[first:last] / settle)
            found[first:last] = level * self._chance.uniform(0.97, 1.03) * risen
            # The heap of a process grows in steps, of which some do not shrink again.
            grown = self._chance.random(last - first) < STEP_SECONDS / 7200
            steps[first:last] = np.cumsum(grown * self._chance.uniform(1, 5, last - first))
        return _MIB * (found + np.minimum(steps, 15) + 2 * self._load + self._wander(0.6, 120))

    def _add_queue(self) -> None:
        age = self._chance.exponential(0.4, self._count) * (1 + 6 * self._busy)
        self._add("queue-age", age)
        times: Lines = {}
        for kind, rate in _JOBS.items():
            jobs = self._chance.poisson(np.maximum(0, rate * self._load * STEP_SECONDS))
            middle = self._chance.uniform(0.05, 0.4)
            times[kind] = _percentile(self._observed(jobs, middle * (1 + 0.5 * self._busy), 0.4))
        self._add("job-time", times)

    def _observed(self, counts: Array, median: Array, sigma: float) -> Array:
        """The observations of each step in the buckets of a histogram, for times around a median."""
        below = norm.cdf(np.log(np.array(BOUNDS)[None, :] / median[:, None]) / sigma)
        shares = np.diff(below, axis=1, prepend=0.0, append=1.0).clip(0)
        return self._chance.multinomial(counts, shares / shares.sum(axis=1, keepdims=True))

    def _wander(self, deviation: float, seconds: float) -> Array:
        """Noise whose correlation falls to 1/e within some seconds."""
        keep = float(np.exp(-STEP_SECONDS / seconds))
        steps = self._chance.normal(0, deviation * np.sqrt(1 - keep**2), self._count)
        found = np.empty(self._count)
        value = self._chance.normal(0, deviation)
        for index, step in enumerate(steps):
            value = keep * value + step
            found[index] = value
        return found


def _windows(values: Array) -> Array:
    """The sums over the last five minutes."""
    total = np.cumsum(values, axis=0)
    total[_RATE_STEPS:] = total[_RATE_STEPS:] - total[:-_RATE_STEPS]
    return total


def _rate(counts: Array) -> Array:
    return _windows(counts.astype(float)) / (_RATE_STEPS * STEP_SECONDS)


def _mean(values: Array) -> Array:
    return _windows(values) / np.minimum(np.arange(1, len(values) + 1), _RATE_STEPS)


def _percentile(observed: Array, share: float = 0.95) -> Array:
    """The percentile of the last five minutes as `histogram_quantile` interpolates it."""
    cumulative = np.cumsum(_windows(observed.astype(float)), axis=1)
    total = cumulative[:, -1]
    rank = share * total
    at = np.argmax(cumulative >= rank[:, None] - 1e-9, axis=1)
    inside = np.minimum(at, len(BOUNDS) - 1)
    upper = np.array(BOUNDS)[inside]
    lower = np.where(inside > 0, np.array(BOUNDS)[np.maximum(inside - 1, 0)], 0.0)
    rows = np.arange(len(total))
    below = np.where(inside > 0, cumulative[rows, np.maximum(inside - 1, 0)], 0.0)
    count = cumulative[rows, inside] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        value = lower + (upper - lower) * (rank - below) / count
    value = np.where(at == len(BOUNDS), BOUNDS[-1], value)
    return np.where(total > 0, value, np.nan)
