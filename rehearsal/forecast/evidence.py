"""The measurements, extrapolations and assumptions of a forecast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from rehearsal.forecast.calibration import Calibration, Estimate
from rehearsal.forecast.scalability import EXTRAPOLATION
from rehearsal.forecast.simulation import Forecast

Kind = Literal["measured", "extrapolated", "assumed"]
_COMPONENTS: Final = ("api", "worker", "mongodb", "redis", "envoy")


@dataclass(frozen=True)
class Evidence:
    """One statement that a forecast is based on."""

    kind: Kind
    text: str


def evidence(forecast: Forecast) -> list[Evidence]:
    """Return the statements, in the order measured, extrapolated, assumed."""
    calibration = forecast.calibration
    return [
        *(Evidence("measured", text) for text in _measured(calibration)),
        *(Evidence("extrapolated", text) for text in _extrapolated(forecast)),
        *(Evidence("assumed", text) for text in _assumed(calibration)),
    ]


def _measured(calibration: Calibration) -> Iterator[str]:
    found, law = calibration.scalability, calibration.scalability.law
    yield f"on {calibration.origin}"
    costs = (
        f"{name} {_interval(calibration.cpu[name], 1000)}" for name in _COMPONENTS if name in calibration.cpu
    )
    yield f"CPU of a request in ms (5th to 95th percentile of the windows): {', '.join(costs)}"
    if calibration.redis is not None:
        redis = ", ".join(f"{use} {each * 1e6:.0f}" for use, each in calibration.redis.request.items())
        yield (
            f"CPU of a request in µs on a busy Redis, by repeating recorded commands: {redis}; "
            f"{calibration.redis.delivery * 1e6:.2f} for each pod that receives invalidations"
        )
    yield (
        f"response time at {calibration.rates[0]:.0f} requests/s: median "
        f"{calibration.quantiles[len(calibration.quantiles) // 2] * 1000:.0f} ms, with "
        f"{calibration.utilization:.0%} of the cores in use"
    )
    yield (
        f"throughput rises up to {law.best_concurrency:.0f} requests in flight, "
        f"{law.throughput(law.best_concurrency):.0f} requests/s on {calibration.cores} cores, with "
        f"{_interval(found.usable, 100)} % of their CPU (Universal Scalability Law with contention "
        f"{_interval(found.contention)} and coherence {_interval(found.coherence)}, "
        f"at {law.measured[0]:.1f} to {law.measured[1]:.0f} requests in flight)"
    )


def _extrapolated(forecast: Forecast) -> Iterator[str]:
    calibration, seconds = forecast.calibration, forecast.seconds
    highest, peak = calibration.rates[1], max(each.rate for each in seconds)
    if peak > highest * EXTRAPOLATION:
        pods = max(each.api for each in seconds)
        yield (
            f"{peak:,.0f} requests/s is {peak / highest:,.0f} times the highest measured rate: {pods} "
            f"replicas of api with {pods * forecast.platform.api.cpu_limit:g} cores are taken to serve in "
            f"proportion to the {calibration.cores} cores of the measurement"
        )
    backlog = max(each.backlog for each in seconds)
    if backlog > calibration.scalability.law.measured[1]:
        yield (
            f"up to {backlog:,.0f} requests wait, more than the measured "
            f"{calibration.scalability.law.measured[1]:.0f} in flight: throughput is taken not to fall more"
        )


def _assumed(calibration: Calibration) -> Iterator[str]:
    given = calibration.assumptions
    yield (
        f"a pod starts in {given.pod_start:g} s, a node in {given.node_start:g} s; "
        f"metrics are {given.metrics_delay:g} s old"
    )
    yield "a core of the cloud is as fast as one of the measured machine, and Atlas as fast as its database"


def _interval(estimate: Estimate, factor: float = 1.0) -> str:
    low, mean, high = (f"{each * factor:.3g}" for each in (estimate.low, estimate.mean, estimate.high))
    return f"{mean} ({low} to {high})"
