"""Which resource limits first, at how many users, and what to change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from rehearsal.forecast.calibration import Calibration
from rehearsal.forecast.declared import DeclaredPlatform
from rehearsal.forecast.simulation import Forecast, Latency
from rehearsal.forecast.steady_state import cpu_target, replicas_by_cpu

# TGT1 in seconds: P50, P95, P99.
TARGETS: Final = (0.2, 0.5, 1.0)
SERVED_SHARE: Final = 0.99
ERROR_SHARE: Final = 0.01
_MAX_REPLICAS: Final = 10_000
# Above this share of its core, commands of other clients delay a Redis command visibly.
_REDIS_UTILIZATION: Final = 0.8


@dataclass(frozen=True)
class ResourceLimit:
    """A resource, the users at which it is exhausted (infinite: never within this stack), and the remedy."""

    resource: str
    users: float
    remedy: str


@dataclass(frozen=True)
class TargetResult:
    """A target, its limit and the forecast value, as texts, and whether it holds."""

    target: str
    limit: str
    value: str
    holds: bool


def limits(
    platform: DeclaredPlatform, calibration: Calibration, seconds_per_request: float, position: int = 0
) -> list[ResourceLimit]:
    """Return all limits in the order in which a growing number of users reaches them."""
    occupied = calibration.occupied("api", position)
    pods = min(platform.api.max_replicas, platform.api.pool.max_nodes * platform.api.pods_per_node)
    idle = calibration.occupied_without_load("api", position) / platform.api.cpu_limit
    rate = _highest_rate(pods, occupied / platform.api.cpu_limit, idle, Latency(calibration))
    per_pod = rate / pods
    # The workers connect first; where they need all connections, none is left for `api`.
    accepted = max(0, platform.connections // platform.connections_per_pod - platform.worker.max_replicas)
    found = [
        ResourceLimit(
            f"CPU of api at {pods} replicas",
            rate * seconds_per_request,
            "raise workload.api.maxReplicas (nodes, quota and connections follow)",
        ),
        ResourceLimit(
            f"{platform.connections} database connections, {platform.connections_per_pod} per pod",
            math.inf if accepted >= pods else accepted * per_pod * seconds_per_request,
            "raise database.minSize",
        ),
    ]
    redis = calibration.redis_cost(position)
    if redis is not None:
        name, redis_rate = redis.capacity(
            platform.separate_redis, pods + platform.worker.max_replicas, _REDIS_UTILIZATION
        )
        shared = f"Redis ({name}) at {_REDIS_UTILIZATION:.0%} of its core"
        remedy = (
            "give a use an instance of its own in cache.separate: Memorystore executes commands on one core"
        )
        found.append(ResourceLimit(shared, redis_rate * seconds_per_request, remedy))
    worker = calibration.cpu.get("worker")
    if worker is not None and worker.at(position) > 0:
        per_worker = max(0.0, platform.worker.cpu_limit - calibration.idle_of("worker"))
        capacity = platform.worker.max_replicas * per_worker
        found.append(
            ResourceLimit(
                f"CPU of worker at {platform.worker.max_replicas} replicas",
                capacity / worker.at(position) * seconds_per_request,
                "raise workload.worker.maxReplicas",
            )
        )
    if platform.client_rate is not None and 1 / seconds_per_request > platform.client_rate:
        found.append(
            ResourceLimit("rate limit of one client at the edge", 0.0, "raise edge.rates.api.requests")
        )
    return sorted(found, key=lambda each: each.users)


def _highest_rate(pods: int, service: float, idle: float, latency: Latency) -> float:
    """Return the highest rate at which TGT1 holds with a number of pods."""
    low, high = 0.0, pods / service
    for _ in range(30):
        middle = (low + high) / 2
        times = latency.percentiles(pods, middle, service, idle)
        ok = all(each < limit for each, limit in zip(times, TARGETS, strict=True))
        low, high = (middle, high) if ok else (low, middle)
    return low


def target_results(forecast: Forecast) -> list[TargetResult]:
    """Evaluate the targets over the whole forecast; percentiles are weighted by the requests per second."""
    seconds = forecast.seconds
    total = sum(each.rate for each in seconds)
    found = []
    for name, limit, values in (
        ("P50", TARGETS[0], [each.p50 for each in seconds]),
        ("P95", TARGETS[1], [each.p95 for each in seconds]),
        ("P99", TARGETS[2], [each.p99 for each in seconds]),
    ):
        missed = sum(each.rate for each, value in zip(seconds, values, strict=True) if value >= limit)
        share = missed / total if total else 0.0
        found.append(
            TargetResult(
                f"TGT1 {name}",
                f"< {limit * 1000:.0f} ms in 99% of the requests' seconds",
                f"missed in {share:.2%}, worst {max(values) * 1000:,.0f} ms",
                share <= 0.01,
            )
        )
    served = sum(each.served for each in seconds) / total if total else 0.0
    errors = sum(each.errors * each.rate for each in seconds) / total if total else 0.0
    peak = max(each.rate for each in seconds)
    found.append(
        TargetResult(
            "TGT2 requests served",
            f"≥ {SERVED_SHARE:.0%}",
            f"{min(1.0, served):.2%}, at most {peak:,.0f} requests/s",
            served >= SERVED_SHARE,
        )
    )
    found.append(TargetResult("TGT3 errors", f"< {ERROR_SHARE:.0%}", f"{errors:.2%}", errors < ERROR_SHARE))
    return found


def advice(forecast: Forecast, first: ResourceLimit, seconds_per_request: float) -> list[str]:
    """Return the changes that are required to serve the forecast peak, with their cost."""
    api, calibration = forecast.platform.api, forecast.calibration
    peak = max(each.rate for each in forecast.seconds)
    if first.users >= peak * seconds_per_request and all(each.holds for each in target_results(forecast)):
        return []
    percent = cpu_target(api)
    wanted = replicas_by_cpu(api, peak * calibration.cpu["api"].mean, calibration.idle_of("api"))
    needed = math.ceil(min(wanted, _MAX_REPLICAS))
    found = [f"first limit: {first.resource}: {first.remedy}"]
    if needed > api.max_replicas:
        more = math.ceil(needed / api.pods_per_node) - math.ceil(api.max_replicas / api.pods_per_node)
        found.append(
            f"at {peak:,.0f} requests/s the CPU target of {percent:.0%} needs {needed} replicas of api, "
            f"{api.max_replicas} are allowed: {needed - api.max_replicas} more are {more} nodes, "
            f"{more * api.pool.usd:.2f} USD/h at the peak"
        )
    return found
