"""The console script: handles Ctrl-C while the command line is imported, which takes seconds."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Final, NoReturn

# Exit status of a process that SIGINT interrupted, by shell convention: 128 plus the signal's number.
_INTERRUPTED: Final = 130


def run() -> NoReturn:
    """Run `rehearsal.cli.app.run`, which installs its own signal handlers for running operations."""
    # Without it, gRPC prints notices about closed connections and forked processes to standard error.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    from rehearsal.cli import app

    app.run()


def _leave(number: int, frame: FrameType | None) -> None:
    """Exit on Ctrl-C: nothing has started, so nothing is cleaned up."""
    os.write(2, b"error: interrupted\n")
    os._exit(_INTERRUPTED)
