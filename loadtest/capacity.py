"""Find the highest rate of open arrivals at which TGT1 and TGT3 hold: doubling, then bisection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from loadtest.generator.accounts import Account
from loadtest.platform import Platform
from loadtest.redis_cost.recording import ReplayFailedError, recorded, repeated
from loadtest.report import FORMAT, run_json
from loadtest.run import Run, Settings, execute, observe_idle
from loadtest.statistics.rate_search import search
from rehearsal.scenarios.rate_curve import RateCurve

_FIRST_RATE: Final = 50.0
_BISECTIONS: Final = 3
# An invalid step is repeated this many times.
_ATTEMPTS: Final = 2
_MAX_RATE: Final = 3200.0
_IDLE_SECONDS: Final = 20.0
# A calibration uses response times at this rate, where requests rarely wait for each other.
_LOW_RATE: Final = 12.5


@dataclass(frozen=True)
class Step:
    """One constant rate and what was measured at it."""

    rate: float
    run: Run

    @property
    def invalid(self) -> list[str]:
        """Return why the step does not count."""
        return self.run.invalid()

    @property
    def holds(self) -> bool:
        """Whether TGT1 and TGT3 hold."""
        return not self.invalid and all(each.holds for each in self.run.findings())

    def text(self) -> str:
        """Return the step as one line."""
        total = self.run.total
        state = (
            f"invalid ({'; '.join(self.invalid)})" if self.invalid else "holds" if self.holds else "missed"
        )
        return (
            f"{self.rate:.0f} requests/s offered: {total.good_rate:.0f} good/s, "
            f"{total.in_flight:.1f} in flight, P50 {total.p50 * 1000:.0f}, "
            f"P95 {total.p95 * 1000:.0f}, P99 {total.p99 * 1000:.0f} ms, "
            f"errors {total.error_share:.2%}: {state}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the step's figures."""
        return {"rate": self.rate, "holds": self.holds, **run_json(self.run)}


@dataclass(frozen=True)
class Capacity:
    """The steps in the order in which they ran, samples of the platform without load, and the cost of Redis.

    `redis` is absent where the platform's Redis cannot be read or its commands cannot be repeated.
    """

    steps: list[Step]
    idle: list[dict[str, Any]]
    redis: dict[str, Any] | None = None

    @property
    def rate(self) -> float:
        """The highest rate at which the targets hold; 0 if there was none."""
        return max((step.rate for step in self.steps if step.holds), default=0.0)

    @property
    def invalid(self) -> bool:
        """Whether the generator, not the platform, ended the search."""
        return any(step.invalid for step in self.steps if step.rate > self.rate) and not any(
            not step.holds and not step.invalid for step in self.steps
        )

    def as_json(self) -> dict[str, Any]:
        """The input of a calibration."""
        return {
            "format": FORMAT,
            "kind": "capacity",
            "rate": self.rate,
            "invalid": self.invalid,
            "idle": self.idle,
            "redis": self.redis,
            "steps": [step.as_json() for step in self.steps],
        }

    def text(self) -> str:
        """Return the result as one line."""
        if self.invalid:
            return f"capacity: at least {self.rate:.0f} requests/s; the generator could not offer more"
        return (
            f"capacity: {self.rate:.0f} requests/s (the highest rate of arrivals at which TGT1 and TGT3 hold)"
        )


def find_capacity(
    platform: Platform,
    mix_name: str,
    mix: Mapping[str, float],
    seconds: float,
    accounts: int,
    seed: int,
    notice: Callable[[str], None],
) -> Capacity:
    """Measure constant rates until the highest one is found. Raises the errors of :func:`execute`."""
    steps: list[Step] = []
    prepared: list[Account] = []

    def step(rate: float, seconds: float = seconds) -> Step:
        users = RateCurve(((0.0, rate), (seconds, rate)))
        settings = Settings(f"{rate:.0f}/s", users, mix_name, mix, 1.0, 1.0, accounts, seed + len(steps))
        found = Step(rate, execute(settings, platform, prepared=prepared))
        prepared[:] = found.run.plan.prepared
        notice(found.text())
        return found

    def measure(rate: float) -> bool:
        for _ in range(_ATTEMPTS):
            steps.append(step(rate))
            if not steps[-1].invalid:
                break
        return steps[-1].holds

    # Not counted: the first requests open connections and fill caches, and autoscaling begins.
    notice("warming up")
    step(_FIRST_RATE)
    notice(f"without load for {_IDLE_SECONDS:.0f} s")
    with recorded(platform.state) as idle_commands:
        idle = observe_idle(platform, _IDLE_SECONDS)
    steps.append(step(_LOW_RATE, 2 * seconds))
    search(measure, _FIRST_RATE, _MAX_RATE, _BISECTIONS)
    notice("recording and repeating the commands of Redis")
    with recorded(platform.state) as commands:
        last = step(_FIRST_RATE)
    pods = [sum(each["replicas"].values()) for each in idle if each.get("replicas")]
    if not commands.outputs or not pods:
        return Capacity(steps, idle)
    try:
        cost = repeated(commands, idle_commands)
    except ReplayFailedError as error:
        notice(f"the cost of a busy Redis is not known: {error}")
        return Capacity(steps, idle)
    redis = {
        "requests": sum(second["completed"] for second in last.as_json()["seconds"]),
        "recordedSeconds": commands.seconds,
        "idleSeconds": idle_commands.seconds,
        "idlePods": fmean(pods),
        **cost,
    }
    return Capacity(steps, idle, redis)
