"""Results as aligned lines, as JSON, or as the table of docs/benchmarks.md."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from benchmarks._benchmark import Benchmark, Measurement

Status = Literal["met", "missed", "failed", "not run"]

FIGURE = 14
COLUMNS = ("benchmark", "ours", "peer or floor", "ratio", "target", "status")


@dataclass(frozen=True)
class Outcome:
    """A benchmark after its run.

    Attributes:
        measurement: None if it failed or could not be run.
        status: `failed` when it raised, `not run` when this machine lacks what it needs.
        note: the measurement's note, or the reason for its absence.
        seconds: duration of the measurement, wall clock.
    """

    benchmark: Benchmark
    status: Status
    measurement: Measurement | None
    note: str
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON: `ours`, `peer_value` and `ratio` are null if the measurement is missing."""
        figures = asdict(self.measurement) if self.measurement else {}
        return {
            "name": self.benchmark.name,
            "peer": self.benchmark.peer,
            "unit": self.benchmark.unit,
            "target": self.benchmark.target,
            "ours": figures.get("ours"),
            "peer_value": figures.get("peer"),
            "ratio": figures.get("ratio"),
            "status": self.status,
            "note": self.note,
            "seconds": round(self.seconds, 3),
        }


def figure(value: float, unit: str) -> str:
    """Format with three significant digits and the unit: `1.53 s`, `238 MB`, `32,900 req/s`."""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}"


def markdown(outcomes: Iterable[Outcome]) -> str:
    """Return the table of docs/benchmarks.md."""
    lines = [
        "| benchmark | ours | peer or floor | ratio | target | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for outcome in outcomes:
        benchmark, measurement = outcome.benchmark, outcome.measurement
        ours, peer, ratio = "", benchmark.peer, ""
        if measurement:
            ours = figure(measurement.ours, benchmark.unit)
            peer = f"{figure(measurement.peer, benchmark.unit)} {benchmark.peer}"
            ratio = f"{measurement.ratio:.3g}"
        lines.append(
            f"| `{benchmark.name}` | {ours} | {peer} | {ratio} | {benchmark.target} | {outcome.note} |"
        )
    return "\n".join(lines)


class Table:
    """Lines of columns whose widths are known in advance, so that each line is printed when it is ready."""

    def __init__(self, benchmarks: Iterable[Benchmark]) -> None:
        listed = tuple(benchmarks)
        names = [benchmark.name for benchmark in listed]
        peers = [benchmark.peer for benchmark in listed]
        self.widths = (
            max(map(len, [COLUMNS[0], *names])),
            FIGURE,
            FIGURE + 2 + max(map(len, ["", *peers])),
            6,
            max(map(len, [COLUMNS[4], *(benchmark.target for benchmark in listed)])),
            len("not run"),
        )

    def heading(self) -> str:
        """Return the column titles."""
        return self._line(COLUMNS)

    def line(self, outcome: Outcome) -> str:
        """Return the line of one benchmark, with its note last."""
        benchmark, measurement = outcome.benchmark, outcome.measurement
        ours = peer = ratio = "-"
        if measurement:
            ours = figure(measurement.ours, benchmark.unit)
            peer = figure(measurement.peer, benchmark.unit)
            ratio = f"{measurement.ratio:.3g}"
        cells = (benchmark.name, ours, f"{peer}  {benchmark.peer}", ratio, benchmark.target, outcome.status)
        return f"{self._line(cells)}  {outcome.note}".rstrip()

    def _line(self, cells: tuple[str, ...]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, self.widths, strict=True)).rstrip()
