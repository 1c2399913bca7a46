"""Mistakes of the rehearsal's own: told as such, with the traceback kept in a file."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

from rehearsal.errors import KingdomError

LOG_NAME: Final = "errors.log"


def keep(error: BaseException, folder: Path) -> Path | None:
    """Appends the traceback of `error` to the log in `folder`; None where that cannot be written."""
    log = folder / LOG_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write("".join(traceback.format_exception(error)) + "\n")
    except OSError:
        return None
    return log


def internal(error: BaseException, folder: Path) -> KingdomError:
    """An error that says that the rehearsal is to blame, and where the details are."""
    log = keep(error, folder)
    text = f"internal error in the rehearsal: {type(error).__name__}: {error}".rstrip(": ")
    return KingdomError(text, remedy=f"Nothing of yours is to blame; details are in {log}." if log else "")
