"""The preview command: plans of one stack or all stacks, and reviews."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

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
    pack_of,
    print_json,
    session_of,
    targets_of,
)
from rehearsal.errors import InputError

if TYPE_CHECKING:
    from rehearsal.engine.targets import Targets
    from rehearsal.parallel_preview import Outcome
    from rehearsal.pulumi.project import Project

FORMATS: Final = ("text", "markdown", "json", "sarif", "junit")  # as in review.command.Format

EveryOption = Annotated[bool, typer.Option("--all", help="Plan every stack that has a stack file.")]
BaseOption = Annotated[
    str, typer.Option("--base", help="Compare with this branch, tag or commit.", metavar="REF")
]
HeadOption = Annotated[
    str,
    typer.Option(
        "--head", help="The commit to report as the change, if a merge commit is checked out.", metavar="REF"
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option("--format", help=f"How to write a review: {', '.join(FORMATS)}.", metavar="FORMAT"),
]
WriteOption = Annotated[
    list[str] | None,
    typer.Option("--write", help="Also write the review to a file; may be repeated.", metavar="FORMAT=FILE"),
]
SavePlanOption = Annotated[
    Path | None,
    typer.Option(
        "--save-plan", help="Write the plan's digests to a file, for `up --expect-plan`.", metavar="FILE"
    ),
]


@app.command(
    epilog=examples(
        "kingdom preview --stack prod",
        "kingdom preview -s dev --json | jq .counts",
        "kingdom preview --all --base main --format markdown",
    )
)
def preview(
    stack: StackOption = "local",
    every: EveryOption = False,
    base: BaseOption = "",
    head: HeadOption = "",
    format_: FormatOption = None,
    write: WriteOption = None,
    save_plan: SavePlanOption = None,
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
) -> None:
    """Plan a stack and evaluate it with the policy pack. Changes nothing.

    With --all, the SDKs are imported once for all stacks, and the exit code is the most severe one.

    With --base or --format it is a review: changes against the base, findings of the policy pack, changed
    capacity numbers, and the monthly cost. Every format is described in docs/pull-requests.md.
    """
    targets = targets_of(
        target=target,
        target_dependents=target_dependents,
        exclude=exclude,
        exclude_dependents=exclude_dependents,
        replace=replace,
        target_replace=target_replace,
    )
    if (every or base or format_ or write) and (targets != targets_of() or refresh):
        raise InputError(
            "--target, --exclude, --replace and --refresh are for the plan of one stack, without --all,"
            " --base and --format"
        )
    if base or format_ or write:
        if save_plan is not None:
            raise InputError("--save-plan is for the plan of one stack, without --base and --format")
        if every and not base:
            from rehearsal.pulumi.project import Project

            _require_stacks(Project.find())
        form = format_ or ("json" if as_json else "text")
        _review([] if every else [stack], base, head, form, write or [], policy_pack)
        return
    if every:
        if save_plan is not None:
            raise InputError("--save-plan is for the plan of one stack, not for --all")
        _every(as_json=as_json, verbose=verbose, policy_pack=policy_pack)
        return
    _one(
        stack,
        as_json=as_json,
        verbose=verbose,
        policy_pack=policy_pack,
        save_plan=save_plan,
        targets=targets,
        refresh=refresh,
    )


def _one(
    stack: str,
    *,
    as_json: bool,
    verbose: bool,
    policy_pack: Path | None,
    save_plan: Path | None,
    targets: Targets,
    refresh: bool | None,
) -> None:
    from rehearsal.cli import display, progress
    from rehearsal.review.changes.plan_digest import plan_of, save

    session = session_of(stack, policy_pack)
    began = time.monotonic()
    with progress.Progress(err, f"previewing {stack}", planning=True) as listener:
        result = session.preview(listener, targets=targets, refresh=refresh)
    plan = plan_of(result)
    if save_plan is not None:
        save(plan, save_plan)
    if as_json:
        data = display.to_json(result, seconds=time.monotonic() - began)
        print_json(data | {"digest": plan.digest})
    else:
        display.show(out, result, verbose=verbose)
        if result.changed:
            out.print(f"digest of this plan: {plan.digest}", style="dim")
    exit_for(result)


def _review(
    stacks: list[str], base: str, head: str, format_: str, write: list[str], policy_pack: Path | None
) -> None:
    if format_ not in FORMATS:
        raise InputError(f"--format is one of {', '.join(FORMATS)}, not {format_!r}")
    files = [entry.partition("=") for entry in write]
    for form, _, path in files:
        if form not in FORMATS[1:] or not path:
            raise InputError(f"--write is FORMAT=FILE with one of {', '.join(FORMATS[1:])}, not {form!r}")
    from rehearsal.pulumi.project import Project
    from rehearsal.review import command

    project = Project.find()
    for name in stacks:
        project.stack(name)  # an unknown stack is an error before anything is planned
    raise typer.Exit(
        command.run(
            project,
            stacks,
            policies=pack_of(project, policy_pack),
            ref=base,
            head=head,
            format_=command.Format(format_),
            files=[(command.Format(form), Path(path)) for form, _, path in files],
            out=out,
            err=err,
        )
    )


def _require_stacks(project: Project) -> None:
    """Raise InputError if the project has no stack file: a misspelled folder would have an empty result."""
    if not project.stack_names():
        raise InputError(
            f"no stack file in {project.stacks}",
            remedy="Correct stackConfigDir in Pulumi.yaml, or plan one stack with --stack.",
        )


def _every(*, as_json: bool, verbose: bool, policy_pack: Path | None) -> None:
    from rehearsal import parallel_preview
    from rehearsal.cli import display, progress
    from rehearsal.pulumi.project import Project

    project = Project.find()
    _require_stacks(project)
    jobs = [
        parallel_preview.Job(project, stack, pack_of(project, policy_pack)) for stack in project.stack_names()
    ]
    began = time.monotonic()
    with progress.Overview(err) as overview:
        outcomes = parallel_preview.preview_all(jobs, progress=overview.progress)
    code = parallel_preview.worst(outcomes)
    if as_json:
        print_json(
            {
                "ok": code == 0,
                "stacks": {outcome.job.stack: _json(outcome) for outcome in outcomes},
                "seconds": round(time.monotonic() - began, 3),
            }
        )
    else:
        for outcome in outcomes:
            out.rule(f"[bold]{outcome.job.stack}", style="dim") if out.is_terminal else None
            if outcome.error is not None:
                err.print(f"error: {outcome.job.stack}: {outcome.error}", style="red", markup=False)
            elif outcome.result is not None:
                display.show(out, outcome.result, verbose=verbose)
        _summary(outcomes)
    raise typer.Exit(code)


def _json(outcome: Outcome) -> dict[str, Any]:
    from rehearsal.cli import display

    if outcome.result is not None:
        return display.to_json(outcome.result, seconds=outcome.seconds)
    assert outcome.error is not None
    return {"stack": outcome.job.stack, "ok": False, **outcome.error.to_json()}


def _summary(outcomes: Sequence[Outcome]) -> None:
    words = {0: "[green]clean[/]", 3: "[red]violates a mandatory policy[/]"}
    for outcome in outcomes:
        result = words.get(outcome.exit_code, "[red]failed[/]")
        out.print(f"[bold]{outcome.job.stack}[/]: {result} ({outcome.seconds:.1f} s)")
