"""Samples of a comparison: windows by side, and those left out."""

from __future__ import annotations

import random

from loadtest.statistics.samples import Samples


def values(p95: float) -> dict[str, float]:
    """The measures of one window."""
    return {"P50": p95 / 3, "P95": p95}


def samples(change: float) -> Samples:
    rng, found = random.Random(1), Samples()
    for _ in range(20):
        for side, factor in (("base", 1.0), ("again", 1.0), ("change", change)):
            found.add(side, values(0.1 * factor * rng.lognormvariate(0, 0.03)), [])
    return found


def test_a_slower_change_is_found_in_every_measure() -> None:
    assert [each.state for each in samples(1.3).comparisons()] == ["slower", "slower"]
    assert [each.state for each in samples(1.0).comparisons()] == ["same", "same"]


def test_a_window_in_which_the_generator_lagged_is_left_out() -> None:
    found = samples(1.0)
    found.add("base", values(9.0), ["the scheduler lagged"], 20)
    assert found.as_json()["measured"][-1] == {
        "round": 20, "side": "base", "P50": 3.0, "P95": 9.0, "problems": ["the scheduler lagged"],
    }  # fmt: skip
    assert found.invalid == ["base: the scheduler lagged"]
    assert len(found.windows["base"]["P95"]) == 20
    assert found.as_json()["comparisons"][0]["state"] == "same"
