"""The fit of the Universal Scalability Law: exact points, noise, and comparison with SciPy."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from rehearsal.forecast.scalability import Point, ScalabilityLaw, TooFewPointsError, bootstrap, fit, interval

NUMBERS = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]


@given(st.floats(10, 1000), st.floats(0, 0.3), st.floats(0, 0.01))
def test_exact_points_give_the_coefficients_back(single: float, contention: float, coherence: float) -> None:
    law = ScalabilityLaw(single, contention, coherence, (1, 32))
    found = fit([(n, law.throughput(n)) for n in NUMBERS])
    assert found.single == pytest.approx(single, rel=1e-4)
    assert found.contention == pytest.approx(contention, abs=1e-4)
    assert found.coherence == pytest.approx(coherence, abs=1e-5)


# The quadratic steps of scipy divide by zero for some exact fits; its result is right nevertheless.
@pytest.mark.filterwarnings("ignore::RuntimeWarning:scipy")
@settings(max_examples=40)
@given(st.lists(st.floats(0.5, 2.0), min_size=6, max_size=6))
@example([1.0] * 6)
def test_a_noisy_fit_is_the_one_of_scipy(noise: list[float]) -> None:
    points: list[Point] = [
        (n, 100 * n / (1 + 0.1 * (n - 1)) * f) for n, f in zip(NUMBERS, noise, strict=True)
    ]
    rows = [[x / n, x / n * (n - 1), x / n * n * (n - 1)] for n, x in points]
    reference = lsq_linear(rows, [1.0] * len(points), bounds=(0, math.inf), tol=1e-14).x
    found = fit(points)
    ours = [1 / found.single, found.contention / found.single, found.coherence / found.single]

    def error(coefficients: list[float]) -> float:
        return sum((sum(c * t for c, t in zip(coefficients, row, strict=True)) - 1) ** 2 for row in rows)

    assert error(ours) <= error(list(reference)) * (1 + 1e-6) + 1e-9


def test_the_peak_is_where_throughput_is_highest() -> None:
    law = ScalabilityLaw(100, 0.05, 0.002, (1, 16))
    best = max(range(1, 200), key=law.throughput)
    assert law.peak_concurrency == pytest.approx(best, abs=1)
    assert ScalabilityLaw(100, 0.05, 0.0, (1, 16)).peak_concurrency == math.inf


def test_values_outside_the_measurement_are_named() -> None:
    law = ScalabilityLaw(100, 0.05, 0.002, (1, 16))
    assert law.extrapolates(12) == ""
    assert "beyond the fitted peak at 22" in law.extrapolates(30)
    assert "more than 3 times the measured 16" in law.extrapolates(60)


def test_bootstrap_intervals_hold_the_truth() -> None:
    rng, law = random.Random(1), ScalabilityLaw(100, 0.1, 0.001, (1, 32))
    points = [(n, law.throughput(n) * rng.gauss(1, 0.03)) for n in NUMBERS for _ in range(4)]
    low, high = interval([each.throughput(24) for each in bootstrap(points, 100)])
    assert low < law.throughput(24) < high
    assert high / low < 1.2


def test_two_concurrencies_are_too_few() -> None:
    with pytest.raises(TooFewPointsError, match="at least three concurrencies"):
        fit([(1, 10), (2, 18), (2, 19)])
