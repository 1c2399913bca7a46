"""A rate, or a number of users, over time: linear between points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class RateCurve:
    """Arrivals per second over time, linear between points ``(seconds, rate)`` in order of time."""

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if len(self.points) < 2:
            raise ValueError("a rate curve needs at least two points")
        for (start, _), (end, _) in pairwise(self.points):
            if end < start:
                raise ValueError(f"the points of a rate curve are in order of time: {end:g} after {start:g}")
        if any(rate < 0 or not math.isfinite(rate) for _, rate in self.points):
            raise ValueError("rates are finite and not negative")

    @property
    def seconds(self) -> float:
        """Return the end of the curve in seconds."""
        return self.points[-1][0]

    def rate(self, at: float) -> float:
        """Return the rate at a time; 0 outside the curve. At a step, the rate after it."""
        found = 0.0
        for (start, low), (end, high) in pairwise(self.points):
            if start <= at < end:
                found = low + (high - low) * (at - start) / (end - start)
        return self.points[-1][1] if at == self.seconds else found

    def expected(self) -> float:
        """Return the expected number of arrivals: the integral of the rate."""
        return sum((end - start) * (low + high) / 2 for (start, low), (end, high) in pairwise(self.points))

    def scaled(self, factor: float) -> RateCurve:
        """Return the curve with every rate multiplied."""
        return RateCurve(tuple((at, rate * factor) for at, rate in self.points))
