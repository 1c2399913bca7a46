"""Tests of the progress display."""

from __future__ import annotations

import io
import threading
from pathlib import Path

from rich.console import Console

from rehearsal.cli.progress import Overview, Progress
from rehearsal.parallel_preview import Job
from rehearsal.pulumi.project import Project
from tests.rehearsal.cli.test_summary import STEPS
from tests.rehearsal.minimal import Tiny


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


def test_overview_counts_the_steps_of_each_stack_on_a_terminal(tmp_path: Path) -> None:
    text = io.StringIO()
    Tiny.make(tmp_path)
    jobs = [Job(Project.find(tmp_path), name, None) for name in ("dev", "prod")]
    before = set(threading.enumerate())
    with Overview(Console(file=text, width=200, force_terminal=True)) as overview:
        assert overview.progress is not None
        assert "previewing" in text.getvalue()  # before any stack, while the SDKs are imported
        for ended in (2, 3):
            overview.progress(jobs[0], ended)
        overview.progress(jobs[1], 4)
        assert set(threading.enumerate()) <= before  # further jobs can be forked
    assert "dev: 5 resources" in text.getvalue()
    assert "prod: 4 resources" in text.getvalue()


def test_overview_receives_no_progress_without_a_terminal() -> None:
    assert Overview(Console(file=io.StringIO())).progress is None
