"""What an operation has done and found, kept for its result and told to whoever watches."""

from __future__ import annotations

import threading

from rehearsal.engine.events import Diagnostic, Listener, Severity, Step


class EventRecorder:
    """Steps and diagnostics of one operation, in the order they came. Thread-safe."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.steps: list[Step] = []
        self.diagnostics: list[Diagnostic] = []
        self._lock = threading.Lock()

    def finished(self, step: Step) -> None:
        """A step is done."""
        with self._lock:
            self.steps.append(step)
        self.listener.done(step)

    def note(self, diagnostic: Diagnostic) -> None:
        """Something was found."""
        with self._lock:
            self.diagnostics.append(diagnostic)
        self.listener.diagnostic(diagnostic)

    def error(self, urn: str, source: str, message: str, *, protected: bool = False) -> None:
        """Something is wrong with a resource; `protected`: its protection forbids what is planned."""
        self.note(Diagnostic(Severity.ERROR, message, urn, source, protected=protected))
