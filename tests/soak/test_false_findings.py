"""All lines of a healthy platform over ten hours have at most one finding, as a mean of several runs.

The runs are synthetic (`healthy_lines.py`). Each is examined every five minutes from the twentieth minute on,
at both scales, as the recorder does; a finding counts when it appears, and again after it was absent.

``KINGDOM_SOAK_SEED`` is the seed of the first run, ``KINGDOM_HEALTHY_RUNS`` their number.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Final

import pytest

from app.monitoring.findings import findings
from rehearsal.monitoring.signals import declared
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT
from tests.soak.healthy_lines import HealthyRun

FIRST_SEED: Final = int(os.environ.get("KINGDOM_SOAK_SEED", "1000"))
RUNS: Final = int(os.environ.get("KINGDOM_HEALTHY_RUNS", "8"))
_FIRST_SECONDS: Final = 1200.0

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300 * RUNS)]


def false_findings(run: HealthyRun) -> list[tuple[str, str, str]]:
    """The findings of a run as signal, line, and the hour and text of the first examination with it."""
    found: list[tuple[str, str, str]] = []
    known: set[tuple[str, str]] = set()
    at = _FIRST_SECONDS
    while at <= run.hours * 3600:
        run.now = at
        current = findings(run, run.signals, at)
        found += [
            (
                each.signal,
                each.line,
                f"{at / 3600:.1f} h, {each.change.kind} over {each.window:.0f} s: {each.text}",
            )
            for each in current
            if (each.signal, each.line) not in known
        ]
        known = {(each.signal, each.line) for each in current}
        at += run.signals.detection.examine_seconds
    return found


def test_ten_healthy_hours_have_up_to_one_false_finding() -> None:
    signals = declared(Project.at(ROOT), "local")
    counts: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + RUNS):
        run = HealthyRun(signals, seed)
        found = false_findings(run)
        counts.update(signal for signal, _, _ in found)
        print(f"seed {seed}: {len(found)} findings", *(f"\n  {text}" for _, _, text in found), flush=True)
    rate = counts.total() / RUNS
    print(f"{rate:.2f} findings in ten hours; by signal: {dict(counts)}")
    assert rate <= 1


def test_every_line_with_a_trend_is_part_of_a_healthy_run() -> None:
    signals = declared(Project.at(ROOT), "local")
    run = HealthyRun(signals, FIRST_SEED, hours=1.0, now=3600.0)
    absent = [
        name
        for name, signal in signals.local().items()
        if signal.trend and not run.query_range(signal.query, 0.0, 3600.0, 75.0)
    ]
    assert absent == []
