"""Windows of a comparison by round, side and measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import geometric_mean
from typing import Any, Final

from loadtest.statistics.regression import Comparison, compare

SIDES: Final = ("base", "again", "change")
MEASURES: Final = ("P50", "P95")


@dataclass
class Samples:
    """Measured windows by side (`base`, `again`, `change`) and measure, in seconds.

    Only rounds with a valid window of every side count.
    """

    invalid: list[str] = field(default_factory=list)
    measured: list[dict[str, Any]] = field(default_factory=list)
    """All windows in the order in which they were measured, with those that were left out."""

    def add(self, side: str, values: Mapping[str, float], problems: Sequence[str], number: int) -> None:
        """Add a window of a round. One with problems, such as a generator that lagged, is left out."""
        self.measured.append({"round": number, "side": side, **values, "problems": list(problems)})
        if problems:
            self.invalid.append(f"{side}: {'; '.join(problems)}")

    @property
    def rounds(self) -> list[dict[str, dict[str, Any]]]:
        """The windows of each complete round, by side."""
        found: dict[int, dict[str, dict[str, Any]]] = {}
        for window in self.measured:
            if not window["problems"]:
                found.setdefault(window["round"], {})[window["side"]] = window
        return [each for _, each in sorted(found.items()) if len(each) == len(SIDES)]

    @property
    def complete(self) -> int:
        """The number of complete rounds, which is the number of windows of every side."""
        return len(self.rounds)

    def comparisons(self) -> list[Comparison]:
        """Return the comparison of every measure.

        Windows are aligned, as in the aligned rank test of Hodges and Lehmann (1962): those of a round are
        divided by their mean, and multiplied by that of all rounds. The ratio of two windows of a round is
        unchanged, and the speed of the machine may differ between rounds.
        """
        rounds = self.rounds
        found: list[Comparison] = []
        for measure in MEASURES:
            sides: dict[str, list[float]] = {side: [] for side in SIDES}
            means = [geometric_mean([each[side][measure] for side in SIDES]) for each in rounds]
            level = geometric_mean(means) if means else 0.0
            for each, mean in zip(rounds, means, strict=True):
                for side in SIDES:
                    sides[side].append(each[side][measure] / mean * level)
            found.append(compare(measure, sides["base"], sides["again"], sides["change"]))
        return found

    def as_json(self) -> dict[str, Any]:
        """Return all windows, and the comparisons."""
        return {
            "measured": self.measured,
            "invalid": self.invalid,
            "comparisons": [vars(each) for each in self.comparisons()],
        }
