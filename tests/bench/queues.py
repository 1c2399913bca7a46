"""`app.queue` beside SAQ and, on Redis 7, streaq: jobs a second, and how soon an urgent one starts.

Fifty callers add a job each at a time, as requests of one process do; then one worker with ten slots does all
of them. The job only counts. Redis has a core of its own where there are two.
"""

from functools import cache

from tests.bench import _sides
from tests.bench._benchmark import Benchmark, Measurement, NotMeasurableError
from tests.bench._sides import Figures

JOBS = 4_000
ROUNDS = 3
LOW_JOBS = 20_000
BOUND_MS = 50.0


@cache
def beside_saq() -> tuple[Figures, Figures]:
    """Both sides in turns, medians."""
    turns: list[tuple[Figures, Figures]] = []
    with _sides.redis() as server:
        for _ in range(ROUNDS):
            server.empty()
            ours = _sides.ours("queue_ours", server.url, str(JOBS))
            server.empty()
            turns.append((ours, _sides.peer("queue_saq", server.url, str(JOBS))))
    ours, theirs = zip(*turns, strict=True)
    return _sides.median(ours), _sides.median(theirs)


def _saq(figure: str) -> Measurement:
    ours, theirs = beside_saq()
    note = f"{JOBS:,} jobs, median of {ROUNDS}"
    return Measurement.at_least(3, ours=ours[figure], peer=theirs[figure], note=note)


@cache
def beside_streaq() -> tuple[Figures, Figures]:
    """As with SAQ, where the server on PATH has FUNCTION."""
    turns: list[tuple[Figures, Figures]] = []
    with _sides.redis() as server:
        if server.version < (7,):
            raise NotMeasurableError("streaq needs Redis 7: none on PATH")
        for _ in range(ROUNDS):
            server.empty()
            ours = _sides.ours("queue_ours", server.url, str(JOBS))
            server.empty()
            turns.append((ours, _sides.peer("queue_streaq", server.url, str(JOBS))))
    ours, theirs = zip(*turns, strict=True)
    return _sides.median(ours), _sides.median(theirs)


def _streaq(figure: str) -> Measurement:
    ours, theirs = beside_streaq()
    note = f"{JOBS:,} jobs, median of {ROUNDS}"
    return Measurement.at_least(1, ours=ours[figure], peer=theirs[figure], note=note)


def urgent() -> Measurement:
    """Milliseconds from adding an urgent job to its start, beside what is allowed."""
    with _sides.redis() as server:
        figures = _sides.ours("queue_urgent", server.url, str(LOW_JOBS))
    note = f"behind {LOW_JOBS:,} jobs of 5 ms in {figures['slots']:.0f} slots; the slowest of 100"
    note += f", of which the median is {figures['median']:.3g} ms"
    return Measurement.at_most(1, ours=figures["slowest"], peer=BOUND_MS, note=note)


BENCHMARKS = [
    Benchmark("queue-add", "SAQ 0.26", "jobs/s", "≥ 3", lambda: _saq("added")),
    Benchmark("queue-do", "SAQ 0.26", "jobs/s", "≥ 3", lambda: _saq("done")),
    Benchmark("queue-add-streaq", "streaq", "jobs/s", "≥ 1", lambda: _streaq("added")),
    Benchmark("queue-do-streaq", "streaq", "jobs/s", "≥ 1", lambda: _streaq("done")),
    Benchmark("queue-urgent", "the bound", "ms", "≤ 1", urgent),
]
