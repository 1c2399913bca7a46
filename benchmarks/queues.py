"""`app.queue` compared with SAQ and, on Redis 7, streaq: jobs per second, and start delay of urgent jobs.

Fifty callers each enqueue one job at a time, as requests of one process do; then one worker with ten slots
runs all of them. The job only counts. Redis has a core of its own if the machine has two.
"""

from functools import cache

from benchmarks import _sides
from benchmarks._benchmark import Benchmark, Measurement, NotMeasurableError
from benchmarks._sides import Figures, Server

JOBS = 4_000
ROUNDS = 3
LOW_JOBS = 20_000
BOUND_MS = 50.0


def _ours(server: Server) -> Figures:
    return _sides.ours("queue_ours", server.url, str(JOBS))


def _saq_side(server: Server) -> Figures:
    return _sides.peer("queue_saq", server.url, str(JOBS))


def _streaq_side(server: Server) -> Figures:
    return _sides.peer("queue_streaq", server.url, str(JOBS))


def _needs_redis_7() -> None:
    with _sides.redis() as server:
        if server.version < (7,):
            raise NotMeasurableError("streaq needs Redis 7: none on PATH")


@cache
def _saq() -> tuple[Figures, Figures]:
    """Run both sides alternately and return the medians."""
    return _sides.in_turns(ROUNDS, _ours, _saq_side)


@cache
def _streaq() -> tuple[Figures, Figures]:
    """Compare with streaq, if the server on PATH has FUNCTION (Redis 7)."""
    _needs_redis_7()
    return _sides.in_turns(ROUNDS, _ours, _streaq_side)


def _compare(sides: tuple[Figures, Figures], figure: str, target: float) -> Measurement:
    ours, theirs = sides
    note = f"{JOBS:,} jobs, median of {ROUNDS}"
    return Measurement.min_ratio(target, ours=ours[figure], peer=theirs[figure], note=note)


def urgent() -> Measurement:
    """Compare the milliseconds from enqueueing an urgent job to its start with the allowed maximum."""
    with _sides.redis() as server:
        figures = _sides.ours("queue_urgent", server.url, str(LOW_JOBS))
    note = f"behind {LOW_JOBS:,} jobs of 5 ms in {figures['slots']:.0f} slots; the slowest of 100"
    note += f", of which the median is {figures['median']:.3g} ms"
    return Measurement.max_ratio(1, ours=figures["slowest"], peer=BOUND_MS, note=note)


BENCHMARKS = [
    Benchmark("queue-add", "SAQ 0.26", "jobs/s", "≥ 3", lambda: _compare(_saq(), "added", 3)),
    Benchmark("queue-do", "SAQ 0.26", "jobs/s", "≥ 3", lambda: _compare(_saq(), "done", 3)),
    Benchmark("queue-add-streaq", "streaq 7.2", "jobs/s", "≥ 1", lambda: _compare(_streaq(), "added", 1)),
    Benchmark("queue-do-streaq", "streaq 7.2", "jobs/s", "≥ 1", lambda: _compare(_streaq(), "done", 1)),
    Benchmark("queue-urgent", "the bound", "ms", "≤ 1", urgent),
]
