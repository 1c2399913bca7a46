"""Crash reporting: internal errors are reported as bugs of kingdom, with the traceback in a file."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

from rehearsal.errors import KingdomError

LOG_NAME: Final = "errors.log"


def record(error: BaseException, folder: Path) -> Path | None:
    """Append the traceback of `error` to the log in `folder`.

    Return the path of the log; None if it cannot be written.
    """
    log = folder / LOG_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write("".join(traceback.format_exception(error)) + "\n")
    except OSError:
        return None
    return log


def internal(error: BaseException, folder: Path) -> KingdomError:
    """Create the error for an internal error, with the path of the log."""
    log = record(error, folder)
    text = f"internal error in the rehearsal: {type(error).__name__}: {error}".rstrip(": ")
    return KingdomError(
        text, remedy=f"This is a bug in kingdom, not in your program. Details: {log}" if log else ""
    )
