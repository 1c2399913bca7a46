"""The console script: Ctrl-C is understood before the seconds in which the command line is imported."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Final, NoReturn

# To the shell, how a process ends that was interrupted: 128 and the number of SIGINT.
_INTERRUPTED: Final = 130


def run() -> NoReturn:
    """Runs `rehearsal.cli.app.run`, which has handlers of its own for when something is under way."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    from rehearsal.cli import app

    app.run()


def _leave(number: int, frame: FrameType | None) -> None:
    """Nothing has begun, so there is nothing to clean up."""
    os.write(2, b"error: interrupted\n")
    os._exit(_INTERRUPTED)
