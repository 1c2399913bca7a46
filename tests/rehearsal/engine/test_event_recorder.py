"""Steps and diagnostics of an operation, recorded and forwarded to the listener."""

from __future__ import annotations

from rehearsal.engine.event_recorder import EventRecorder
from rehearsal.engine.events import Diagnostic, Op, Severity, Step
from tests.rehearsal.engine.conftest import Recorder

URN = "urn:pulumi:dev::p::toy:index:Thing::a"


def test_steps_are_recorded_in_order_and_forwarded() -> None:
    listener = Recorder()
    recorder = EventRecorder(listener)
    steps = [Step(Op.CREATE, URN, "toy:index:Thing", True), Step(Op.UPDATE, URN, "toy:index:Thing", True)]
    for step in steps:
        recorder.finished(step)
    assert recorder.steps == steps
    assert listener.events == [("done", "a"), ("done", "a")]


def test_errors_are_recorded_with_resource_and_source() -> None:
    listener = Recorder()
    recorder = EventRecorder(listener)
    recorder.error(URN, "__main__.py:4", "no", protected=True)
    expected = Diagnostic(Severity.ERROR, "no", URN, "__main__.py:4", protected=True)
    assert recorder.diagnostics == listener.diagnostics == [expected]
