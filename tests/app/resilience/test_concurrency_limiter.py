from __future__ import annotations

import contextlib

from app.resilience.concurrency_limiter import ConcurrencyLimiter, Overloaded
from app.resilience.priority import RequestPriority


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def answer(gate: ConcurrencyLimiter, clock: Clock, *, together: int, seconds: float, rounds: int) -> None:
    """``together`` requests at a time, each as long as ``seconds``."""
    for _ in range(rounds):
        entered = [gate.acquire(RequestPriority.CRITICAL) for _ in range(min(together, int(gate.limit)))]
        clock.now += seconds
        for moment in entered:
            gate.release("GET /v1/contents", moment)


def test_the_less_urgent_is_refused_first_and_the_vital_last() -> None:
    gate = ConcurrencyLimiter(initial=20)
    counts = dict.fromkeys(RequestPriority, 0)
    for priority in reversed(RequestPriority):
        with contextlib.suppress(Overloaded):
            while True:
                gate.acquire(priority)
                counts[priority] += 1
    assert list(counts.values()) == [2, 3, 5, 10]


def test_the_limit_shrinks_while_requests_take_longer_than_at_leisure() -> None:
    clock = Clock()
    gate = ConcurrencyLimiter(initial=64, clock=clock)
    answer(gate, clock, together=1, seconds=0.01, rounds=20)
    answer(gate, clock, together=64, seconds=0.5, rounds=40)
    assert gate.limit < 20


def test_the_limit_grows_while_it_is_used_and_nothing_gets_slower() -> None:
    clock = Clock()
    gate = ConcurrencyLimiter(initial=16, clock=clock)
    answer(gate, clock, together=1_000, seconds=0.01, rounds=1_000)
    assert gate.limit > 64


def test_an_idle_pod_keeps_its_limit() -> None:
    clock = Clock()
    gate = ConcurrencyLimiter(initial=64, clock=clock)
    answer(gate, clock, together=2, seconds=0.01, rounds=400)
    assert gate.limit == 64


def test_every_place_comes_back() -> None:
    gate = ConcurrencyLimiter(initial=8)
    for _ in range(1_000):
        gate.release("GET /v1/feed", gate.acquire(RequestPriority.BULK), sample=False)
    assert gate.in_flight == 0
