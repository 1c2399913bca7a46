"""Tests of the progress display without a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from rehearsal.cli.progress import Progress
from tests.rehearsal.cli.test_summary import STEPS


def _progress() -> tuple[Progress, io.StringIO]:
    text = io.StringIO()
    return Progress(Console(file=text, width=200, highlight=False), "updating dev"), text


def test_finished_resource_is_printed_with_its_component() -> None:
    progress, text = _progress()
    for step in STEPS[:4]:
        progress.begun(step)
        progress.done(step)
    assert "network/subnet gcp:compute/subnetwork:Subnetwork" in text.getvalue()
    start, end = progress.times[STEPS[3].urn]
    assert end >= start


def test_waiting_is_printed_when_it_changes() -> None:
    progress, text = _progress()
    for names in ("api-0 redis", "api-0 redis", "api-0", ""):
        progress.waiting_for(names.split())
    assert text.getvalue().splitlines() == ["waiting for api-0, redis", "waiting for api-0"]
