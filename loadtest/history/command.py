"""Record a run, and show the recorded runs with the changes among them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from loadtest.history import report
from loadtest.history.changes import grouped
from loadtest.history.entry import ALL, FOLDER, FORMAT, Entry, measured, now
from loadtest.history.files import append, read
from loadtest.platform import ROOT
from loadtest.run import WARM_UP_SECONDS, Run
from rehearsal.errors import KingdomError


def run_entry(run: Run, commit: str, machine: str) -> Entry:
    """The line of a run in the history of its machine class."""
    settings, warm_up = run.settings, min(WARM_UP_SECONDS, run.seconds // 2)
    windows = [(ALL, run.total)] + [
        (name, run.recorder.window(warm_up, run.seconds, name)) for name in run.recorder.endpoints
    ]
    return Entry(
        format=FORMAT, kind="run", date=now(), commit=commit, machine=machine, mix=settings.mix_name,
        seconds=settings.users.seconds, seed=settings.seed, accounts=settings.accounts,
        scenario=settings.name, scale=settings.scale, endpoints=measured(windows),
    )  # fmt: skip


def record(invalid: Sequence[str], entry: Callable[[], Entry]) -> None:
    """Append a run to the history of this machine class, unless it is invalid. Raises OSError."""
    if invalid:
        print(f"not recorded, since the run is invalid: {'; '.join(invalid)}", file=sys.stderr)
        return
    print(f"recorded in {append(ROOT / FOLDER, entry())}: commit this file", file=sys.stderr)


def show(machine: str, settings: str, html: Path | None, output: Path | None) -> bool:
    """Print the runs whose machine class and settings contain the given texts. Return whether none regressed.

    `html` is the file of a report; `output` that of the JSON, which replaces the text if it is `-`. Raises
    HistoryError, KingdomError if the report would have runs that cannot be compared, or OSError.
    """
    groups = [
        group for group in grouped(read(ROOT / FOLDER))
        if machine in group.machine and settings in group.title
    ]  # fmt: skip
    if html is not None:
        if len(groups) != 1:
            found = "".join(f"\n  {group.machine}: {group.title}" for group in groups) or " none"
            raise KingdomError(
                f"--html needs runs of one machine class with equal settings; there are:{found}",
                remedy="Choose one with --machine and --settings.",
            )
        html.write_text(report.to_html(groups[0]))
        print(f"report: {html}", file=sys.stderr)
    text = json.dumps(report.to_json(groups))
    if str(output) == "-":
        print(text)
    else:
        if output is not None:
            output.write_text(text)
        print(report.to_text(groups))
    return not report.failures(groups)
