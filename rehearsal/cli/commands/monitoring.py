"""Commands that show what a platform on this machine does: the dashboard and the reports."""

from __future__ import annotations

from typing import Annotated

import typer

from rehearsal.cli.commands.base import StackOption, app, examples, out, session_of
from rehearsal.errors import KingdomError


@app.command(epilog=examples("kingdom dashboard", "kingdom dashboard --stop"))
def dashboard(
    stack: StackOption = "local",
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65_535, help="Port on loopback. Default: the edge's, plus one."),
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop recording and serving.")] = False,
) -> None:
    """Record a platform on this machine and serve its dashboard on loopback.

    It goes on in the background until the platform has been stopped or `--stop` is given. Recordings stay in
    `.rehearsal/<stack>/monitoring`.
    """
    from rehearsal.dashboard import process
    from rehearsal.host.envoy.start_page import DASHBOARD_OFFSET
    from rehearsal.monitoring.signals import declared

    session = session_of(stack)
    if stop:
        out.print("stopped" if process.stop(session.folder) else "no dashboard runs")
        return
    if session.options is None or session.machine() is None:
        raise KingdomError(
            f"the stack {stack!r} does not run on this machine",
            remedy=f"Run `kingdom up --stack {stack}` first.",
        )
    declared(session.project, stack)  # errors in the declared signals are reported here
    default = session.options.edge_port + DASHBOARD_OFFSET
    out.print(f"dashboard: {process.start(session.project, stack, port or default)}")
