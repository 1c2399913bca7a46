"""Looks for trends and shifts in the recording from time to time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.monitoring.findings import SCALES, Finding, Happening, findings
from rehearsal.monitoring.recorder import Recorder, Results
from rehearsal.monitoring.store import Event, Recording

EVERY_SECONDS: Final = 300.0
_KINDS: Final = frozenset({"deployment", "scaling", "drill", "load"})


class EarlyWarning:
    """The current findings of a recording; one that is new is recorded as an event."""

    def __init__(self, recorder: Recorder) -> None:
        self.findings: list[Finding] = []
        self._recorder = recorder
        self._known: set[tuple[str, str]] = set()
        self._due = 0.0

    def update(self, at: float, results: Results) -> None:
        """Look again when it is due."""
        if at < self._due or not results:
            return
        self._due = at + EVERY_SECONDS
        self.findings = findings(
            self._recorder, self._recorder.signals, at, happenings(self._recorder.store, at)
        )
        current = {(finding.signal, finding.line) for finding in self.findings}
        for finding in self.findings:
            if (finding.signal, finding.line) not in self._known:
                self._recorder.store.add_event(Event(at, "finding", finding.text, finding.to_json()))
        self._known = current


def happenings(store: Recording, end: float, seconds: float = SCALES[0][0]) -> list[Happening]:
    """Return possible causes of a change within `seconds` before `end`."""
    return happenings_of(store.events(end - seconds, end))


def happenings_of(events: Iterable[Event]) -> list[Happening]:
    """The events that may be the cause of a change."""
    return [
        Happening(event.at, event.kind, event.title, tuple(event.detail.get("changes", ())))
        for event in events
        if event.kind in _KINDS
    ]
