"""Rates over time: integral, scale, and impossible curves."""

from __future__ import annotations

import pytest

from rehearsal.scenarios.rate_curve import RateCurve

RAMP = RateCurve(((0.0, 0.0), (50.0, 40.0), (80.0, 40.0), (100.0, 10.0)))


def test_expected_arrivals_are_the_integral() -> None:
    assert RAMP.expected() == pytest.approx(1000 + 1200 + 500)
    assert RAMP.scaled(0.5).expected() == pytest.approx(1350)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (((0.0, 1.0),), "at least two points"),
        (((5.0, 1.0), (1.0, 1.0)), "order of time"),
        (((0.0, -1.0), (1.0, 1.0)), "not negative"),
        (((0.0, float("nan")), (1.0, 1.0)), "finite"),
    ],
)
def test_an_impossible_curve_is_refused(points: tuple[tuple[float, float], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RateCurve(points)


def test_the_rate_is_linear_between_points_and_zero_outside() -> None:
    assert (RAMP.rate(25.0), RAMP.rate(60.0), RAMP.rate(90.0)) == (20.0, 40.0, 25.0)
    assert (RAMP.rate(100.0), RAMP.rate(101.0), RAMP.rate(-1.0)) == (10.0, 0.0, 0.0)
