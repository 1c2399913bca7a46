"""The comparison of two versions as JSON and as one HTML file, with the settings that repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from loadtest.statistics.regression import MAX_P, MIN_SUPERIORITY, TOLERANCE, Comparison
from loadtest.statistics.samples import SIDES, Samples
from rehearsal.report.page import Page, Plot, Series, TableBlock, render

FORMAT: Final = 2
_NOTE: Final = (
    f"A change is slower if the p-value is below {MAX_P:g}, the whole interval of its shift is beyond"
    f" {TOLERANCE:.0%} and the noise floor, and its windows are slower in at least {MIN_SUPERIORITY:.0%} of"
    " the pairs."
)
_NAMES: Final = {"base": "base", "again": "base again", "change": "change"}


@dataclass(frozen=True)
class ComparisonSettings:
    """The versions that were compared, and the load.

    `began` is a date in ISO 8601, `base` the ref of the command line; `seconds` are those of a window, `rate`
    is in requests per second.
    """

    began: str
    machine: str
    base: str
    base_commit: str
    commit: str
    mix: str
    seconds: float
    rate: float
    accounts: int
    seed: int


def to_json(found: Samples, settings: ComparisonSettings) -> dict[str, Any]:
    """Return settings, windows and comparisons as JSON values."""
    return {"format": FORMAT, "kind": "comparison", **asdict(settings), **found.as_json()}


def result_line(comparisons: Sequence[Comparison]) -> str:
    """Return the result as one line."""
    for state, text in (("slower", "Slower"), ("invalid", "Invalid"), ("faster", "No regression; faster")):
        measures = [each.measure for each in comparisons if each.state == state]
        if measures:
            return f"{text}: {', '.join(measures)}"
    return "No regression"


def to_html(found: Samples, settings: ComparisonSettings) -> str:
    """Return the HTML report: the windows of each side by round, and the three criteria."""
    compared = found.comparisons()
    rounds = sorted({each["round"] for each in found.measured})
    states = {each.state for each in compared}
    return render(
        Page(
            f"Load comparison with {settings.base}",
            result_line(compared),
            False if "slower" in states else None if "invalid" in states else True,
            [
                ("base", f"{settings.base}, commit {settings.base_commit}"),
                ("change", f"commit {settings.commit or 'unknown'}"),
                ("windows", f"{settings.seconds:g} s each, {found.complete} of each side"),
                ("load", f"{settings.rate:g} requests/s, mix {settings.mix}, {settings.accounts} accounts"),
                ("seed", str(settings.seed)),
                ("began", settings.began),
                ("machine", settings.machine),
            ],
            [_criteria(compared), _left_out(found)],
            rounds,
            [
                Plot(
                    f"{each.measure} of a window",
                    "ms",
                    [Series(_NAMES[side], _by_round(found, side, each.measure, rounds)) for side in SIDES],
                )
                for each in compared
            ],
            notes=(_NOTE,),
            axis=("round", ""),
        )
    )


def _by_round(found: Samples, side: str, measure: str, rounds: Sequence[int]) -> list[float | None]:
    values = {
        each["round"]: 1000 * each[measure]
        for each in found.measured
        if each["side"] == side and not each["problems"]
    }
    return [values.get(number) for number in rounds]


def _criteria(compared: Sequence[Comparison]) -> TableBlock:
    rows = [
        (
            each.measure, each.state, f"{each.shift:+.1%}",
            f"{each.interval[0]:+.1%} to {each.interval[1]:+.1%}", f"{each.noise:.1%}", f"{each.p:.2g}",
            f"{each.superiority:.2f}", each.reason,
        )
        for each in compared
    ]  # fmt: skip
    return TableBlock(
        "Criteria",
        ("measure", "state", "shift", "interval", "noise floor", "p", "superiority", "reason"),
        rows,
        [number for number, each in enumerate(compared) if each.state in {"slower", "invalid"}],
    )


def _left_out(found: Samples) -> TableBlock:
    return TableBlock("Windows left out", ("reason",), [(each,) for each in found.invalid] or [("none",)])
