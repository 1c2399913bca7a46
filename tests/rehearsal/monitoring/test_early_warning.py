"""New findings are recorded once."""

from __future__ import annotations

from rehearsal.monitoring.early_warning import EarlyWarning, happenings
from rehearsal.monitoring.store import Event
from tests.rehearsal.monitoring.recording import MadeUp


def test_a_leak_is_found_once_with_the_deployment_at_its_onset() -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    warnings = EarlyWarning(recorder)
    memory = made_up.signals.signals["memory"].query
    start = made_up.wall
    recorder.store.add_event(Event(start + 1800, "deployment", "api: new revision"))
    for index in range(240):
        at = start + 15 * index
        value = 40 + max(0, index - 120) * 0.2 + index % 3 / 10
        recorder.store.add_results(at, {(memory, ()): value})
    warnings.update(at, {memory: {(): value}})
    (finding,) = warnings.findings
    assert abs(finding.change.onset - (start + 1800)) <= 180
    assert [mover.title for mover in finding.movers] == ["api: new revision"]
    warnings.update(at + made_up.signals.detection.examine_seconds + 1, {memory: {(): value}})
    events = [event for event in recorder.store.events(0, at + 10_000) if event.kind == "finding"]
    assert len(events) == 1
    assert len(happenings(recorder.store, at, 3600.0)) == 1
