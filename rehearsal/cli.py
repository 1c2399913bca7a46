"""The command line, `kingdom`. Its commands are in `rehearsal.commands`, each a thin layer over a session."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from rehearsal import faults
from rehearsal.commands import clouds, insights, kubernetes, preview, stacks
from rehearsal.commands.base import INTERRUPTED, app, err, print_json
from rehearsal.errors import KingdomError
from rehearsal.project import STATE_FOLDER

# Importing these registers their commands; the help lists them in this order.
MODULES: Final = (preview, stacks, insights, kubernetes, clouds)
_ORDER: Final = [module.__name__ for module in MODULES]
app.registered_commands.sort(key=lambda command: _ORDER.index(getattr(command.callback, "__module__", "")))


def run() -> NoReturn:
    """The console script: `main` in a process of its own, which it ends.

    Commands are short and what they import stays, so the cyclic collector is off (`cloud`, which is not
    short, turns it on again); nor is everything taken apart at the end. Together that was a quarter of a
    preview, measured.
    """
    gc.disable()
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    if isinstance(code, str):
        print(code, file=sys.stderr)
    number = code if isinstance(code, int) else int(code is not None)
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        number = number or 1
    os._exit(number)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line; errors that a user can mend are printed without a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(arguments)
    except KingdomError as error:
        _fail(error, arguments)
    except KeyboardInterrupt:
        err.print("interrupted", style="yellow")
        sys.exit(INTERRUPTED)
    except OSError as error:
        _fail(_of_the_machine(error), arguments)
    except Exception as error:
        _fail(faults.internal(error, Path.cwd() / STATE_FOLDER), arguments)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does, so that it cleans up after itself."""
    raise KeyboardInterrupt


def _fail(error: KingdomError, arguments: list[str]) -> None:
    if "--json" in arguments:
        print_json({"ok": False, **error.to_json()})
    err.print(f"error: {error}", style="red", markup=False)
    sys.exit(error.exit_code)


def _of_the_machine(error: OSError) -> KingdomError:
    """A file that cannot be read or written where nobody expected it, such as on a full disk."""
    where = f"{error.filename}: " if error.filename else ""
    log = faults.keep(error, Path.cwd() / STATE_FOLDER)
    return KingdomError(
        f"{where}{error.strerror or error}",
        remedy="Free room on the disk, or make it writable." + (f" Details are in {log}." if log else ""),
    )
