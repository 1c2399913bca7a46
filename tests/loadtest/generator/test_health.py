"""Lateness and CPU use of the generator, and the runs that they invalidate."""

from __future__ import annotations

import re

from loadtest.generator.health import GeneratorHealth


def test_a_generator_that_lags_or_is_busy_makes_the_run_invalid() -> None:
    health = GeneratorHealth()
    health.start(0.0)
    for _ in range(100):
        health.late(0.001)
    assert health.problems() == []
    for _ in range(3):
        health.late(0.05)
    assert re.search(r"P99 (49|50)\.\d ms, at most 10 ms", health.problems()[0])
    busy = GeneratorHealth()
    busy.start(0.0)
    while busy._cpu_seconds() - busy._cpu_before < 0.05:
        sum(range(10_000))
    busy.stop(0.055)
    assert "of a core, at most 80%" in busy.problems()[0]
