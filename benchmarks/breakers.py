"""Overhead of a closed circuit breaker of `app.resilience`, compared with purgatory and hyx.

The figure is the duration in microseconds of a call that does nothing, through the breaker, in the fastest of
fifty rounds.
"""

from functools import cache

from benchmarks import _sides
from benchmarks._benchmark import Benchmark, Measurement
from benchmarks._sides import Figures

ROUNDS = 3
BOUND_US = 1.0


@cache
def comparison() -> tuple[Figures, Figures]:
    """Run both sides alternately and return the medians."""
    turns = [(_sides.ours("breaker_ours"), _sides.peer("breaker_peers")) for _ in range(ROUNDS)]
    ours, theirs = zip(*turns, strict=True)
    return _sides.median(ours), _sides.median(theirs)


def _closed(peer: str) -> Measurement:
    ours, theirs = comparison()
    note = f"under {BOUND_US:g} µs; a bare call takes {ours['bare']:.2g} µs; median of {ROUNDS}"
    ratio = ours["closed"] / theirs[peer]
    ok = ours["closed"] < BOUND_US and ratio < 1
    return Measurement(ours["closed"], theirs[peer], ratio, ok, note)


BENCHMARKS = [
    Benchmark("breaker-closed", "purgatory 3.0", "µs", "≤ 1", lambda: _closed("purgatory")),
    Benchmark("breaker-closed-hyx", "hyx 0.0.2", "µs", "≤ 1", lambda: _closed("hyx")),
]
