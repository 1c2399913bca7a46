"""A calibration and a platform with round numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rehearsal.forecast.calibration import Assumptions, Calibration, Estimate, MixOperation, Scalability
from rehearsal.forecast.declared import DeclaredPlatform, NodePool, Workload
from rehearsal.forecast.scalability import ScalabilityLaw
from rehearsal.forecast.simulation import Forecast, simulate
from rehearsal.scenarios.rate_curve import RateCurve

SECONDS_PER_REQUEST = 10.0


def autoscaler(low: int, high: int, *metrics: dict[str, Any]) -> dict[str, Any]:
    """An HPA spec with the CPU target of the stacks and their behavior."""
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 65}}}
    up = {
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    }
    down = {
        "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
        "stabilizationWindowSeconds": 300,
    }
    return {
        "minReplicas": low, "maxReplicas": high, "metrics": [cpu, *metrics],
        "behavior": {"scaleUp": up, "scaleDown": down},
    }  # fmt: skip


def calibration(api: float = 0.005, redis: float = 0.00005, worker: float = 0.001) -> Calibration:
    """5 ms of CPU per request of `api`, 4 to 13 ms response time at low load."""
    none, one = Estimate(0.0, 0.0, 0.0), Estimate(1.0, 1.0, 1.0)
    law = ScalabilityLaw(100.0, 0.2, 0.0, (1.0, 64.0))
    return Calibration(
        date="2026-11-25", machine="test, 2 cores, 8 GiB", cores=2, commit="abc", mix="mixed",
        rates=(50.0, 100.0),
        utilization=0.4, requests=400, cpu={name: Estimate(mean * 0.9, mean, mean * 1.1)
                              for name, mean in (("api", api), ("redis", redis), ("worker", worker))},
        idle={}, idle_pods={"api": 3.0, "worker": 3.0},
        scalability=Scalability(law, Estimate(0.1, 0.2, 0.3), none, one),
        operations={
            "GET /v1/feed": MixOperation(0.75, (0.004, 0.006, 0.008)),
            "POST /v1/contents": MixOperation(0.25, (0.012, 0.018, 0.024)),
        },
        quantiles=tuple(0.004 + 0.0005 * index for index in range(20)), memory=200 * 2**20, jobs=0.05,
        redis=None,
        assumptions=Assumptions(),
    )  # fmt: skip


def platform(max_replicas: int = 100, *, max_nodes: int = 20, connections: int = 6000) -> DeclaredPlatform:
    """100 replicas of one core that request half of it, 15 to a node."""
    nodes = NodePool("on-demand", 3, max_nodes, 7.9, 0.4)
    return DeclaredPlatform(
        stack="test",
        api=Workload("api", autoscaler(5, max_replicas), 0.5, 1.0, 768 * 2**20, nodes),
        worker=Workload("worker", autoscaler(3, 40), 0.5, 1.0, 2**30, NodePool("spot", 3, 9, 3.9, 0.1)),
        connections=connections, pool=25, fixed_usd=4.0, client_rate=10.0,
    )  # fmt: skip


def scalable(**changes: Any) -> Calibration:
    """A calibration with another scalability."""
    found = calibration()
    return replace(found, scalability=replace(found.scalability, **changes))


def forecast(
    users: float,
    seconds: float = 900.0,
    *,
    start: float | None = None,
    max_replicas: int = 100,
    position: int = 0,
) -> Forecast:
    """Users that grow from `start` in the first third of the time, then remain."""
    curve = RateCurve(((0.0, users if start is None else start), (seconds / 3, users), (seconds, users)))
    return simulate(platform(max_replicas), calibration(), curve, SECONDS_PER_REQUEST, position)
