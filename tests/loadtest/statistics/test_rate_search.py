"""The search for the highest rate."""

from __future__ import annotations

import pytest

from loadtest.statistics.rate_search import search


def found(capacity: float, maximum: float = 3200.0) -> tuple[list[float], float]:
    tried: list[float] = []

    def measure(rate: float) -> bool:
        tried.append(rate)
        return rate <= capacity

    search(measure, 50.0, maximum, 3)
    return tried, max((rate for rate in tried if rate <= capacity), default=0.0)


@pytest.mark.parametrize("capacity", [60.0, 130.0, 333.0, 799.0, 1500.0])
def test_the_result_is_within_an_eighth_of_the_interval(capacity: float) -> None:
    tried, rate = found(capacity)
    top = max(tried)
    assert capacity - top / 2 / 8 <= rate <= capacity
    assert len(tried) == len(set(tried))


def test_a_platform_that_serves_nothing_has_no_rate() -> None:
    assert found(0.0) == ([50.0, 25.0, 12.5, 6.25], 0.0)


def test_the_search_ends_at_the_maximum() -> None:
    tried, rate = found(1e9)
    assert (max(tried), rate) == (3200.0, 3200.0)
