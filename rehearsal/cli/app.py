"""The command line, `kingdom`. Commands are in `rehearsal.cli.commands`, each a thin layer over a session."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from rehearsal import crash_log
from rehearsal.cli.commands import (
    backup,
    cloud,
    drill,
    forecast,
    kubernetes,
    load,
    monitoring,
    preview,
    quotas,
    runbook,
    stack,
    status,
)
from rehearsal.cli.commands.base import INTERRUPTED, app, err, print_json
from rehearsal.errors import KingdomError
from rehearsal.pulumi.project import STATE_FOLDER

# Importing these registers their commands; the help lists them in this order.
MODULES: Final = (
    preview,
    stack,
    status,
    monitoring,
    load,
    forecast,
    drill,
    backup,
    runbook,
    quotas,
    kubernetes,
    cloud,
)
# After an interruption, these commands continue from the recorded state.
RESUMABLE: Final = frozenset({"up", "down", "refresh"})
# These may run for minutes or days.
LONG_RUNNING: Final = frozenset({"cloud", "drill", "forecast", "load", "logs", "recommend", "report"})
_ORDER: Final = [module.__name__ for module in MODULES]
app.registered_commands.sort(key=lambda command: _ORDER.index(getattr(command.callback, "__module__", "")))


def run() -> NoReturn:
    """Run `main` and exit the process.

    Most commands are short and keep what they import, so the cyclic garbage collector is off and the
    interpreter's teardown is skipped. Measured: together a quarter of a preview.
    """
    if not LONG_RUNNING.intersection(sys.argv[1:2]):
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
    """Run the command line. Errors that a user can fix are printed without a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # SIGINT too: shells start background jobs with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        app(arguments)
    except SystemExit as end:
        if not _is_interrupt(end):
            raise
        _fail(_InterruptedError(next(iter(arguments), "")), arguments)
    except KingdomError as error:
        _fail(error, arguments)
    except OSError as error:
        _fail(_of_the_machine(error), arguments)
    except Exception as error:
        _fail(crash_log.internal(error, Path.cwd() / STATE_FOLDER), arguments)


class _InterruptedError(KingdomError):
    """Interruption by Ctrl-C that the command does not report itself."""

    exit_code = INTERRUPTED

    def __init__(self, command: str) -> None:
        again = "Run the command again" + (
            ": it continues from the recorded state." if command in RESUMABLE else "."
        )
        super().__init__("interrupted", remedy=again)


def _is_interrupt(end: SystemExit) -> bool:
    """Return whether `end` was caused by a KeyboardInterrupt, which Typer converts to SystemExit."""
    error: BaseException | None = end
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Handle SIGTERM like Ctrl-C, so that the command cleans up."""
    raise KeyboardInterrupt


def _fail(error: KingdomError, arguments: list[str]) -> None:
    if "--json" in arguments:
        print_json({"ok": False, **error.to_json()})
    err.print(f"error: {error}", style="red", markup=False)
    sys.exit(error.exit_code)


def _of_the_machine(error: OSError) -> KingdomError:
    """Convert an unexpected file error, such as that of a full disk."""
    where = f"{error.filename}: " if error.filename else ""
    log = crash_log.record(error, Path.cwd() / STATE_FOLDER)
    return KingdomError(
        f"{where}{error.strerror or error}",
        remedy="Free disk space, or make the file writable." + (f" Details are in {log}." if log else ""),
    )
