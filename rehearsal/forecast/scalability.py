"""The Universal Scalability Law: X(N) = g N / (1 + a (N - 1) + b N (N - 1)) (Gunther).

`g` is the throughput of one, `a` the contention, `b` the cost of coherence. The fit is a weighted linear
least squares of N / X, which is linear in (1, N - 1, N (N - 1)), with coefficients that are not negative.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

Point = tuple[float, float]
"""Concurrency and throughput."""
EXTRAPOLATION = 3.0
"""Times the measured range beyond which a value counts as extrapolated."""


class TooFewPointsError(ValueError):
    """A fit of three coefficients needs at least three different concurrencies."""


@dataclass(frozen=True)
class ScalabilityLaw:
    """Fitted coefficients and the range of concurrency that was measured."""

    single: float
    contention: float
    coherence: float
    measured: tuple[float, float]

    def throughput(self, concurrency: float) -> float:
        """Return the throughput X(N) in the unit of the measured one."""
        n = concurrency
        return self.single * n / (1 + self.contention * (n - 1) + self.coherence * n * (n - 1))

    @property
    def peak_concurrency(self) -> float:
        """Return N* = sqrt((1 - a) / b), above which throughput falls; infinite without a coherence cost."""
        if self.coherence <= 0:
            return math.inf
        return math.sqrt(max(0.0, 1 - self.contention) / self.coherence)

    @property
    def best_concurrency(self) -> float:
        """The concurrency with the highest throughput within the measured range."""
        return min(self.peak_concurrency, self.measured[1])

    def extrapolates(self, concurrency: float) -> str:
        """Return why a value at this concurrency is not covered by the measurement; empty if it is."""
        if concurrency > self.measured[1] * EXTRAPOLATION:
            return f"{concurrency:g} is more than {EXTRAPOLATION:g} times the measured {self.measured[1]:g}"
        if concurrency > self.peak_concurrency:
            return f"{concurrency:g} is beyond the fitted peak at {self.peak_concurrency:.0f}"
        return ""


def fit(points: Sequence[Point]) -> ScalabilityLaw:
    """Fit the law by relative error of N / X. Raises TooFewPointsError."""
    if len({n for n, _ in points}) < 3:
        raise TooFewPointsError("the Universal Scalability Law needs at least three concurrencies")
    best: tuple[float, list[float]] | None = None
    # The non-negative least squares of three coefficients: the best of all subsets that are not negative.
    for size in (3, 2, 1):
        for chosen in combinations(range(3), size):
            if 0 not in chosen:
                continue
            found = _least_squares(points, chosen)
            if found is not None and all(value >= 0 for value in found[1]):
                best = found if best is None or found[0] < best[0] else best
    assert best is not None, "a constant alone is never negative"
    c0, c1, c2 = best[1]
    numbers = [n for n, _ in points]
    return ScalabilityLaw(1 / c0, c1 / c0, c2 / c0, (min(numbers), max(numbers)))


def bootstrap(points: Sequence[Point], samples: int = 200, seed: int = 0) -> list[ScalabilityLaw]:
    """Fit resampled points; the spread of the fits is the uncertainty."""
    rng = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    laws: list[ScalabilityLaw] = []
    while len(laws) < samples:
        drawn = rng.choices(points, k=len(points))
        if len({n for n, _ in drawn}) >= 3:
            laws.append(fit(drawn))
    return laws


def interval(values: Sequence[float], share: float = 0.9) -> tuple[float, float]:
    """Return the central interval that contains this share of the values."""
    ordered = sorted(values)
    tail = (1 - share) / 2
    last = len(ordered) - 1
    return ordered[math.floor(tail * last)], ordered[math.ceil((1 - tail) * last)]


def _least_squares(points: Sequence[Point], chosen: Sequence[int]) -> tuple[float, list[float]] | None:
    rows = [([1.0, n - 1, n * (n - 1)], n / x) for n, x in points]
    size = len(chosen)
    matrix = [[0.0] * (size + 1) for _ in range(size)]
    for terms, y in rows:
        weight = 1 / (y * y)
        for i, a in enumerate(chosen):
            for j, b in enumerate(chosen):
                matrix[i][j] += weight * terms[a] * terms[b]
            matrix[i][size] += weight * terms[a] * y
    solved = _solve(matrix)
    if solved is None:
        return None
    full = [0.0, 0.0, 0.0]
    for index, value in zip(chosen, solved, strict=True):
        full[index] = value
    error = sum(((sum(c * t for c, t in zip(full, terms, strict=True)) - y) / y) ** 2 for terms, y in rows)
    return error, full


def _solve(matrix: list[list[float]]) -> list[float] | None:
    """Solve by Gaussian elimination with pivoting; None for a singular system."""
    size = len(matrix)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(matrix[row][column]))
        if abs(matrix[pivot][column]) < 1e-12:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        for row in range(size):
            if row != column:
                factor = matrix[row][column] / matrix[column][column]
                matrix[row] = [a - factor * b for a, b in zip(matrix[row], matrix[column], strict=True)]
    return [matrix[row][size] / matrix[row][row] for row in range(size)]
