"""The comparison of two versions: its false alarms, its power, and what makes it invalid."""

from __future__ import annotations

import random

import pytest

from loadtest.statistics.regression import compare


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


def test_a_slow_down_within_the_tolerance_is_not_a_regression() -> None:
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
