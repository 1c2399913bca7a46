"""A history as text, as JSON, and as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from loadtest.history.changes import NEWEST, Change, Group
from loadtest.history.entry import ALL, Entry
from rehearsal.report.page import Limit, Marker, Page, Plot, Series, TableBlock, render

_COLUMNS: Final = ("date", "commit", "seed", "requests", "P50", "P95", "P99", "errors", "capacity")
_CHANGES: Final = ("endpoint", "measure", "shift", "begins with", "last before", "date", "runs since", "")


def to_text(groups: Sequence[Group]) -> str:
    """Tables of all runs, and their change points."""
    if not groups:
        return "No run is recorded. `kingdom load run low --record` records one."
    blocks: list[str] = []
    for group in groups:
        rows = [_COLUMNS, *(_row(entry) for entry in group.entries)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
        lines = [group.machine, group.title]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        changes = group.changes()
        lines += [change.text() for change in changes] or ["no change points"]
        blocks.append("\n".join([*lines, group.needed()]))
    failed = failures(groups)
    result = f"{len(failed)} regressions in the newest {NEWEST} runs" if failed else "no regression"
    return "\n\n".join([*blocks, result])


def failures(groups: Sequence[Group]) -> list[Change]:
    """Return the regressions for which `kingdom load history` fails."""
    return [change for group in groups for change in group.changes() if change.failed]


def to_json(groups: Sequence[Group]) -> dict[str, Any]:
    """All runs and change points."""
    return {
        "format": 1,
        "kind": "history",
        "groups": [
            {
                "machine": group.machine,
                "settings": group.title,
                "runs": msgspec.to_builtins(group.entries),
                "changes": [change.as_json() for change in group.changes()],
                "needed": group.needed(),
            }
            for group in groups
        ],
        "regressions": len(failures(groups)),
    }


def to_html(group: Group) -> str:
    """The report of one group: plots over the runs, with the change points."""
    changes = group.changes()
    failed = [change for change in changes if change.failed]
    return render(
        Page(
            f"Load test history: {group.title}",
            "; ".join(change.text() for change in failed) or "no regression in the newest runs",
            not failed,
            [
                ("machine", group.machine),
                ("settings", group.title),
                ("runs", str(len(group.entries))),
                ("evidence", group.needed()),
            ],
            [_changes(changes), TableBlock("Runs", _COLUMNS, [_row(entry) for entry in group.entries])],
            list(range(len(group.entries))),
            _plots(group),
            [Marker(float(group.entries.index(change.first)), change.text()) for change in changes],
            ("Runs are numbered from 0, by date.",),
            ("run", ""),
        )
    )


def _changes(changes: Sequence[Change]) -> TableBlock:
    rows = [
        (
            change.endpoint, change.measure, change.size, change.first.commit[:12], change.last.commit[:12],
            f"{change.first.date:%Y-%m-%d %H:%M}", str(change.since),
            "regression" if change.regression else "improvement",
        )
        for change in changes
    ]  # fmt: skip
    return TableBlock(
        "Change points", _CHANGES, rows, [number for number, change in enumerate(changes) if change.failed]
    )


def _plots(group: Group) -> list[Plot]:
    def values(name: str) -> list[float | None]:
        return [
            None if ALL not in entry.endpoints else 1000 * getattr(entry.endpoints[ALL], name)
            for entry in group.entries
        ]

    if any(entry.rate is not None for entry in group.entries):
        return [Plot("Capacity", "requests/s", [Series("rate", [entry.rate for entry in group.entries])])]
    shares = [
        None if ALL not in entry.endpoints else 100 * entry.endpoints[ALL].error_share
        for entry in group.entries
    ]
    return [
        Plot("Response time", "ms", [Series(name.upper(), values(name)) for name in ("p50", "p95", "p99")]),
        Plot("Errors", "%", [Series("errors", shares)], [Limit("TGT3 < 1 %", 1.0)]),
    ]


def _row(entry: Entry) -> tuple[str, ...]:
    found = entry.endpoints.get(ALL)
    times = ("", "", "", "", "")
    if found is not None:
        times = (
            str(found.count), *(f"{each * 1000:.0f} ms" for each in (found.p50, found.p95, found.p99)),
            f"{found.error_share:.2%}",
        )  # fmt: skip
    rate = "" if entry.rate is None else f"{entry.rate:g}/s"
    return (f"{entry.date:%Y-%m-%d %H:%M}", entry.commit[:12], str(entry.seed), *times, rate)
