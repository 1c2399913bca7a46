"""The command line, `kingdom`: every command of it, each a thin layer over a :class:`Session`."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from rehearsal.errors import KingdomError

if TYPE_CHECKING:
    from rehearsal.session import Session

app: Final = typer.Typer(
    name="kingdom",
    help="The platform of Kingdom Studios: planned, judged and run on this machine, with no cloud.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Exit codes: 0 done and clean, 1 failed, 2 the input cannot be used, 3 a mandatory policy is"
    " violated, 130 interrupted.",
)
# Where no terminal says how wide it is, lines are as long as they need to be.
_WIDE: Final = None if sys.stdout.isatty() else 400
out: Final = Console(highlight=False, soft_wrap=True, width=_WIDE)
err: Final = Console(stderr=True, highlight=False, soft_wrap=True)

POLICIES: Final = Path("policies")
VIOLATED: Final = 3
INTERRUPTED: Final = 130

StackOption = Annotated[
    str,
    typer.Option(
        "--stack", "-s", envvar="KINGDOM_STACK", help="The environment: a file stacks/Pulumi.<name>.yaml."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, for machines.")]
AllOption = Annotated[bool, typer.Option("--unchanged", help="Show unchanged resources too.")]
PackOption = Annotated[
    Path,
    typer.Option("--policy-pack", help="The folder of the policy pack that judges.", metavar="FOLDER"),
]


def _examples(*lines: str) -> str:
    return "Examples: " + "; ".join(f"`{line}`" for line in lines)


@app.command(epilog=_examples("kingdom preview --stack prod", "kingdom preview -s dev --json | jq .counts"))
def preview(
    stack: StackOption = "local",
    as_json: JsonOption = False,
    unchanged: AllOption = False,
    policy_pack: PackOption = POLICIES,
) -> None:
    """Plan a stack and have the policy pack judge it. Changes nothing."""
    from rehearsal import display, progress

    session = _session(stack, policy_pack)
    began = time.monotonic()
    with progress.Progress(err, f"previewing {stack}") as listener:
        result = session.preview(listener)
    if as_json:
        _print_json(display.to_json(result, seconds=time.monotonic() - began))
    else:
        display.show(out, result, unchanged=unchanged)
    _exit_for(result)


@app.command(epilog=_examples("kingdom up", "kingdom up --stack prod --json", "kingdom up --refresh"))
def up(
    stack: StackOption = "local",
    as_json: JsonOption = False,
    unchanged: AllOption = False,
    policy_pack: PackOption = POLICIES,
    refresh: Annotated[bool, typer.Option("--refresh", help="First adopt what the clouds say.")] = False,
) -> None:
    """Make a stack what the program declares: on rehearsal clouds, and `local` as real processes here.

    The plan is judged first; a mandatory violation or an error ends it before anything is created.
    """
    from rehearsal import display, progress

    session = _session(stack, policy_pack)
    began = time.monotonic()

    def planned(plan: Any) -> bool:
        if plan.changed and not as_json:
            err.print(
                f"planned {stack} in {time.monotonic() - began:.1f} s: "
                f"{sum(count for op, count in plan.counts.items() if op != 'same')} changes"
            )
        return True

    with progress.Progress(err, f"updating {stack}") as listener:
        result = session.up(listener, planned, refresh=refresh)
    seconds = time.monotonic() - began
    machine = session.machine()
    status = machine.status() if machine is not None and result.ok else None
    if as_json:
        data = display.to_json(result, seconds=seconds)
        _print_json(data | ({"machine": status.to_json()} if status else {}))
    else:
        display.show(out, result, unchanged=unchanged)
        if result.ok:
            display.show_outputs(out, result.outputs)
            if status is not None:
                display.show_machine(out, status, brief=True)
            out.print(f"up in {seconds:.1f} s")
        elif result.planned:
            err.print("[red]refused[/]: nothing was created or changed")
    _exit_for(result)


@app.command(epilog=_examples("kingdom down", "kingdom down --stack prod --unprotect"))
def down(
    stack: StackOption = "local",
    as_json: JsonOption = False,
    unprotect: Annotated[
        bool, typer.Option("--unprotect", help="Delete protected resources too: a rehearsal's are not real.")
    ] = False,
) -> None:
    """Delete everything of a stack, its data on this machine included, and stop its processes."""
    from rehearsal import display, progress

    session = _session(stack)
    began = time.monotonic()
    with progress.Progress(err, f"deleting {stack}") as listener:
        result = session.down(listener, unprotect=unprotect)
    if as_json:
        _print_json(display.to_json(result, seconds=time.monotonic() - began))
    elif result.steps or result.diagnostics:
        display.show(out, result)
    else:
        out.print(f"[bold]{stack}[/]: there is nothing to delete")
    _exit_for(result)


@app.command(epilog=_examples("kingdom refresh --stack prod"))
def refresh(stack: StackOption = "local", as_json: JsonOption = False) -> None:
    """Compare what is recorded with what the clouds say, and adopt that."""
    from rehearsal import display, progress

    session = _session(stack)
    began = time.monotonic()
    with progress.Progress(err, f"refreshing {stack}") as listener:
        result = session.refresh(listener)
    if as_json:
        _print_json(display.to_json(result, seconds=time.monotonic() - began))
    else:
        display.show(out, result)
    _exit_for(result)


@app.command(epilog=_examples("kingdom status", "kingdom status --json"))
def status(stack: StackOption = "local", as_json: JsonOption = False) -> None:
    """Show the processes of a stack on this machine: ready or not, memory, restarts, autoscaling."""
    from rehearsal import display

    session = _session(stack)
    machine = session.machine()
    if machine is None:
        resources = session.store.load().resources
        if as_json:
            _print_json({"stack": stack, "running": False, "resources": len(resources)})
        else:
            what = f"{len(resources)} resources are recorded" if resources else "nothing is recorded"
            out.print(f"[bold]{stack}[/]: nothing runs on this machine; {what}")
        raise typer.Exit(0 if session.options is None else 1)
    found = machine.status()
    if as_json:
        _print_json({"running": True, **found.to_json()})
    else:
        display.show_machine(out, found, brief=False)
    raise typer.Exit(0 if all(process.ready for process in found.processes) else 1)


@app.command(epilog=_examples("kingdom outputs", "kingdom outputs -s prod --json --show-secrets"))
def outputs(
    stack: StackOption = "local",
    as_json: JsonOption = False,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print secrets in the clear.")] = False,
) -> None:
    """Print the outputs of a stack."""
    from rehearsal import display
    from rehearsal.engine.urn import ROOT_STACK_TYPE
    from rehearsal.properties import unwrap

    session = _session(stack)
    roots = [item for item in session.store.load().resources if item.type == ROOT_STACK_TYPE]
    if not roots:
        raise KingdomError(
            f"the stack {stack!r} has no outputs: it is not up",
            remedy=f"Run `kingdom up --stack {stack}` first.",
        )
    values = unwrap(roots[0].outputs) if show_secrets else display.masked(roots[0].outputs)
    if as_json:
        _print_json(values)
    else:
        display.show_outputs(out, values)


@app.command(epilog=_examples("kingdom logs", "kingdom logs api --follow", "kingdom logs envoy -n 20"))
def logs(
    name: Annotated[str | None, typer.Argument(help="Only logs whose name contains this.")] = None,
    stack: StackOption = "local",
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="How many lines of each to begin with.")
    ] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
) -> None:
    """Print the logs of a stack's processes on this machine."""
    machine = _session(stack).machine()
    if machine is None:
        raise KingdomError(
            f"the stack {stack!r} does not run on this machine",
            remedy="Run `kingdom up` first: `local` is the one that can.",
        )
    for line in machine.logs(name, lines, follow):
        out.print(line, markup=False)


