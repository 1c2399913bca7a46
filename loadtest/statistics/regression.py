"""Regression test of response times: three criteria, and a noise floor from A/A windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from loadtest.statistics.rank_tests import (
    hodges_lehmann,
    hodges_lehmann_interval,
    mann_whitney_p,
    probability_of_superiority,
)

MIN_WINDOWS: Final = 20
MAX_P: Final = 0.01
MIN_SUPERIORITY: Final = 0.8
TOLERANCE: Final = 0.05
"""Share of the base's median by which a change may be slower."""

State = Literal["same", "slower", "faster", "invalid"]


@dataclass(frozen=True)
class Comparison:
    """The comparison of one measure. Shifts are shares of the base's median; positive is slower."""

    measure: str
    state: State
    p: float
    shift: float
    interval: tuple[float, float]
    superiority: float
    noise: float
    reason: str = ""

    def text(self) -> str:
        """Return the comparison as one line."""
        if self.state == "invalid":
            return f"{self.measure}: invalid, {self.reason}"
        low, high = self.interval
        return (
            f"{self.measure}: {self.state}, shift {self.shift:+.1%} ({low:+.1%} to {high:+.1%}), "
            f"p {self.p:.2g}, "
            f"superiority {self.superiority:.2f}, noise floor {self.noise:.1%}"
        )


def compare(
    measure: str,
    base: Sequence[float],
    again: Sequence[float],
    change: Sequence[float],
    tolerance: float = TOLERANCE,
) -> Comparison:
    """Compare windows of the change with those of the base; larger values are slower.

    `again` are further windows of the base from the same session. They set the noise floor: the bound of the
    interval of the shift between two measurements of one version. The change is slower if Mann-Whitney's p is
    small, the whole interval exceeds tolerance and noise, and its windows are larger in at least 80 % of the
    pairs. Too few windows, or a base that differs from itself, make the comparison invalid.
    """
    min_windows = min(len(base), len(again), len(change))
    if min_windows < MIN_WINDOWS:
        return _invalid(measure, f"{min_windows} windows; at least {MIN_WINDOWS} are needed")
    middle = median([*base, *again])
    if middle <= 0:
        return _invalid(measure, "the base has no positive median")
    noise = max(abs(each) / middle for each in hodges_lehmann_interval(base, again))
    self_superiority = probability_of_superiority(base, again)
    if mann_whitney_p(base, again) < MAX_P and not 1 - MIN_SUPERIORITY < self_superiority < MIN_SUPERIORITY:
        return _invalid(
            measure,
            f"two measurements of the base differ by {hodges_lehmann(base, again) / middle:+.1%}: "
            "the machine is too noisy",
        )
    both = [*base, *again]
    p, superiority = mann_whitney_p(both, change), probability_of_superiority(both, change)
    low, high = (each / middle for each in hodges_lehmann_interval(both, change))
    bound = max(tolerance, noise)
    state: State = "same"
    if p < MAX_P and low > bound and superiority >= MIN_SUPERIORITY:
        state = "slower"
    elif p < MAX_P and high < -bound and superiority <= 1 - MIN_SUPERIORITY:
        state = "faster"
    return Comparison(
        measure, state, p, hodges_lehmann(both, change) / middle, (low, high), superiority, noise
    )


def _invalid(measure: str, reason: str) -> Comparison:
    return Comparison(measure, "invalid", 1.0, 0.0, (0.0, 0.0), 0.5, 0.0, reason)
