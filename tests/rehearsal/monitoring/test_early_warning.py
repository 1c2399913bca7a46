"""New findings are recorded once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.monitoring.findings import Finding, findings
from app.monitoring.trends import Change
from rehearsal.monitoring.early_warning import EarlyWarning, happenings
from rehearsal.monitoring.platform import ScrapeTarget
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
    between = made_up.signals.detection.examine_seconds + 1
    warnings.update(at, {memory: {(): value}})
    assert warnings.findings == []  # the first examination that finds it
    warnings.update(at + between, {memory: {(): value}})
    (finding,) = warnings.findings
    assert abs(finding.change.onset - (start + 1800)) <= 180
    assert [mover.title for mover in finding.movers] == ["api: new revision"]
    warnings.update(at + 2 * between, {memory: {(): value}})
    events = [event for event in recorder.store.events(0, at + 10_000) if event.kind == "finding"]
    assert len(events) == 1
    assert len(happenings(recorder.store, at, 3600.0)) == 1


def test_a_finding_of_one_examination_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = MadeUp()
    recorder = made_up.recorder()
    warnings = EarlyWarning(recorder)
    change = Change("shift", 0.0, 1.0, 2.0, 0.0)
    once, other = (Finding(name, name, "", "s", change, 3600.0) for name in ("once", "other"))
    examinations = iter([[once], [other], [other], [once], [], [other]])

    def examined(*_: object) -> list[Finding]:
        return next(examinations)

    monkeypatch.setattr("rehearsal.monitoring.early_warning.findings", examined)
    reported = []
    for index in range(6):
        warnings.update(1000.0 * (index + 1), {"": {}})
        reported.append([finding.signal for finding in warnings.findings])
    assert reported == [[], [], ["other"], [], [], []]
    assert [event.title for event in recorder.store.events(0, 10_000) if event.kind == "finding"] == [
        other.text
    ]


def test_bad_input_is_not_a_finding() -> None:
    """An hour with an absent pod, clock jumps, a counter reset, a gap, NaN and a renamed metric."""
    made_up = MadeUp()
    recorder = made_up.recorder()

    def fetch(target: ScrapeTarget, seconds: float) -> str:
        return made_up.fetch(target) + "kingdom_event_loop_tasks NaN\n"

    changes: dict[int, Callable[[], None]] = {
        50: lambda: made_up.away.add("api-2"),
        70: made_up.away.clear,
        90: lambda: setattr(made_up, "wall", made_up.wall - 600.0),
        120: lambda: made_up.reset("api-1"),
        140: lambda: setattr(made_up, "running", False),
        160: lambda: setattr(made_up, "running", True),
        180: lambda: setattr(recorder, "_fetch", fetch),
        200: lambda: made_up.rename.update({"kingdom_queue_oldest_seconds": "kingdom_queue_age_seconds"}),
    }
    for index in range(240):
        changes.get(index, lambda: None)()
        at = recorder.step()
        made_up.advance()
    reported = " ".join(event.title for event in recorder.store.events(0.0, at))
    for words in ("cannot be scraped", "moved back", "does not run", "not a finite number", "no pod exports"):
        assert words in reported
    assert [finding.text for finding in findings(recorder, made_up.signals, at)] == []