@app.command(epilog=_examples("kingdom check rendered/", "kingdom check chart.yaml --only PSS --json"))
def check(
    paths: Annotated[list[str], typer.Argument(help="YAML files or folders of them.")],
    as_json: JsonOption = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="The platform's own house rules count too.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only rules with this tag; may be repeated.")
    ] = None,
    policy_pack_config: Annotated[
        Path | None, typer.Option("--policy-pack-config", help="A JSON file that configures the rules.")
    ] = None,
) -> None:
    """Judge plain Kubernetes manifests with the policy pack. Exit code 1 on a mandatory finding."""
    from rehearsal import check as manifests
    from rehearsal.analyzer import load_config

    config = load_config(policy_pack_config) if policy_pack_config else None
    report = manifests.check(paths, config=config, strict=strict, only=tuple(only or ()))
    if as_json:
        _print_json(report.to_json())
    else:
        for line in report.lines():
            out.print(line, markup=False)
    raise typer.Exit(0 if report.ok else 1)


@app.command(
    epilog=_examples("kingdom render --stack prod --out rendered", "kingdom check --strict rendered")
)
def render(
    folder: Annotated[
        Path, typer.Option("--out", "-o", help="Where the files go, one an object.", metavar="FOLDER")
    ],
    stack: StackOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Write every Kubernetes object of a stack as YAML, numbered in apply order, for scanners and dry runs.

    Values are those of a throwaway rehearsal: what only the clouds know is made up, and said so in the file.
    Secrets are never written. Run again, it changes nothing but what has changed.
    """
    from rehearsal import progress
    from rehearsal import render as rendering
    from rehearsal.engine.events import Silent

    session = _session(stack)
    rendering.check_folder(stack, folder)
    with progress.Progress(err, f"rehearsing {stack}") as listener:
        # Off a terminal it would tell of every resource, and the objects are what was asked for.
        plan, result = session.rehearse(listener if err.is_terminal else Silent())
    if result.interrupted:
        _exit_for(result)
    if not result.ok:
        raise KingdomError(
            f"the stack {stack!r} cannot be rendered:",
            details=[item.message for item in (*plan.errors, *result.errors)],
            remedy=f"Nothing was written. See `kingdom preview --stack {stack}`.",
        )
    objects = rendering.objects(result.snapshot, plan.snapshot)
    rendered = rendering.write(stack, objects, folder, rendering.skipped(result.snapshot))
    if as_json:
        _print_json(rendered.to_json())
    else:
        for line in rendered.lines():
            out.print(line, markup=False)


@app.command(epilog=_examples("kingdom cloud", "kingdom cloud --json > clouds.json &"))
def cloud(as_json: JsonOption = False) -> None:
    """Serve the rehearsal clouds to the real Pulumi CLI until Ctrl-C.

    Prints a line PULUMI_DEBUG_PROVIDERS=…: with it in the environment, `pulumi preview` and `pulumi up` use
    these clouds in place of the real ones.
    """
    from rehearsal.clouds import server

    def ready(endpoints: server.Endpoints) -> None:
        if as_json:
            print(endpoints.as_json(), flush=True)
        else:
            print(endpoints.line, flush=True)
            err.print("[dim]export this where you run `pulumi`; Ctrl-C here ends the clouds[/]")

    server.serve(ready)


def _session(stack: str, policy_pack: Path = POLICIES) -> Session:
    from rehearsal.project import Project
    from rehearsal.session import Session

    project = Project.find()
    # The project's own pack is found from every folder within the project; another one, from here.
    pack = project.root / POLICIES if policy_pack == POLICIES else policy_pack.resolve()
    return Session(project, stack, policies=pack, notice=partial(err.print, style="yellow"))


def _print_json(data: Any) -> None:
    print(json.dumps(data, indent=2, ensure_ascii=False), flush=True)


def _exit_for(result: Any) -> None:
    if result.interrupted:
        err.print("[yellow]interrupted[/]: what was done is recorded; run the command again to go on")
        raise typer.Exit(INTERRUPTED)
    if result.errors:
        raise typer.Exit(1)
    if result.mandatory:
        raise typer.Exit(VIOLATED)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line; errors that a user can mend are printed without a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        app(arguments)
    except KingdomError as error:
        if "--json" in arguments:
            _print_json(
                {"ok": False, "error": error.message, "details": error.details, "remedy": error.remedy}
            )
        err.print(f"error: {error}", style="red", markup=False)
        sys.exit(error.exit_code)
