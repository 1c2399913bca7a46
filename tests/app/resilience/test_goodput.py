"""The concurrency limiter in front of a simulated service with one processor and a simulated clock.

Every request waits 10 ms, as for a database, then needs the processor for 5 ms, one after the other; a
rejection needs it for 0.2 ms. The capacity is therefore 200 requests per second, whatever the load of the
machine that runs the test.
"""

from __future__ import annotations

import heapq
import random
import statistics
from dataclasses import dataclass, field

import pytest

from app.resilience.concurrency_limiter import ConcurrencyLimiter, Overloaded
from app.resilience.priority import RequestPriority

WAIT, BUSY, REFUSING = 0.010, 0.005, 0.0002
CAPACITY = 1 / BUSY
SECONDS = 20.0


@dataclass
class Simulated:
    """Outcome of the arrivals of ``SECONDS``, after as many that only warm the limiter up."""

    took: dict[RequestPriority, list[float]] = field(
        default_factory=lambda: {priority: list[float]() for priority in RequestPriority}
    )
    rejected: dict[RequestPriority, int] = field(default_factory=lambda: dict.fromkeys(RequestPriority, 0))

    @property
    def times(self) -> list[float]:
        return [seconds for times in self.took.values() for seconds in times]

    @property
    def goodput(self) -> float:
        """Responses per second within half a second."""
        return sum(seconds < 0.5 for seconds in self.times) / SECONDS

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.times, n=20)[-1]


def simulate(
    rate: float, seed: int, urgencies: tuple[RequestPriority, ...] = (RequestPriority.READ,)
) -> Simulated:
    """Arrivals by chance (Poisson), ``rate`` a second."""
    chance = random.Random(seed)
    now = free_at = arrival = 0.0
    gate = ConcurrencyLimiter(clock=lambda: now)
    leaving: list[tuple[float, float, RequestPriority]] = []
    result = Simulated()
    while arrival < 2 * SECONDS:
        arrival += chance.expovariate(rate)
        while leaving and leaving[0][0] <= arrival:
            now, entered, priority = heapq.heappop(leaving)
            gate.release("GET /work", entered)
            if now > SECONDS:
                result.took[priority].append(now - entered)
        now = arrival
        priority = chance.choice(urgencies)
        try:
            entered = gate.acquire(priority)
        except Overloaded:
            free_at = max(free_at, now) + REFUSING
            result.rejected[priority] += now > SECONDS
        else:
            free_at = max(free_at, now + WAIT) + BUSY
            heapq.heappush(leaving, (free_at, entered, priority))
    return result


@pytest.mark.parametrize("seed", range(3))
def test_goodput_at_four_times_the_capacity_is_nearly_that_at_capacity(seed: int) -> None:
    at_capacity, at_four = simulate(CAPACITY, seed), simulate(4 * CAPACITY, seed)
    assert at_four.goodput >= 0.85 * at_capacity.goodput
    assert at_four.p95 < 0.5


def test_nothing_is_rejected_below_the_capacity() -> None:
    calm = simulate(0.7 * CAPACITY, 0)
    assert sum(calm.rejected.values()) == 0
    assert calm.goodput == pytest.approx(0.7 * CAPACITY, rel=0.05)


def test_critical_requests_are_admitted_under_overload() -> None:
    mixed = simulate(2 * CAPACITY, 0, tuple(RequestPriority))
    admitted = [
        len(mixed.took[priority]) / (len(mixed.took[priority]) + mixed.rejected[priority])
        for priority in RequestPriority
    ]
    assert admitted == sorted(admitted, reverse=True)
    assert admitted[RequestPriority.CRITICAL] > 0.9
    assert admitted[RequestPriority.BULK] < 0.3
