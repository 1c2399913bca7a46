"""The rule for rate limits: lines that cause a recommendation, and lines that must not."""

from __future__ import annotations

import math

import pytest

from rehearsal.monitoring.recommendations.rate_limits import rate_limits
from tests.rehearsal.monitoring.recommendations.lines import (
    Line,
    Lines,
    between,
    changed,
    mixed,
    rarely,
    run,
    with_gaps,
)

READS = 480 / 60  # per second, of a free account


def refused(rate: Line, limit: str = "read-free", **others: Line) -> Lines:
    names = {name.replace("_", "-"): {"": line} for name, line in others.items()}
    return {
        "rate-limited": {limit: rate},
        "requests": {"": 20.0},
        "response-time": {"": 0.05},
        "cpu": {"": 20.0},
        **names,
    }


def test_limits_that_refuse_while_capacity_is_free_are_raised() -> None:
    (found,) = run(rate_limits, refused(8.0), hours=168.0)
    assert (found.path, found.old) == (("kingdom:workload", "limitsFactor"), "1")
    # Twice the limit, plus 15 %.
    assert float(found.new) == pytest.approx(2.3)
    assert found.effect.now == pytest.approx(40.0)
    assert (found.effect.low, found.effect.high) == (0.0, 0.0)


def test_a_short_history_widens_the_interval() -> None:
    (found,) = run(rate_limits, refused(8.0), hours=3.0)
    assert 0 < found.effect.high <= found.effect.now


@pytest.mark.parametrize(
    ("lines", "hours"),
    [
        (refused(8.0, limit="sign-in"), 24.0),
        (refused(8.0, limit="failed"), 24.0),
        (refused(9.01 * READS), 24.0),
        (refused(lambda index: 8.0 if index % 20 == 0 else 0.0), 24.0),
        (refused(8.0, response_time=2.0), 24.0),
        (refused(8.0, cpu=95.0), 24.0),
        (refused(8.0, refused=1.0), 24.0),
        (refused(8.0), 2.0),
        (refused(with_gaps(8.0)), 3.0),
        (refused(math.nan), 24.0),
        (refused(0.0), 24.0),
        (refused(8.0, response_time=math.nan), 24.0),
        (refused(8.0, cpu=lambda index: 20.0 if index % 20 == 0 else None), 24.0),
        (refused(between(0, 720, 8.0, 0.0), cpu=between(0, 720, 99.0, 20.0)), 24.0),
        (refused(8.0, requests=math.nan), 24.0),
        (refused(-8.0), 24.0),
        (refused(1e12), 24.0),
    ],
    ids=[
        "guards-passwords",
        "guards-tokens",
        "abuse",
        "rarely",
        "slow",
        "cpu",
        "overload",
        "short",
        "gaps",
        "no-number",
        "nothing-refused",
        "response-time-unknown",
        "cpu-unknown",
        "only-while-busy",
        "requests-unknown",
        "below-zero",
        "extreme",
    ],
)
def test_rate_limits_are_not_recommended(lines: Lines, hours: float) -> None:
    assert run(rate_limits, lines, hours) == []


def test_the_max_factor_is_not_raised() -> None:
    config = changed("kingdom:workload", limitsFactor=1000)
    assert run(rate_limits, refused(1000.0), config=config) == []


@pytest.mark.parametrize(
    "lines",
    [
        refused(mixed(8.0)),
        refused(8.0, response_time=rarely(5.0, 0.05)),
        refused(8.0, requests=between(0, 700, 20.0, None)),
        refused(between(0, 200, 8.0, 0.0)),
    ],
    ids=["not-finite", "slow-at-times", "gap-of-requests", "a-part-of-the-day"],
)
def test_refusals_count_at_moments_with_all_values(lines: Lines) -> None:
    (found,) = run(rate_limits, lines)
    assert 0 < found.effect.now <= 40.0
    assert float(found.new) == pytest.approx(2.3)
