"""Replicas and cost of a platform under a constant load, in closed form.

The autoscaler's fixed point: the replicas at which no metric is above its target. The metric of response
times is left out, since it follows from the load only through the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from policies.api import parse_quantity
from rehearsal.forecast.calibration import Calibration
from rehearsal.forecast.declared import DeclaredPlatform, Workload
from rehearsal.forecast.simulation import metric_kind

_DEFAULT_CPU_TARGET = 0.8


@dataclass(frozen=True)
class SteadyState:
    """Replicas of both roles, and the cost of an hour in USD."""

    api: int
    worker: int
    usd: float


def steady_state(
    platform: DeclaredPlatform, calibration: Calibration, rate: float, position: int = 0
) -> SteadyState:
    """Return the state at ``rate`` requests per second; ``position`` selects the estimate of CPU."""
    worker_cpu = calibration.cpu["worker"].at(position) if "worker" in calibration.cpu else 0.0
    api = _replicas(
        platform.api, rate, rate * calibration.cpu["api"].at(position), calibration.idle_of("api")
    )
    worker = _replicas(platform.worker, None, rate * worker_cpu, calibration.idle_of("worker"))
    usd = platform.fixed_usd + sum(
        _nodes(workload, replicas) * workload.pool.usd
        for workload, replicas in ((platform.api, api), (platform.worker, worker))
    )
    return SteadyState(api, worker, usd)


def cpu_target(workload: Workload) -> float:
    """Return the autoscaler's target as a share of the request; 0.8, Kubernetes' default, without one."""
    for metric in workload.autoscaler.get("metrics") or []:
        source = metric.get("resource") or {}
        if source.get("name") == "cpu":
            return float(source["target"]["averageUtilization"]) / 100
    return _DEFAULT_CPU_TARGET


def replicas_by_cpu(workload: Workload, cores: float, idle: float) -> float:
    """Return the replicas at which CPU is at the target: that of the requests plus a pod's CPU without load.

    Infinite if a pod without load is above the target.
    """
    per_pod = cpu_target(workload) * workload.cpu_request - idle
    return cores / per_pod if per_pod > 0 else math.inf


def _replicas(workload: Workload, rate: float | None, cores: float, idle: float) -> int:
    """Return the replicas for a rate of requests (None: not of this workload) that needs `cores`."""
    upper = min(workload.max_replicas, workload.pool.max_nodes * workload.pods_per_node)
    wanted = [min(replicas_by_cpu(workload, cores, idle), upper)]
    for metric in workload.autoscaler.get("metrics") or []:
        if rate is not None and metric_kind(metric) == "requests":
            target = next(each["target"] for each in metric.values() if isinstance(each, dict))
            per_pod = float(parse_quantity(str(target.get("averageValue"))) or 0)
            if per_pod > 0:
                wanted.append(rate / per_pod)
    # A quotient that is a whole number must not become one more by rounding errors.
    needed = math.ceil(max(wanted) - 1e-9)
    return max(workload.min_replicas, min(needed, upper))


def _nodes(workload: Workload, replicas: int) -> int:
    pool = workload.pool
    return max(pool.min_nodes, min(pool.max_nodes, math.ceil(replicas / workload.pods_per_node)))
