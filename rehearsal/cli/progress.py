"""Progress of a running operation: a live display on a terminal, one line per resource elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from rehearsal.cli.display import MARKS
from rehearsal.cli.summary import component_of
from rehearsal.engine.events import Diagnostic, Op, Severity, Step

if TYPE_CHECKING:
    from rehearsal.parallel_preview import Job, OnProgress

_SHOWN = 6  # running steps listed at the same time


class Progress:
    """Listener that shows the running steps with their components. Use it as a context manager.

    With `planning`, and no terminal, only errors are printed. `times` maps the URNs of finished steps to
    their start and end in seconds.
    """

    def __init__(self, console: Console, verb: str, *, planning: bool = False) -> None:
        self._console = console
        self._planning = planning
        self._verb = verb
        self.times: dict[str, tuple[float, float]] = {}
        self._running: dict[str, tuple[Step, float]] = {}
        self._parents: dict[str, str] = {}
        self._waiting: list[str] = []
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
            self._parents[step.urn] = step.parent
            self._running[step.urn] = (step, time.monotonic())

    def done(self, step: Step) -> None:
        began, ended = self._end(step)
        if self._live is None and not self._planning and step.op is not Op.SAME and step.custom:
            mark, style = MARKS[step.op]
            with self._lock:
                name = self._qualified(step)
            self._console.print(
                Text.assemble((mark, style), f" {name} ", (step.type, "dim"), f" {ended - began:.1f} s")
            )

    def waiting_for(self, names: Sequence[str]) -> None:
        """Show what has to become ready before the operation ends; an empty sequence shows nothing.

        Without a terminal, a line is printed when the list changes.
        """
        with self._lock:
            changed, self._waiting = list(names) != self._waiting, list(names)
        if self._live is None and changed and names:
            self._console.print(f"waiting for {', '.join(names)}", markup=False)

    def failed(self, step: Step, reason: str) -> None:
        self._end(step)

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        if self._live is None and diagnostic.severity is Severity.ERROR:
            self._console.print(Text.assemble(("error", "red"), f" {diagnostic.message.splitlines()[0]}"))

    def _end(self, step: Step) -> tuple[float, float]:
        with self._lock:
            self._finished += 1
            now = time.monotonic()
            began = self._running.pop(step.urn, (step, now))[1]
            self.times[step.urn] = (began, now)
            return began, now

    def _qualified(self, step: Step) -> str:
        component = component_of(step, self._parents)
        return f"{component}/{step.name}" if component else step.name

    def _render(self) -> Text:
        with self._lock:
            now = time.monotonic()
            text = Text(f"{self._verb} … {self._finished} resources, {now - self._began:.0f} s")
            waiting = sorted(self._running.values(), key=lambda item: item[1])
            for step, began in [item for item in waiting if item[0].custom][:_SHOWN]:
                mark, style = MARKS[step.op]
                text.append(f"\n  {mark} ", style)
                text.append(f"{self._qualified(step)} ")
                text.append(f"{step.type} {now - began:.0f} s", "dim")
            if self._waiting:
                text.append(f"\n  waiting for {', '.join(self._waiting[:_SHOWN])}")
                if len(self._waiting) > _SHOWN:
                    text.append(f" and {len(self._waiting) - _SHOWN} more", "dim")
        return text


class Overview:
    """Progress of several stacks, one line per stack on a terminal. Use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._counts: dict[str, int] = {}
        self._began = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Overview:
        if self.progress is not None:
            # Without a thread of its own: jobs are forked while it is shown.
            self._live = Live(
                console=self._console,
                get_renderable=self._render,
                auto_refresh=False,
                redirect_stdout=False,  # jobs print to it
                redirect_stderr=False,
                transient=True,
            )
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    @property
    def progress(self) -> OnProgress | None:
        """Receiver of the progress of each stack; None where nothing is displayed."""
        return self._count if self._console.is_terminal else None

    def _count(self, job: Job, ended: int) -> None:
        self._counts[job.stack] = self._counts.get(job.stack, 0) + ended
        if self._live is not None:
            self._live.refresh()

    def _render(self) -> Text:
        seconds = time.monotonic() - self._began
        lines = [f"{stack}: {count} resources" for stack, count in self._counts.items()]
        return Text("\n".join([f"previewing … {seconds:.0f} s", *lines]))
