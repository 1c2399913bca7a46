"""Event recorder: stores the steps and diagnostics of an operation and forwards them to its listener."""

from __future__ import annotations

import threading
from dataclasses import replace

from rehearsal.engine.events import Diagnostic, Listener, Severity, Step
from rehearsal.engine.program.secret_filter import SecretFilter


class EventRecorder:
    """Steps and diagnostics of one operation in the order of their arrival. Thread-safe.

    `hidden` is the filter of messages.
    """

    def __init__(self, listener: Listener, hidden: SecretFilter | None = None) -> None:
        self.listener = listener
        self._hidden = hidden or SecretFilter()
        self.steps: list[Step] = []
        self.diagnostics: list[Diagnostic] = []
        self._lock = threading.Lock()

    def finished(self, step: Step) -> None:
        """Record a finished step."""
        with self._lock:
            self.steps.append(step)
        self.listener.done(step)

    def note(self, diagnostic: Diagnostic) -> None:
        """Record a diagnostic."""
        diagnostic = replace(diagnostic, message=self._hidden.text(diagnostic.message))
        with self._lock:
            self.diagnostics.append(diagnostic)
        self.listener.diagnostic(diagnostic)

    def error(self, urn: str, source: str, message: str, *, protected: bool = False) -> None:
        """Record an error of a resource; `protected` if its protection forbids the planned step."""
        self.note(Diagnostic(Severity.ERROR, message, urn, source, protected=protected))
