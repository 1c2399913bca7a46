"""Samples of a comparison: complete rounds, alignment, and recorded windows of running platforms."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from loadtest.statistics.regression import MIN_WINDOWS
from loadtest.statistics.samples import MEASURES, SIDES, Samples

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("recorded_windows.json").read_text())
"""The JSON of `kingdom load compare --base HEAD --windows 27 --seed 5`: both platforms are of one commit."""
DRAWS = 50


def values(p95: float) -> dict[str, float]:
    """The measures of one window."""
    return {"P50": p95 / 3, "P95": p95}


def samples(change: float, drift: float = 0.0, spread: float = 0.03, seed: int = 1) -> Samples:
    """Rounds of windows; with `drift`, the machine is slower by that share in the last one."""
    rng, found = random.Random(seed), Samples()
    for number in range(20):
        speed = 1 + drift * number / 19
        for side, factor in (("base", 1.0), ("again", 1.0), ("change", change)):
            found.add(side, values(0.1 * factor * speed * rng.lognormvariate(0, spread)), [], number)
    return found


def test_a_slower_change_is_found_in_every_measure() -> None:
    assert [each.state for each in samples(1.3).comparisons()] == ["slower", "slower"]
    assert [each.state for each in samples(1.0).comparisons()] == ["same", "same"]


def test_a_machine_that_becomes_slower_hides_no_slow_down() -> None:
    found = samples(1.12, drift=1.0).comparisons()[1]
    assert found.state == "slower"
    assert found.shift == pytest.approx(0.12, abs=0.03)
    assert samples(1.0, drift=1.0).comparisons()[1].state == "same"


def test_values_are_those_that_were_measured_on_average() -> None:
    found = Samples()
    for number, speed in enumerate((1.0, 4.0)):
        for side in SIDES:
            found.add(side, values(0.1 * speed), [], number)
    assert found.complete == 2
    # Too few windows for a comparison; without any there is none either.
    assert {each.state for each in found.comparisons()} == {"invalid"}
    assert {each.state for each in Samples().comparisons()} == {"invalid"}


def test_a_round_with_a_window_in_which_the_generator_lagged_does_not_count() -> None:
    found = samples(1.0)
    lagged = {"base": ["the scheduler lagged"]}
    for side in ("again", "base", "change"):
        found.add(side, values(9.0), lagged.get(side, []), 20)
    assert found.as_json()["measured"][-2] == {
        "round": 20, "side": "base", "P50": 3.0, "P95": 9.0, "problems": ["the scheduler lagged"],
    }  # fmt: skip
    assert found.invalid == ["base: the scheduler lagged"]
    assert found.complete == 20
    assert math.isclose(max(each["change"]["P95"] for each in found.rounds), 0.1, rel_tol=0.1)
    assert found.as_json()["comparisons"][0]["state"] == "same"


def recorded_states(factor: float, *, platforms: bool = False) -> Mapping[str, Counter[str]]:
    """The states of comparisons that are drawn from the recorded windows, by measure.

    Each has consecutive rounds from a random one on, around the end, in which the windows of the change took
    `factor` times as long. The windows of a round are assigned to the sides at random, or with `platforms`
    only those of the base.
    """
    rounds: dict[int, dict[str, Mapping[str, Any]]] = {}
    for window in RECORDED["measured"]:
        rounds.setdefault(window["round"], {})[window["side"]] = window
    found = {measure: Counter[str]() for measure in MEASURES}
    for seed in range(DRAWS):
        rng, drawn = random.Random(seed), Samples()
        start = rng.randrange(len(rounds))
        for number in range(start, start + len(rounds)):
            windows = rounds[number % len(rounds)]
            same = [side for side in SIDES if not platforms or side != "change"]
            sources = {"change": "change", **dict(zip(same, rng.sample(same, len(same)), strict=True))}
            for side, source in sources.items():
                scale = factor if side == "change" else 1.0
                times = {measure: windows[source][measure] * scale for measure in MEASURES}
                drawn.add(side, times, windows[source]["problems"], number)
            if drawn.complete >= MIN_WINDOWS:
                break
        for each in drawn.comparisons():
            found[each.measure][each.state] += 1
    return found


@pytest.mark.parametrize("platforms", [False, True])
def test_recorded_windows_of_one_version_raise_no_false_alarm(platforms: bool) -> None:
    for found in recorded_states(1.0, platforms=platforms).values():
        assert found["slower"] == found["faster"] == 0
        assert found["same"] >= 0.9 * DRAWS


# As published in docs/load-tests.md.
@pytest.mark.parametrize(
    ("factor", "slower"),
    [(1.1, {"P50": 37, "P95": 28}), (1.15, {"P50": 49, "P95": 46}), (1.2, {"P50": 50, "P95": 50})],
)
def test_slow_downs_of_recorded_windows_are_found(factor: float, slower: Mapping[str, int]) -> None:
    assert {measure: found["slower"] for measure, found in recorded_states(factor).items()} == slower
