"""The recording of a stack from its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rehearsal.errors import KingdomError
from rehearsal.monitoring.access import recorded
from rehearsal.monitoring.annotations import monitoring_folder
from rehearsal.monitoring.store import RECORDING_FILE, Event, Recording
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT


def test_results_and_events_come_from_the_file(tmp_path: Path) -> None:
    project = replace(Project.at(ROOT), root=tmp_path)
    folder = monitoring_folder(project.state_folder("local"))
    folder.mkdir(parents=True)
    recording = Recording(folder / RECORDING_FILE)
    recording.add_results(1000.0, {("q", ()): 2.5})
    recording.add_event(Event(1000.0, "deployment", "api"))
    recording.close()
    with recorded(project, "local", 900.0, 1100.0) as (source, events):
        assert [series.values for series in source.query_range("q", 1000.0, 1000.0, 15.0)] == [[2.5]]
        assert [event.title for event in events] == ["api"]


def test_a_stack_without_a_recording_is_named(tmp_path: Path) -> None:
    project = replace(Project.at(ROOT), root=tmp_path)
    with (
        pytest.raises(KingdomError, match="nothing was recorded of the stack 'local'"),
        recorded(project, "local", 0.0, 1.0),
    ):
        pass
