"""All lines of a healthy platform over ten hours have at most one finding, as a mean of several runs.

The runs are synthetic (`healthy_lines.py`). Each is examined every five minutes from the twentieth minute on,
at both scales, as the recorder does; a finding counts when it is reported, and again after it was absent.

``KINGDOM_SOAK_SEED`` is the seed of the first run, ``KINGDOM_HEALTHY_RUNS`` their number.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Final, cast

import pytest

from rehearsal.monitoring.early_warning import EarlyWarning
from rehearsal.monitoring.recorder import Recorder
from rehearsal.monitoring.signals import declared
from rehearsal.monitoring.store import Event
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT
from tests.soak.healthy_lines import HealthyRun

FIRST_SEED: Final = int(os.environ.get("KINGDOM_SOAK_SEED", "1000"))
RUNS: Final = int(os.environ.get("KINGDOM_HEALTHY_RUNS", "8"))
_FIRST_SECONDS: Final = 1200.0

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300 * RUNS)]


def false_findings(run: HealthyRun) -> list[Event]:
    """The findings that are reported in a run, as events."""
    warnings = EarlyWarning(cast("Recorder", run))
    at = _FIRST_SECONDS
    while at <= run.hours * 3600:
        run.now = at
        warnings.update(at, {"": {}})
        at += run.signals.detection.examine_seconds
    return [event for event in run.store.events(0.0, at) if event.kind == "finding"]


def test_ten_healthy_hours_have_up_to_one_false_finding() -> None:
    signals = declared(Project.at(ROOT), "local")
    counts: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + RUNS):
        run = HealthyRun(signals, seed)
        found = false_findings(run)
        counts.update(event.detail["signal"] for event in found)
        lines = [f"\n  {event.at / 3600:.1f} h: {event.title}" for event in found]
        print(f"seed {seed}: {len(found)} findings", *lines, flush=True)
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
