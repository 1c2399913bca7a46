"""Windows of a comparison by side and measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from loadtest.statistics.regression import Comparison, compare

SIDES: Final = ("base", "again", "change")


@dataclass
class Samples:
    """Measured windows by side (`base`, `again`, `change`) and measure, in seconds."""

    windows: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: {side: {"P50": list[float](), "P95": list[float]()} for side in SIDES}
    )
    invalid: list[str] = field(default_factory=list)
    measured: list[dict[str, Any]] = field(default_factory=list)
    """All windows in the order in which they were measured, with those that were left out."""

    def add(self, side: str, values: Mapping[str, float], problems: Sequence[str], number: int = 0) -> None:
        """Add a window of a round. One with problems, such as a generator that lagged, is left out."""
        self.measured.append({"round": number, "side": side, **values, "problems": list(problems)})
        if problems:
            self.invalid.append(f"{side}: {'; '.join(problems)}")
            return
        for measure, value in values.items():
            self.windows[side][measure].append(value)

    @property
    def complete(self) -> int:
        """The number of windows that every side has."""
        return min(len(values) for side in self.windows.values() for values in side.values())

    def comparisons(self) -> list[Comparison]:
        """Return the comparison of every measure."""
        base, again, change = (self.windows[side] for side in SIDES)
        return [compare(name, base[name], again[name], change[name]) for name in base]

    def as_json(self) -> dict[str, Any]:
        """Return windows and comparisons."""
        return {
            "windows": self.windows,
            "measured": self.measured,
            "invalid": self.invalid,
            "comparisons": [vars(each) for each in self.comparisons()],
        }
