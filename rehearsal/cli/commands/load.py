"""`kingdom load`: load tests of a stack on this machine."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress

import typer

from rehearsal.cli.commands.base import app, examples, session_of


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog=examples(
        "kingdom load run low",
        "kingdom load run peak --html load.html",
        "kingdom load capacity",
        "kingdom load compare --base main",
        "kingdom load run low --record",
        "kingdom load history",
        "kingdom load run -h",
    ),
)
def load(
    context: typer.Context,
    command: str = typer.Argument(help="`run SCENARIO`, `capacity`, `compare` or `history`; each has `-h`."),
) -> None:
    """Send load to a stack that is up on this machine, and evaluate it against TGT1 to TGT3.

    Requests start when they are due, whether earlier ones have ended or not. Load is sent to loopback
    addresses only. Ctrl-C ends it and leaves the platform unchanged.

    With `--record`, a valid run becomes a line of the history of this machine class; `history` shows those
    runs and the commits with which response times, errors or capacity changed.

    Exit codes: 0 all targets hold, 1 a target is missed, 2 a regression, 3 the run is invalid or could not
    start, or the history cannot be read, 130 interrupted.
    """
    # Locust replaces the sockets and threads of its process, so it has one of its own.
    process = subprocess.Popen(
        [sys.executable, "-m", "loadtest", command, *context.args], cwd=session_of("local").project.root
    )
    signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
    while True:
        # Ctrl-C goes to the whole foreground process group: the load test ends by itself and reports.
        # The limit: a signal that arrives just before the wait is handled only when the wait ends.
        with suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
            raise typer.Exit(process.wait(timeout=1.0))
