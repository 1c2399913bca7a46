"""Progress while an operation works: a live line on a terminal, a line a resource elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from rehearsal.display import MARKS
from rehearsal.engine.events import Diagnostic, Op, Severity, Step

_SHOWN = 6  # running steps named at once


class Progress:
    """A listener that shows what is being done. Use it as a context manager."""

    def __init__(self, console: Console, verb: str) -> None:
        self._console = console
        self._verb = verb
        self._running: dict[str, tuple[Step, float]] = {}
        self._finished = 0
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._live = (
            Live(console=console, get_renderable=self._render, refresh_per_second=8, transient=True)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def begun(self, step: Step) -> None:
        with self._lock:
            self._running[step.urn] = (step, time.monotonic())

    def done(self, step: Step) -> None:
        began = self._end(step)
        if self._live is None and step.op is not Op.SAME and step.custom:
            mark, style = MARKS[step.op]
            self._console.print(
                Text.assemble(
                    (mark, style), f" {step.name} ", (step.type, "dim"), f" {time.monotonic() - began:.1f} s"
                )
            )

    def failed(self, step: Step, reason: str) -> None:
        self._end(step)

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        if self._live is None and diagnostic.severity is Severity.ERROR:
            self._console.print(Text.assemble(("error", "red"), f" {diagnostic.message.splitlines()[0]}"))

    def _end(self, step: Step) -> float:
        with self._lock:
            self._finished += 1
            return self._running.pop(step.urn, (step, time.monotonic()))[1]

    def _render(self) -> Text:
        with self._lock:
            now = time.monotonic()
            text = Text(f"{self._verb} … {self._finished} resources, {now - self._began:.0f} s")
            waiting = sorted(self._running.values(), key=lambda item: item[1])
            for step, began in [item for item in waiting if item[0].custom][:_SHOWN]:
                mark, style = MARKS[step.op]
                text.append(f"\n  {mark} ", style)
                text.append(f"{step.name} ")
                text.append(f"{step.type} {now - began:.0f} s", "dim")
        return text
