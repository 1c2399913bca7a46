"""Simulates a declared platform under load in steps of one second, with the rehearsal's own autoscaler.

Arrivals are modelled as a fluid; percentiles within a second follow from closed formulas (`queueing`). Load
beyond the capacity of a second is a backlog, which the next seconds serve first; requests that waited longer
than the timeout are errors. Envoy sends a request to the less loaded of two pods, which is modelled as
stations of two servers.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.forecast.calibration import Calibration
from rehearsal.forecast.declared import DeclaredPlatform, Workload
from rehearsal.forecast.queueing import Station
from rehearsal.host.kubernetes.hpa.algorithm import reconcile
from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerSpec,
    AutoscalerState,
    ControllerConfig,
    Observation,
    PodReading,
    PodReadings,
    PodState,
    Reading,
    Scale,
    UnavailableMetric,
)
from rehearsal.host.kubernetes.hpa.trace import reading_key
from rehearsal.scenarios.rate_curve import RateCurve

SYNC_SECONDS = 15
# Seconds with the first number of users, before the seconds that are reported.
WARM_UP_SECONDS = 600
TIMEOUT_SECONDS = 10.0
_STATION_SERVERS = 2
_LATENCY_POINTS = 400
PERCENTS = (50.0, 95.0, 99.0)


@dataclass(frozen=True)
class Second:
    """One second of the forecast. Times in seconds, `errors` a share; costs are USD per hour."""

    at: int
    users: float
    rate: float
    served: float
    errors: float
    p50: float
    p95: float
    p99: float
    api: int
    api_wanted: int
    worker: int
    nodes: int
    cpu: float
    redis: float
    connections: float
    backlog: float
    queue: float
    usd: float


@dataclass
class _Fleet:
    """Pods of one workload: ready ones, and starting ones with the second in which they become ready."""

    workload: Workload
    calibration: Calibration
    nodes: int = 0
    ready: int = 0
    wanted: int = 0
    starting: list[float] = field(default_factory=list)
    state: AutoscalerState = field(default_factory=AutoscalerState)
    spec: AutoscalerSpec = field(init=False)
    deciding: dict[str, int] = field(default_factory=dict)
    _node_ready: deque[float] = field(default_factory=deque)
    _pods: dict[int, list[PodState]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.spec = AutoscalerSpec.parse(self.workload.autoscaler)
        self.ready = self.wanted = self.workload.min_replicas
        self.nodes = max(self.workload.pool.min_nodes, math.ceil(self.ready / self.workload.pods_per_node))

    def step(self, now: float) -> None:
        """Complete the start of pods and nodes; add nodes for pods that fit on none."""
        while self._node_ready and self._node_ready[0] <= now:
            self._node_ready.popleft()
            self.nodes += 1
        done = [each for each in self.starting if each <= now]
        self.starting = [each for each in self.starting if each > now]
        self.ready = min(self.wanted, self.ready + len(done))
        capacity = self.nodes * self.workload.pods_per_node
        placed = self.ready + len(self.starting)
        while placed < min(self.wanted, capacity):
            self.starting.append(now + self.calibration.assumptions.pod_start)
            placed += 1
        needed = math.ceil(self.wanted / self.workload.pods_per_node)
        while self.nodes + len(self._node_ready) < min(needed, self.workload.pool.max_nodes):
            self._node_ready.append(now + self.calibration.assumptions.node_start)
        idle = max(self.workload.pool.min_nodes, needed)
        if not self._node_ready and self.nodes > idle and self.wanted <= self.ready:
            self.nodes = idle

    def sync(self, now: float, readings: dict[str, float], pods_ready: int) -> None:
        """Make one decision of the autoscaler. `readings` are values per pod in thousandths, by kind."""
        observed_pods = self._observed(pods_ready)
        observed = Observation(
            Scale(self.wanted, self.wanted),
            observed_pods,
            [self._reading(metric, readings, observed_pods, now) for metric in self.spec.metrics],
            [(self.workload.name, "default")],
        )

        def rescale(replicas: int) -> None:
            self.wanted = replicas
            self.ready = min(self.ready, replicas)
            self.starting = self.starting[: max(0, replicas - self.ready)]

        decision = reconcile(self.spec, self.state, observed, now, ControllerConfig(), rescale)
        proposals = [(count, index) for index, count in enumerate(decision.proposals) if count is not None]
        if proposals:
            max_count = max(count for count, _ in proposals)
            name = metric_kind(
                self.spec.metrics[next(index for count, index in proposals if count == max_count)]
            )
            self.deciding[name] = self.deciding.get(name, 0) + 1

    def _observed(self, count: int) -> list[PodState]:
        if count not in self._pods:
            requests = {
                "cpu": f"{self.workload.cpu_request * 1000:.0f}m",
                "memory": f"{self.workload.memory_request:.0f}",
            }
            spec = {"containers": [{"name": self.workload.name, "resources": {"requests": requests}}]}
            self._pods[count] = [
                PodState(f"pod-{index}", started=-1e6, ready_since=-1e6, spec=spec) for index in range(count)
            ]
        return self._pods[count]

    def _reading(
        self, metric: Mapping[str, Any], readings: dict[str, float], pods: list[PodState], now: float
    ) -> Reading:
        value = readings.get(metric_kind(metric))
        if value is None:
            return UnavailableMetric("not modelled")
        taken = now - self.calibration.assumptions.metrics_delay
        return PodReadings({pod.name: PodReading(round(value), taken) for pod in pods})


def metric_kind(metric: Mapping[str, Any]) -> str:
    """Return `cpu`, `memory`, `requests`, `response time` or `backlog` for a declared metric."""
    name = reading_key(metric)
    for part, kind in (("requests", "requests"), ("response", "response time"), ("backlog", "backlog")):
        if part in name:
            return kind
    return name.removesuffix("/")


@dataclass(frozen=True)
class Forecast:
    """All seconds of a simulation, and how often each metric decided the replicas of `api`."""

    platform: DeclaredPlatform
    calibration: Calibration
    seconds: list[Second]
    deciding: dict[str, int]

    @property
    def deciding_metric(self) -> str:
        """Return the metric that proposed the most replicas most often."""
        return max(self.deciding, key=lambda name: self.deciding[name]) if self.deciding else "none"


def simulate(
    platform: DeclaredPlatform,
    calibration: Calibration,
    users: RateCurve,
    seconds_per_request: float,
    position: int = 0,
) -> Forecast:
    """Simulate users over time.

    `position` chooses the low (-1), mean (0) or high (1) estimate of CPU per request.
    """
    simulation = _Simulation(platform, calibration, position)
    found: list[Second] = []
    for at in range(-WARM_UP_SECONDS, int(users.seconds)):
        present = users.rate(max(0.0, float(at)))
        second = simulation.step(at, present, present / seconds_per_request)
        if at >= 0:
            found.append(second)
        else:
            simulation.api.deciding.clear()
    return Forecast(platform, calibration, found, dict(simulation.api.deciding))


class _Simulation:
    """The platform in steps of one second: its pods, the requests that wait, and the queued jobs."""

    def __init__(self, platform: DeclaredPlatform, calibration: Calibration, position: int) -> None:
        self.api, self._worker = _Fleet(platform.api, calibration), _Fleet(platform.worker, calibration)
        self._platform, self._calibration = platform, calibration
        self._cpu = calibration.cpu["api"].at(position)
        self._occupied = calibration.occupied("api", position)
        # Cores that the requests of `api` had on the measured machine; its law counts requests in flight on
        # them.
        self._measured_cores = calibration.cores * self._cpu / calibration.total(position)
        of_worker = calibration.cpu.get("worker", calibration.cpu["api"]).at(position)
        self._per_job = of_worker / max(calibration.jobs, 1e-9)
        self._redis = calibration.redis_cost(position)
        self._without_load = calibration.occupied_without_load("api", position)
        self._latency = Latency(calibration)
        self._backlog = self._queue = 0.0

    def step(self, at: int, users: float, rate: float) -> Second:
        """Simulate the second `at` with a number of users, who send `rate` requests per second."""
        now, api, worker, platform = float(at), self.api, self._worker, self._platform
        api.step(now)
        worker.step(now)
        pods = api.ready + worker.ready
        capacity = self._capacity(pods)
        offered = rate + self._backlog
        served = min(offered, capacity)
        backlog = offered - served
        lost = max(0.0, backlog - capacity * TIMEOUT_SECONDS)
        self._backlog = backlog - lost
        p50, p95, p99 = self._response_times(served, capacity)
        used = served * self._cpu / max(1, api.ready) + self._calibration.idle_of("api")
        jobs = self._run_jobs(served)
        if at % SYNC_SECONDS == 0:
            self._sync(now, served, used, p95, jobs)
        redis, separate = self._redis, platform.separate_redis
        return Second(
            at,
            users,
            rate,
            served,
            lost / rate if rate else 0.0,
            p50,
            p95,
            p99,
            api.ready,
            api.wanted,
            worker.ready,
            api.nodes + worker.nodes,
            used / platform.api.cpu_limit,
            redis.utilization(separate, served, pods) if redis is not None else 0.0,
            pods * platform.connections_per_pod / platform.connections if platform.connections else 0.0,
            self._backlog,
            self._queue,
            platform.fixed_usd + api.nodes * platform.api.pool.usd + worker.nodes * platform.worker.pool.usd,
        )

    def _capacity(self, pods: int) -> float:
        """Return the requests per second that the ready pods of `api` and Redis can serve."""
        cores = self.api.ready * self._platform.api.cpu_limit
        in_flight = self._backlog * self._measured_cores / cores if cores else 0.0
        remaining = self._calibration.scalability.remaining(in_flight)
        capacity = max(0.0, cores - self.api.ready * self._without_load) / self._occupied * remaining
        # Redis executes commands on one core; beyond it, requests wait as they do for pods.
        if self._redis is not None:
            capacity = min(capacity, self._redis.capacity(self._platform.separate_redis, pods)[1])
        return capacity

    def _response_times(self, served: float, capacity: float) -> tuple[float, float, float]:
        """Return P50, P95 and P99 in seconds, including the wait behind the backlog."""
        limit = self._platform.api.cpu_limit
        p50, p95, p99 = self._latency.percentiles(
            self.api.ready, served, self._occupied / limit, self._without_load / limit
        )
        waited = self._backlog / capacity if capacity else TIMEOUT_SECONDS
        return p50 + waited, p95 + waited, p99 + waited

    def _run_jobs(self, served: float) -> float:
        """Add the jobs of the served requests to the queue; return how many the workers complete."""
        self._queue += served * self._calibration.jobs
        # A mix without jobs uses no CPU of `worker`.
        done = self._queue
        if self._per_job > 0:
            cores = self._worker.ready * self._platform.worker.cpu_limit
            done = min(self._queue, cores / self._per_job)
        self._queue -= done
        return done

    def _sync(self, now: float, served: float, used: float, p95: float, jobs: float) -> None:
        """Make a decision of each autoscaler. `used` are cores of one pod of `api`; `p95` is in seconds."""
        api, worker = self.api, self._worker
        api.sync(
            now,
            {
                "cpu": used * 1000,
                "memory": self._calibration.memory * 1000,
                "requests": served / max(1, api.ready) * 1000,
                "response time": p95 * 1000,
            },
            api.ready,
        )
        cores = jobs * self._per_job / max(1, worker.ready) + self._calibration.idle_of("worker")
        worker.sync(
            now,
            {
                "cpu": cores * 1000,
                "memory": self._platform.worker.memory_request * 0.5 * 1000,
                "backlog": self._queue / max(1, worker.ready) * 1000,
            },
            worker.ready,
        )


class Latency:
    """Percentiles of the response time: the times at low load plus the wait for a pod.

    `quantiles` are evenly spaced times at low load, by default those of the calibration's mix.
    """

    def __init__(self, calibration: Calibration, quantiles: tuple[float, ...] = ()) -> None:
        self._quantiles = quantiles or calibration.quantiles
        self._memo: dict[tuple[float, int], tuple[float, float, float]] = {}

    def percentiles(
        self, pods: int, rate: float, service: float, idle: float = 0.0
    ) -> tuple[float, float, float]:
        """Return P50, P95 and P99 in seconds. `idle` is a pod's utilization without requests."""
        utilization = min(0.999, rate * service / pods + idle) if pods else 0.999
        # Stations are alike, so that the number of pods matters only through the utilization.
        key = (service, round(utilization * _LATENCY_POINTS))
        if key not in self._memo:
            p50, p95, p99 = (
                self.percentile(percent, key[1] / _LATENCY_POINTS, service) for percent in PERCENTS
            )
            self._memo[key] = (p50, p95, p99)
        return self._memo[key]

    def percentile(self, percent: float, utilization: float, service: float) -> float:
        """Return one percentile in seconds at a utilization."""
        exact = min(0.999, utilization)
        station = Station(_STATION_SERVERS, exact * _STATION_SERVERS / service, service)
        return self._percentile(percent, station.waiting_probability, station.mean_wait_if_waiting)

    def _percentile(self, percent: float, waiting: float, mean: float) -> float:
        """Return a percentile of the sum of a measured time and a wait.

        The wait is exponential with probability `waiting`, otherwise 0.
        """
        low, high = 0.0, self._quantiles[-1] + mean * 20 + 1e-6
        for _ in range(40):
            middle = (low + high) / 2
            below = sum(
                1 - waiting * math.exp(-(middle - each) / mean) for each in self._quantiles if each <= middle
            ) / len(self._quantiles)
            low, high = (middle, high) if below < percent / 100 else (low, middle)
        return high
