"""Detects and reports a program that hangs."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final

from rehearsal.pulumi.program_files import PACKAGE_FOLDERS

# Importing the SDKs of a whole platform takes ten seconds on a busy machine.
PATIENCE_SECONDS: Final = 30.0


def is_program_file(name: str, main: Path) -> bool:
    """Return whether the file `name` belongs to the program in the folder `main`.

    Files of packages do not, although a virtual environment is often inside the program's folder.
    """
    # Called for every loaded module, thousands in each run: comparing texts is much quicker than paths.
    if not _lies_in(name, str(main)):
        return False
    below = name.removeprefix(str(main))
    if any(f"{os.sep}{packages}{os.sep}" in below for packages in PACKAGE_FOLDERS):
        return False
    return not any(_lies_in(name, prefix) for prefix in (sys.prefix, sys.base_prefix) if prefix != str(main))


def _lies_in(name: str, folder: str) -> bool:
    return name == folder or name.startswith(folder.rstrip(os.sep) + os.sep)


def current_position(thread: int, main: Path, root: Path) -> str:
    """Return ``file:line`` of the innermost frame of the program in `thread`, or "" if there is none.

    `main` is the folder of the program; the file is relative to `root`.
    """
    frame: FrameType | None = sys._current_frames().get(thread)
    while frame is not None:
        if is_program_file(frame.f_code.co_filename, main):
            return f"{Path(frame.f_code.co_filename).relative_to(root)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


class EndedError(Exception):
    """A call to the monitor after the end of the program."""


class MonitorActivity:
    """Wrapper of a monitor that records the time since the last call and the number of pending calls.

    Once closed, it raises EndedError for all further calls.
    """

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor
        self._lock = threading.Lock()
        self._pending = 0
        self._closed = False
        self._last = time.monotonic()

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._monitor, method)

        def counted(*arguments: Any) -> Any:
            with self._lock:
                if self._closed:
                    raise EndedError(method)
                self._pending += 1
            try:
                return call(*arguments)
            finally:
                with self._lock:
                    self._pending -= 1
                    self._last = time.monotonic()

        return counted

    def close(self) -> None:
        with self._lock:
            self._closed = True

    @property
    def idle_seconds(self) -> float:
        with self._lock:
            return 0.0 if self._pending else time.monotonic() - self._last


class HangDetector:
    """Context manager that reports once, through `notice`, the source position at which the program hangs.

    Enter it in the thread that runs the program.
    """

    def __init__(
        self, monitor: MonitorActivity, main: Path, root: Path, notice: Callable[[str], None]
    ) -> None:
        self._monitor = monitor
        self._main = main
        self._root = root
        self._notice = notice
        self._over = threading.Event()
        self._program = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="hang-detector", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(PATIENCE_SECONDS / 20):
            if (idle := self._monitor.idle_seconds) > PATIENCE_SECONDS:
                self._notice(
                    f"the program has registered nothing for {idle:.0f} s and has not ended: {self._where()};"
                    " press Ctrl-C to end it"
                )
                return

    def _where(self) -> str:
        if place := current_position(self._program, self._main, self._root):
            return f"it is at {place}"
        return "it waits for an output that is never resolved"
