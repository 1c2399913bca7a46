"""Arrival times of an inhomogeneous Poisson process with a piecewise linear rate."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import pairwise

from rehearsal.scenarios.rate_curve import RateCurve


def arrivals(curve: RateCurve, rng: random.Random) -> Iterator[float]:
    """Yield the arrival times in seconds, in order, by inversion of the integrated rate.

    Unit exponential gaps are mapped through the inverse of the integral (Cinlar 1975), so that the number of
    arrivals in any window has a Poisson distribution.
    """
    due = rng.expovariate(1.0)
    for (start, low), (end, high) in pairwise(curve.points):
        seconds = end - start
        area = seconds * (low + high) / 2
        while due < area:
            yield start + _inverse(due, low, (high - low) / seconds)
            due += rng.expovariate(1.0)
        due -= area


def _inverse(area: float, rate: float, slope: float) -> float:
    """Return the time after which a rate that starts at ``rate`` and changes by ``slope`` has this integral.

    The stable form of the root of ``slope / 2 * t^2 + rate * t = area``.
    """
    root = math.sqrt(max(0.0, rate * rate + 2.0 * slope * area))
    return 2.0 * area / (rate + root)
