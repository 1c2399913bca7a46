from __future__ import annotations

import contextlib

from app.resilience.concurrency_limiter import Gate, Overloaded
from app.resilience.priority import Urgency


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def answer(gate: Gate, clock: Clock, *, together: int, seconds: float, rounds: int) -> None:
    """``together`` requests at a time, each as long as ``seconds``."""
    for _ in range(rounds):
        entered = [gate.enter(Urgency.VITAL) for _ in range(min(together, int(gate.limit)))]
        clock.now += seconds
        for moment in entered:
            gate.leave("GET /v1/contents", moment)


def test_the_less_urgent_is_refused_first_and_the_vital_last() -> None:
    gate = Gate(first=20)
    counts = dict.fromkeys(Urgency, 0)
    for urgency in reversed(Urgency):
        with contextlib.suppress(Overloaded):
            while True:
                gate.enter(urgency)
                counts[urgency] += 1
    assert list(counts.values()) == [2, 3, 5, 10]


def test_the_limit_shrinks_while_requests_take_longer_than_at_leisure() -> None:
    clock = Clock()
    gate = Gate(first=64, clock=clock)
    answer(gate, clock, together=1, seconds=0.01, rounds=20)
    answer(gate, clock, together=64, seconds=0.5, rounds=40)
    assert gate.limit < 20


def test_the_limit_grows_while_it_is_used_and_nothing_gets_slower() -> None:
    clock = Clock()
    gate = Gate(first=16, clock=clock)
    answer(gate, clock, together=1_000, seconds=0.01, rounds=1_000)
    assert gate.limit > 64


def test_an_idle_pod_keeps_its_limit() -> None:
    clock = Clock()
    gate = Gate(first=64, clock=clock)
    answer(gate, clock, together=2, seconds=0.01, rounds=400)
    assert gate.limit == 64


def test_every_place_comes_back() -> None:
    gate = Gate(first=8)
    for _ in range(1_000):
        gate.leave("GET /v1/feed", gate.enter(Urgency.BULK), sample=False)
    assert gate.inside == 0
