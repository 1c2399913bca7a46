"""Periodic detection of trends and shifts in the recording."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.monitoring.findings import Finding, Happening, findings
from rehearsal.monitoring.recorder import Recorder, Results
from rehearsal.monitoring.store import Event, Recording

_KINDS: Final = frozenset({"deployment", "scaling", "drill", "load"})


class EarlyWarning:
    """The current findings of a recording; one that is new is recorded as an event.

    A finding is one that two consecutive examinations have: most of those that are due to chance are absent
    from the next one.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.findings: list[Finding] = []
        self._recorder = recorder
        self._found: set[tuple[str, str]] = set()  # by the last examination
        self._known: set[tuple[str, str]] = set()  # of these, those that were reported
        self._due = 0.0

    def update(self, at: float, results: Results) -> None:
        """Run the detection if it is due."""
        if at < self._due or not results:
            return
        signals = self._recorder.signals
        self._due = at + signals.detection.examine_seconds
        causes = happenings(self._recorder.store, at, signals.detection.window)
        found = findings(self._recorder, signals, at, causes)
        self.findings = [finding for finding in found if (finding.signal, finding.line) in self._found]
        self._found = {(finding.signal, finding.line) for finding in found}
        for finding in self.findings:
            if (finding.signal, finding.line) not in self._known:
                self._recorder.store.add_event(Event(at, "finding", finding.text, finding.to_json()))
        self._known = {(finding.signal, finding.line) for finding in self.findings}


def happenings(store: Recording, end: float, seconds: float) -> list[Happening]:
    """Return possible causes of a change within `seconds` before `end`."""
    return happenings_of(store.events(end - seconds, end))


def happenings_of(events: Iterable[Event]) -> list[Happening]:
    """Return the events that may be the cause of a change."""
    return [
        Happening(event.at, event.kind, event.title, tuple(event.detail.get("changes", ())))
        for event in events
        if event.kind in _KINDS
    ]
