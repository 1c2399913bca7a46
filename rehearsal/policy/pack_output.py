"""The output of a policy pack's process: its port, and the position of an exception."""

from __future__ import annotations

import contextlib
import re
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_FRAME: Final = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
_ERROR: Final = re.compile(
    r"^(?P<error>[A-Za-z_][\w.]{0,200}?(?:Error|Exception|Exit|Interrupt|Warning|[A-Z]\w{0,200}): .*)",
    re.MULTILINE,
)


class FirstLine:
    """Waits for the first line of a stream: None on timeout, "" at the end of an empty stream."""

    def __init__(self) -> None:
        self._there = threading.Event()
        self._line = ""

    def offer(self, line: str) -> bool:
        """Store `line` if it is the first; return whether it was."""
        if self._there.is_set():
            return False
        self._line = line
        self._there.set()
        return True

    def end(self) -> None:
        self._there.set()

    def wait(self, timeout: float) -> str | None:
        return self._line if self._there.wait(timeout) else None


class Tail:
    """The last lines that the pack wrote, to report cause and position without a traceback."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=400)
        self._changed = threading.Condition()
        self._ended = False

    def add(self, line: str) -> None:
        with self._changed:
            self._lines.append(line.rstrip("\n"))
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for_end(self, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended, timeout)

    def lines(self) -> list[str]:
        with self._changed:
            return [line for line in self._lines if line.strip()]

    def last_error(self) -> str:
        lines = self.lines()
        found = _ERROR.findall("\n".join(lines))
        if found:
            return str(found[-1])
        # The pack's own error message, with the list that may follow it.
        errors = [number for number, line in enumerate(lines) if line.startswith("error: ")]
        return "\n".join(lines[errors[-1] :]).removeprefix("error: ") if errors else "".join(lines[-1:])

    def position(self, pack: Path, error: str) -> str:
        """Return `` at FILE:LINE`` of the innermost frame in the pack.

        Waits until the traceback of `error` has arrived.
        """
        if error:
            with self._changed:
                tail = error.splitlines()[-1] if error.splitlines() else error
                self._changed.wait_for(lambda: self._ended or any(tail in line for line in self._lines), 1)
        frames = _FRAME.findall("\n".join(self.lines()))
        inside = [frame for frame in frames if Path(frame[0]).is_relative_to(pack)]
        file, line = (inside or frames or [("", "")])[-1]
        return f" (at {file}:{line})" if file else ""


def drain(stream: Any, each: Callable[[str], object], end: Callable[[], None]) -> None:
    """Read `stream` to its end in a thread, so that the pack is never blocked by a full pipe."""

    def run() -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in iter(stream.readline, b""):
                each(line.decode(errors="replace"))
        end()
        stream.close()

    threading.Thread(target=run, daemon=True, name="policy-pack-output").start()
