"""The comparison of two versions: its false alarms, its power, and what makes it invalid."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from loadtest.statistics.regression import MIN_WINDOWS, compare

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("recorded_windows.json").read_text())
"""Windows of running platforms. `base` and `again` are of one platform, `change` of another one of the same
commit, `slow` of the first one with every response delayed by 10 % of the time that it took."""


def windows(rng: random.Random, count: int = 20, factor: float = 1.0, spread: float = 0.05) -> list[float]:
    """P95 of windows: log-normal around 100 ms."""
    return [0.1 * factor * rng.lognormvariate(0, spread) for _ in range(count)]


def states(factor: float, spread: float, runs: int = 200, drift: float = 0.0) -> dict[str, int]:
    found: dict[str, int] = {}
    for seed in range(runs):
        rng = random.Random(seed)
        moved = rng.gauss(1, drift) if drift else 1.0
        state = compare(
            "P95",
            windows(rng, spread=spread),
            windows(rng, spread=spread),
            windows(rng, 20, factor * moved, spread),
        ).state
        found[state] = found.get(state, 0) + 1
    return found


def test_two_measurements_of_one_version_raise_no_alarm() -> None:
    found = states(1.0, spread=0.05)
    assert found.get("slower", 0) == found.get("faster", 0) == 0
    assert states(1.0, spread=0.2).get("slower", 0) <= 1


def test_a_slow_down_of_ten_percent_is_found() -> None:
    assert states(1.10, spread=0.03).get("slower", 0) >= 190
    assert states(0.90, spread=0.03).get("faster", 0) >= 190


def test_a_slow_down_within_the_tolerance_is_none() -> None:
    assert states(1.03, spread=0.03).get("slower", 0) == 0


def test_noise_hides_a_small_slow_down_instead_of_raising_alarms() -> None:
    found = states(1.10, spread=0.3)
    assert found.get("slower", 0) <= 2


@pytest.mark.parametrize("counts", [(19, 20, 20), (20, 5, 20), (20, 20, 0)])
def test_too_few_windows_are_invalid(counts: tuple[int, int, int]) -> None:
    rng = random.Random(1)
    base, again, change = (windows(rng, count) for count in counts)
    found = compare("P95", base, again, change)
    assert found.state == "invalid"
    assert f"{min(counts)} windows; at least 20 are needed" in found.text()


def test_a_base_that_differs_from_itself_is_invalid() -> None:
    rng = random.Random(1)
    found = compare("P95", windows(rng), windows(rng, factor=1.2), windows(rng, factor=1.2))
    assert found.state == "invalid"
    assert "the machine is too noisy" in found.reason


def test_the_text_has_the_figures_of_all_gates() -> None:
    rng = random.Random(1)
    text = compare("P95", windows(rng), windows(rng), windows(rng, factor=1.3)).text()
    assert text.startswith("P95: slower, shift +")
    assert "superiority" in text
    assert "noise floor" in text


def recorded_states(change: str, draws: int = 50) -> dict[str, Counter[str]]:
    """The states of comparisons that are drawn from the recorded windows, by measure.

    Each takes consecutive rounds from a random one on, around the end, until every side has 20 valid windows.
    Windows of one version in a round are assigned to its sides at random, as the order of a comparison is.
    """
    rounds: dict[int, dict[str, list[Any]]] = {}
    for number, side, *values in RECORDED["windows"]:
        rounds.setdefault(number, {})[side] = values
    order = sorted(rounds)
    found = {"P50": Counter[str](), "P95": Counter[str]()}
    for seed in range(draws):
        rng = random.Random(seed)
        start = rng.randrange(len(order))
        sides: dict[str, list[list[Any]]] = {"base": [], "again": [], "change": []}
        for number in [*order[start:], *order[:start]]:
            same = [side for side in sides if change == "change" or side != "change"]
            taken = {"change": change, **dict(zip(same, rng.sample(same, len(same)), strict=True))}
            for side, source in taken.items():
                *values, valid = rounds[number][source]
                if valid:
                    sides[side].append(values)
            if min(map(len, sides.values())) >= MIN_WINDOWS:
                break
        for index, measure in enumerate(found):
            base, again, changed = ([each[index] for each in windows] for windows in sides.values())
            found[measure][compare(measure, base, again, changed).state] += 1
    return found


def test_real_windows_of_one_version_raise_no_false_alarm() -> None:
    for found in recorded_states("change").values():
        assert found == {"same": 50}


def test_two_platforms_of_one_version_are_the_same() -> None:
    sides: dict[str, list[list[float]]] = {}
    for _, side, p50, p95, valid in RECORDED["windows"]:
        if valid:
            sides.setdefault(side, []).append([p50, p95])
    for index, measure in enumerate(("P50", "P95")):
        base, again, change = ([each[index] for each in sides[side]] for side in ("base", "again", "change"))
        assert compare(measure, base, again, change).state == "same"


def test_real_windows_of_three_seconds_hide_a_slow_down_of_ten_percent() -> None:
    # As published in docs/load-tests.md: the noise floor of such short windows is above 10 %.
    for found in recorded_states("slow").values():
        assert found == {"same": 50}
