"""Runs with given response times, without a platform."""

from __future__ import annotations

from typing import Any

from loadtest.generator.dispatcher import Plan
from loadtest.run import Run, Settings
from rehearsal.scenarios.rate_curve import RateCurve

BEGAN = 1_780_000_000.0
"""When runs began: seconds of the epoch (2026-05-28 20:26:40 UTC)."""


def run(
    seconds: int = 30,
    *,
    rate: int = 10,
    response: float = 0.1,
    errors: int = 0,
    endpoint: str = "GET /v1/feed",
    samples: list[dict[str, Any]] | None = None,
    lateness: float = 0.0,
) -> Run:
    """A run that has ended, of ``rate`` requests a second, with the responses after ``response`` seconds.

    In every second, ``errors`` of them have the class `HTTP 503`. Users are ten times the rate.
    """
    users = RateCurve(((0.0, rate * 10.0), (float(seconds), rate * 10.0)))
    settings = Settings("low", users, "mixed", {endpoint: 1.0}, 10.0, 0.2, 3, 7)
    plan = Plan(settings.rates, settings.mix, settings.accounts, settings.seed)
    for second in range(seconds):
        for number in range(rate):
            due = second + number / rate
            plan.recorder.done(endpoint, due, due, due + response, "HTTP 503" if number < errors else "")
    plan.health.late(lateness)
    return Run(settings, plan, BEGAN, samples or [])


def sample(at: float, *, desired: int = 2, outcome: str = "steady", **changes: Any) -> dict[str, Any]:
    """A sample of the observer ``at`` seconds after the start of a run, with two ready pods of `api`."""
    return {
        "at": BEGAN + at, "replicas": {"worker": 1, "api": 2}, "cpu": 0.5, "cpuOfOthers": 0.1,
        "memory": 300 * 2**20, "queue": None, "cacheHits": 0.9,
        "autoscalers": [
            {"name": "api", "desired": desired, "outcome": outcome, "metrics": ["cpu 60 % of 65 %"]}
        ],
    } | changes  # fmt: skip
