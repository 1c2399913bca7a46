"""Read-only commands: status, outputs, logs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rehearsal.cli.commands.base import (
    JsonOption,
    StackOption,
    app,
    err,
    examples,
    out,
    print_json,
    session_of,
)
from rehearsal.errors import KingdomError

if TYPE_CHECKING:
    from rehearsal.host.client import Machine


_WATCH_SECONDS: Final = 1.0


@app.command(epilog=examples("kingdom status", "kingdom status --watch", "kingdom status --limits"))
def status(
    stack: StackOption = "local",
    as_json: JsonOption = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show autoscaling every second until Ctrl-C.")
    ] = False,
    limits: Annotated[
        bool, typer.Option("--limits", help="Show which declared properties this machine does not enforce.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            help="Write the metrics and decisions of the autoscalers to this file until Ctrl-C.",
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Show the processes of a stack on this machine: ready or not, memory, restarts, autoscaling.

    --watch shows replicas, metrics against targets, and why an autoscaler did not scale. --record writes one
    trace a line, which the forecast and the real autoscaling controller can replay.
    """
    from rehearsal.cli import display

    session = session_of(stack)
    if watch or record is not None:
        _follow(session.machine(), stack, watch=watch, record=record)
        return
    machine = session.machine()
    if machine is None:
        resources = session.store.load().resources
        if as_json:
            print_json({"stack": stack, "running": False, "resources": len(resources)})
        else:
            what = f"{len(resources)} resources are recorded" if resources else "nothing is recorded"
            out.print(f"[bold]{stack}[/]: nothing runs on this machine; {what}")
        raise typer.Exit(0 if session.options is None else 1)
    found = machine.status()
    if as_json:
        print_json({"running": True, **found.to_json()})
    elif limits:
        display.show_limits(out, found)
        return
    else:
        display.show_machine(out, found, brief=False)
    raise typer.Exit(0 if all(process.ready for process in found.processes) else 1)


def _follow(machine: Machine | None, stack: str, *, watch: bool, record: Path | None) -> None:
    """Until Ctrl-C, show the autoscalers on the screen and write their traces to a file."""
    from rehearsal.cli import display
    from rehearsal.host.errors import MachineError

    if machine is None:
        raise KingdomError(
            f"the stack {stack!r} does not run on this machine",
            remedy=f"Run `kingdom up --stack {stack}` first.",
        )
    try:
        while True:
            found = machine.status()
            if record is not None:
                traces = [machine.autoscaler_trace(item.name) for item in found.autoscalers]
                record.write_text("".join(json.dumps(trace) + "\n" for trace in traces))
            if watch:
                if out.is_terminal:
                    out.clear()
                display.show_autoscalers(out, found)
            time.sleep(_WATCH_SECONDS)
    except MachineError as error:
        raise KingdomError(str(error)) from error
    except KeyboardInterrupt:
        if record is not None:
            err.print(f"the traces are in {record}")


@app.command(epilog=examples("kingdom outputs", "kingdom outputs -s prod --json --show-secrets"))
def outputs(
    stack: StackOption = "local",
    as_json: JsonOption = False,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print secrets in the clear.")] = False,
) -> None:
    """Print the outputs of a stack."""
    from rehearsal.cli import display
    from rehearsal.pulumi.properties import unwrap
    from rehearsal.pulumi.urn import ROOT_STACK_TYPE

    session = session_of(stack)
    roots = [item for item in session.store.load().resources if item.type == ROOT_STACK_TYPE]
    if not roots:
        raise KingdomError(
            f"the stack {stack!r} has no outputs: it is not up",
            remedy=f"Run `kingdom up --stack {stack}` first.",
        )
    values = unwrap(roots[0].outputs) if show_secrets else display.masked(roots[0].outputs)
    if as_json:
        print_json(values)
    else:
        display.show_outputs(out, values)


@app.command(epilog=examples("kingdom logs", "kingdom logs api --follow", "kingdom logs envoy -n 20"))
def logs(
    name: Annotated[str | None, typer.Argument(help="Only logs whose name contains this.")] = None,
    stack: StackOption = "local",
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Number of past lines to print of each log.")
    ] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until Ctrl-C.")] = False,
) -> None:
    """Print the logs of a stack's processes on this machine."""
    machine = session_of(stack).machine()
    if machine is None:
        raise KingdomError(
            f"the stack {stack!r} does not run on this machine",
            remedy="Run `kingdom up` first: `local` is the one that can.",
        )
    for line in machine.logs(name, lines, follow):
        out.print(line, markup=False)


@app.command(
    name="exec",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog=examples(
        "kingdom exec api -- python -m app grant ada@example.com administrator",
        "kingdom exec worker -- python -m app jobs dead",
    ),
)
def execute(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The first running pod whose name contains this.")],
    stack: StackOption = "local",
) -> None:
    """Run a command with the folder and the environment of a pod on this machine.

    Like `kubectl exec`; the exit code is the command's.
    """
    import subprocess

    import psutil

    from rehearsal.host.processes.orphans import INSTANCE_MARK, ROOT_MARK

    machine = session_of(stack).machine()
    if machine is None:
        raise KingdomError(
            f"the stack {stack!r} does not run on this machine",
            remedy="Run `kingdom up` first: `local` is the one that can.",
        )
    pods = [each for each in machine.status().processes if each.kind == "pod" and each.pid is not None]
    pod = next((each for each in pods if name in each.name), None)
    if pod is None or pod.pid is None:
        names = ", ".join(sorted(each.name for each in pods)) or "none"
        raise KingdomError(f"no running pod has {name!r} in its name", remedy=f"Running pods: {names}.")
    if not context.args:
        raise KingdomError(
            "no command was given", remedy=f"Such as: kingdom exec {name} -- python -m app jobs"
        )
    process = psutil.Process(pod.pid)
    # Without the marks by which the supervisor recognizes the processes that it started.
    environment = {
        key: value for key, value in process.environ().items() if key not in {ROOT_MARK, INSTANCE_MARK}
    }
    ended = subprocess.run(context.args, cwd=process.cwd(), env=environment, check=False)
    raise typer.Exit(ended.returncode)
