from __future__ import annotations

import contextlib

from app.resilience.concurrency_limiter import ConcurrencyLimiter, Overloaded
from app.resilience.priority import RequestPriority


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def response(gate: ConcurrencyLimiter, clock: Clock, *, together: int, seconds: float, rounds: int) -> None:
    """``together`` requests at a time, each as long as ``seconds``."""
    for _ in range(rounds):
        entered = [gate.acquire(RequestPriority.CRITICAL) for _ in range(min(together, int(gate.limit)))]
        clock.now += seconds
        for moment in entered:
            gate.release("GET /v1/contents", moment)


def test_lower_priorities_are_rejected_first() -> None:
    gate = ConcurrencyLimiter(initial=20)
    counts = dict.fromkeys(RequestPriority, 0)
    for priority in reversed(RequestPriority):
        with contextlib.suppress(Overloaded):
            while True:
                gate.acquire(priority)
                counts[priority] += 1
    assert list(counts.values()) == [2, 3, 5, 10]


def test_limit_shrinks_while_latency_is_above_its_best() -> None:
    clock = Clock()
    gate = ConcurrencyLimiter(initial=64, clock=clock)
    response(gate, clock, together=1, seconds=0.01, rounds=20)
    response(gate, clock, together=64, seconds=0.5, rounds=40)
    assert gate.limit < 20


def test_lowest_limit_admits_a_burst_of_every_priority() -> None:
    clock = Clock()
    gate = ConcurrencyLimiter(initial=64, clock=clock)
    response(gate, clock, together=1, seconds=0.01, rounds=20)
    response(gate, clock, together=64, seconds=0.5, rounds=200)
    for _ in range(8):
        gate.acquire(RequestPriority.BULK)


def test_limit_grows_while_it_is_used_at_constant_latency() -> None:
    clock = Clock()
    gate = ConcurrencyLimiter(initial=16, clock=clock)
    response(gate, clock, together=1_000, seconds=0.01, rounds=1_000)
    assert gate.limit > 64


def test_idle_pod_does_not_change_its_limit() -> None:
    clock = Clock()
    gate = ConcurrencyLimiter(initial=64, clock=clock)
    response(gate, clock, together=2, seconds=0.01, rounds=400)
    assert gate.limit == 64


def test_released_requests_are_not_in_flight() -> None:
    gate = ConcurrencyLimiter(initial=16)
    for _ in range(1_000):
        gate.release("GET /v1/feed", gate.acquire(RequestPriority.BULK), sample=False)
    assert gate.in_flight == 0


def run(limiter: ConcurrencyLimiter, clock: Clock, *, count: int, seconds: float) -> None:
    """`count` concurrent requests that take `seconds`."""
    admitted = [limiter.acquire(RequestPriority.CRITICAL) for _ in range(count)]
    clock.now += seconds
    for acquired_at in admitted:
        limiter.release("GET /v1/contents", acquired_at)


def test_limit_is_adjusted_after_ten_samples_at_the_end_of_a_round() -> None:
    clock = Clock()
    early, few, due = (ConcurrencyLimiter(initial=16, clock=clock) for _ in range(3))
    run(few, clock, count=9, seconds=0.0)
    run(early, clock, count=16, seconds=0.09375)
    clock.now = 0.0
    for limiter, count in ((few, 0), (early, 0), (due, 16)):
        admitted = [limiter.acquire(RequestPriority.CRITICAL) for _ in range(count)]
        clock.now = 0.1
        for acquired_at in admitted:
            limiter.release("GET /v1/contents", acquired_at)
        clock.now = 0.0
    assert (early.limit, few.limit) == (16, 16)
    assert due.limit == 16 + 0.2 * 4, "grows by a fifth of its square root"


def test_tenth_sample_adjusts_the_limit() -> None:
    clock = Clock()
    for count, adjusted in ((9, False), (10, True)):
        clock.now = 0.0
        limiter = ConcurrencyLimiter(initial=16, clock=clock)
        run(limiter, clock, count=count, seconds=0.2)
        assert (limiter.limit != 16) == adjusted


def test_limit_is_adjusted_from_half_of_it_in_flight() -> None:
    clock = Clock()
    for count, adjusted in ((10, False), (11, True)):
        clock.now = 0.0
        limiter = ConcurrencyLimiter(initial=22, clock=clock)
        run(limiter, clock, count=count, seconds=0.2)
        assert (limiter.limit != 22) == adjusted


def test_limit_stays_between_its_bounds() -> None:
    clock = Clock()
    limiter = ConcurrencyLimiter(initial=16, min_limit=12, max_limit=20, clock=clock)
    for _ in range(200):
        run(limiter, clock, count=int(limiter.limit), seconds=0.01)
    assert limiter.limit == 20
    for _ in range(200):
        run(limiter, clock, count=int(limiter.limit), seconds=1.0)
    assert limiter.limit == 12


def test_lasting_change_of_latency_becomes_the_new_best_slowly() -> None:
    clock = Clock()
    limiter = ConcurrencyLimiter(clock=clock)
    run(limiter, clock, count=1, seconds=0.125)
    best = limiter._routes["GET /v1/contents"]
    clock.now = 29.0
    run(limiter, clock, count=1, seconds=0.5)
    assert best.best == 0.125
    clock.now = best.rotates_at - 0.5
    run(limiter, clock, count=1, seconds=0.5)
    assert best.best == 0.125, "the period's own best"
    clock.now = best.rotates_at - 0.5
    run(limiter, clock, count=1, seconds=0.5)
    assert abs(best.best - (0.125 * 1.1 + 0.0005)) < 1e-9
    run(limiter, clock, count=1, seconds=0.0625)
    assert best.best == 0.0625


def test_rejections_are_counted_by_priority() -> None:
    limiter = ConcurrencyLimiter(initial=16)
    for _ in range(8):
        limiter.acquire(RequestPriority.BULK)
    with contextlib.suppress(Overloaded):
        limiter.acquire(RequestPriority.BULK)
    assert limiter.rejected[RequestPriority.BULK] == 1
    assert limiter.rejected[RequestPriority.CRITICAL] == 0
    assert limiter.in_flight == 8, "a rejected request is not in flight"
    assert 1 <= Overloaded().retry_after <= 4
