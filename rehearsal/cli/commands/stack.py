"""Commands that change a stack: up, down, refresh."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rehearsal.cli.commands.base import (
    ExcludeDependentsOption,
    ExcludeOption,
    JsonOption,
    PackOption,
    RefreshOption,
    ReplaceOption,
    StackOption,
    TargetDependentsOption,
    TargetOption,
    TargetReplaceOption,
    VerboseOption,
    app,
    err,
    examples,
    exit_for,
    out,
    print_json,
    session_of,
    targets_of,
)
from rehearsal.errors import InputError

if TYPE_CHECKING:
    from rehearsal.engine.events import Result
    from rehearsal.engine.state import ResourceState
    from rehearsal.host.status import HostStatus
    from rehearsal.session import Session

ExpectPlanOption = Annotated[
    str,
    typer.Option("--expect-plan", help="Stop if the plan differs from this one.", metavar="DIGEST|FILE"),
]
FreshProjectOption = Annotated[
    bool,
    typer.Option(
        "--fresh-project", help="First check that a deployment to new, empty accounts would succeed."
    ),
]
FormerStateOption = Annotated[
    Path | None,
    typer.Option(
        "--former-state",
        help="With --fresh-project: exported state of an earlier deployment to the same project.",
        metavar="FILE",
    ),
]


def exported(file: Path) -> Sequence[ResourceState]:
    """Return the resources in a file that `pulumi stack export` wrote. Raises InputError."""
    from rehearsal.engine.state.checkpoint import FormatError, exported_resources

    try:
        return exported_resources(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    except FormatError as error:
        raise InputError(
            f"{file} is not an exported state: {error}", remedy="Write it with `pulumi stack export --file`."
        ) from None


@app.command(epilog=examples("kingdom up", "kingdom up --stack prod --json", "kingdom up --refresh"))
def up(
    stack: StackOption = "local",
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    policy_pack: PackOption = None,
    target: TargetOption = None,
    target_dependents: TargetDependentsOption = False,
    exclude: ExcludeOption = None,
    exclude_dependents: ExcludeDependentsOption = False,
    replace: ReplaceOption = None,
    target_replace: TargetReplaceOption = None,
    refresh: RefreshOption = None,
    expect_plan: ExpectPlanOption = "",
    fresh_project: FreshProjectOption = False,
    former_state: FormerStateOption = None,
) -> None:
    """Update a stack to the declared state: in rehearsal clouds, and `local` as processes on this machine.

    The plan is evaluated first: a mandatory violation or an error stops the command before anything is
    created. A plan that differs from the one of --expect-plan stops it too, and the difference is printed.

    With --fresh-project the stack is first rehearsed in accounts without enabled APIs, service agents and
    raised quotas; obstacles to a real first deployment are listed, and nothing is created. Names that an
    earlier deployment to the same project left taken are among them where --former-state names its state.
    """
    from rehearsal.cli import display, progress
    from rehearsal.review.changes.plan_digest import Expected, plan_of

    targets = targets_of(
        target=target,
        target_dependents=target_dependents,
        exclude=exclude,
        exclude_dependents=exclude_dependents,
        replace=replace,
        target_replace=target_replace,
    )
    if former_state is not None and not fresh_project:
        raise InputError("--former-state is for --fresh-project", remedy="Add --fresh-project.")
    former = exported(former_state) if former_state is not None else ()
    session = session_of(stack, policy_pack)
    if fresh_project:
        session.require_first_deployment(former)
    expected = Expected(expect_plan) if expect_plan else None
    began = time.monotonic()

    def planned(plan: Any) -> bool:
        if expected is not None:
            expected.require(plan_of(plan))
        if plan.changed and not as_json:
            err.print(
                f"planned {stack} in {time.monotonic() - began:.1f} s: "
                f"{sum(count for op, count in plan.counts.items() if op != 'same')} changes"
            )
        return True

    with progress.Progress(err, f"updating {stack}") as listener:
        result = session.up(
            listener, planned, targets=targets, refresh=refresh, waiting_for=listener.waiting_for
        )
    seconds = time.monotonic() - began
    machine = session.machine()
    status = machine.status() if machine is not None and result.ok else None
    if as_json:
        data = display.to_json(result, seconds=seconds)
        print_json(data | ({"machine": status.to_json()} if status else {}))
    else:
        display.show(out, result, verbose=verbose, times=listener.times)
        if result.ok:
            _show_deployed(session, result, status, seconds)
        elif result.planned:
            err.print("[red]refused[/]: nothing was created or changed")
    exit_for(result)


def _show_deployed(session: Session, result: Result, status: HostStatus | None, seconds: float) -> None:
    """Print the outputs and the time of an update, the processes on this machine, and the next steps."""
    from rehearsal.cli import display
    from rehearsal.monitoring.signals import path_of

    display.show_outputs(out, result.outputs)
    if status is not None:
        display.show_machine(out, status, brief=True)
        if path_of(session.project).is_file():
            out.print("dashboard: run `kingdom dashboard`")
    out.print(f"up in {seconds:.1f} s")
    if status is not None:
        display.show_next_steps(out, status)


@app.command(epilog=examples("kingdom down", "kingdom down --stack prod --unprotect"))
def down(
    stack: StackOption = "local",
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    unprotect: Annotated[bool, typer.Option("--unprotect", help="Delete protected resources too.")] = False,
    target: TargetOption = None,
    target_dependents: TargetDependentsOption = False,
    exclude: ExcludeOption = None,
    exclude_protected: Annotated[
        bool,
        typer.Option(
            "--exclude-protected", help="Leave protected resources, and what they need, as they are."
        ),
    ] = False,
    refresh: RefreshOption = None,
) -> None:
    """Delete all resources of a stack with their data on this machine, and stop its processes.

    With --target, --exclude or --exclude-protected, the other resources stay, and so do the processes.
    """
    from rehearsal.cli import display, progress
    from rehearsal.dashboard import process

    if exclude_protected and (target or unprotect):
        raise InputError("--exclude-protected cannot be used with --target or --unprotect")
    targets = targets_of(
        target=target,
        target_dependents=target_dependents,
        exclude=exclude,
    )
    session = session_of(stack)
    began = time.monotonic()
    if not targets.partial and not exclude_protected:
        process.stop(session.folder)
    with progress.Progress(err, f"deleting {stack}") as listener:
        result = session.down(
            listener,
            unprotect=unprotect,
            exclude_protected=exclude_protected,
            targets=targets,
            refresh=refresh,
        )
    if as_json:
        print_json(display.to_json(result, seconds=time.monotonic() - began))
    elif result.steps or result.diagnostics:
        display.show(out, result, verbose=verbose, times=listener.times)
    else:
        out.print(f"[bold]{stack}[/]: there is nothing to delete")
    exit_for(result)


@app.command(epilog=examples("kingdom refresh --stack prod"))
def refresh(
    stack: StackOption = "local",
    as_json: JsonOption = False,
    target: TargetOption = None,
    target_dependents: TargetDependentsOption = False,
    exclude: ExcludeOption = None,
    exclude_dependents: ExcludeDependentsOption = False,
) -> None:
    """Compare the state with the rehearsal clouds and adopt their values."""
    from rehearsal.cli import display, progress

    targets = targets_of(
        target=target,
        target_dependents=target_dependents,
        exclude=exclude,
        exclude_dependents=exclude_dependents,
    )
    session = session_of(stack)
    began = time.monotonic()
    with progress.Progress(err, f"refreshing {stack}") as listener:
        result = session.refresh(listener, targets=targets)
    if as_json:
        print_json(display.to_json(result, seconds=time.monotonic() - began))
    else:
        display.show(out, result)
    exit_for(result)
