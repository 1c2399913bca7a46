"""Tells where a program stands that asks for nothing any more and does not come to its end either."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final

# Importing the SDKs of a whole platform takes ten seconds on a busy machine.
PATIENCE_SECONDS: Final = 30.0


_PACKAGES: Final = ("site-packages", "dist-packages")


def is_program_file(name: str, main: Path) -> bool:
    """Whether the file `name` is the program's own in the folder `main`, not of a package installed there.

    The virtual environment of a project commonly lies in the program's own folder.
    """
    # Called for every loaded module, thousands in each run: comparing texts is much quicker than paths.
    if not _lies_in(name, str(main)):
        return False
    below = name.removeprefix(str(main))
    if any(f"{os.sep}{packages}{os.sep}" in below for packages in _PACKAGES):
        return False
    return not any(_lies_in(name, prefix) for prefix in (sys.prefix, sys.base_prefix) if prefix != str(main))


def _lies_in(name: str, folder: str) -> bool:
    return name == folder or name.startswith(folder.rstrip(os.sep) + os.sep)


class MonitorActivity:
    """A monitor that knows how long nothing has been asked of it, and whether an answer is still owed."""

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor
        self._lock = threading.Lock()
        self._owed = 0
        self._last = time.monotonic()

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._monitor, method)

        def counted(*arguments: Any) -> Any:
            with self._lock:
                self._owed += 1
            try:
                return call(*arguments)
            finally:
                with self._lock:
                    self._owed -= 1
                    self._last = time.monotonic()

        return counted

    @property
    def idle_seconds(self) -> float:
        with self._lock:
            return 0.0 if self._owed else time.monotonic() - self._last


class HangDetector:
    """While it is entered, says once by `notice` where the program in the folder `main` hangs, if it does.

    To be entered in the thread that runs the program.
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
        self._thread = threading.Thread(target=self._watch, name="stall", daemon=True)

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
                    f"the program has asked for nothing for {idle:.0f} s and has not ended: {self._where()};"
                    " Ctrl-C ends it"
                )
                return

    def _where(self) -> str:
        frame: FrameType | None = sys._current_frames().get(self._program)
        while frame is not None:
            file = Path(frame.f_code.co_filename)
            if is_program_file(frame.f_code.co_filename, self._main):
                return f"it is at {file.relative_to(self._root)}:{frame.f_lineno}"
            frame = frame.f_back
        return "it waits for an output that does not come"
