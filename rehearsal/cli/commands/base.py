"""Shared parts of the commands: application, consoles, common options and exit codes."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from rehearsal.errors import InputError

if TYPE_CHECKING:
    from rehearsal.engine.targets import Targets
    from rehearsal.pulumi.project import Project
    from rehearsal.session import Session

app: Final = typer.Typer(
    name="kingdom",
    help="Plan, evaluate and run the platform of Kingdom Studios on this machine, without a cloud account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Exit codes: 0 success, 1 failure, 2 the input cannot be used, 3 a mandatory policy is"
    " violated, 130 interrupted.",
)
# Without a terminal, lines are not wrapped.
_WIDE: Final = None if sys.stdout.isatty() else 400
# Emoji codes are not replaced: `web.yaml:100:` contains one.
out: Final = Console(highlight=False, emoji=False, soft_wrap=True, width=_WIDE)
err: Final = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

POLICIES: Final = Path("policies")
VIOLATED: Final = 3
INTERRUPTED: Final = 130

StackOption = Annotated[
    str,
    typer.Option(
        "--stack", "-s", envvar="KINGDOM_STACK", help="The environment: a file stacks/Pulumi.<name>.yaml."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show the tree of all resources, unchanged ones too.")
]
PackOption = Annotated[
    Path | None,
    typer.Option(
        "--policy-pack",
        help="Folder of the policy pack, or `none`. Default: the project's `policies`, where it exists.",
        metavar="FOLDER|none",
        show_default=False,
    ),
]


TargetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        "-t",
        help="Leave all resources but this one as they are; may be repeated. `*` and `**` are wildcards.",
        metavar="URN",
    ),
]
TargetDependentsOption = Annotated[
    bool, typer.Option("--target-dependents", help="Include what depends on the targets.")
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        help="Leave this resource as it is; may be repeated. `*` and `**` are wildcards.",
        metavar="URN",
    ),
]
ExcludeDependentsOption = Annotated[
    bool, typer.Option("--exclude-dependents", help="Leave what depends on excluded resources as it is.")
]
ReplaceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--replace", help="Replace this resource although it did not change; may be repeated.", metavar="URN"
    ),
]
TargetReplaceOption = Annotated[
    list[str] | None,
    typer.Option("--target-replace", help="Short for --target URN --replace URN.", metavar="URN"),
]
RefreshOption = Annotated[
    bool | None,
    typer.Option(
        "--refresh/--no-refresh",
        help="Refresh the state from the rehearsal clouds first. Default: `options.refresh` of Pulumi.yaml.",
        show_default=False,
    ),
]


def targets_of(
    *,
    target: list[str] | None = None,
    target_dependents: bool = False,
    exclude: list[str] | None = None,
    exclude_dependents: bool = False,
    replace: list[str] | None = None,
    target_replace: list[str] | None = None,
) -> Targets:
    """Return the selection of a command's options. Raises InputError for --target with --exclude."""
    from rehearsal.engine.targets import Targets

    if (target or target_replace) and exclude:
        raise InputError("--target and --exclude cannot be used together")
    return Targets.of(
        target=target or (),
        target_dependents=target_dependents,
        exclude=exclude or (),
        exclude_dependents=exclude_dependents,
        replace=replace or (),
        target_replace=target_replace or (),
    )


def examples(*lines: str) -> str:
    return "Examples: " + "; ".join(f"`{line}`" for line in lines)


def session_of(stack: str, policy_pack: Path | None = None) -> Session:
    from rehearsal.pulumi.project import Project
    from rehearsal.session import Session

    project = Project.find()
    return Session(
        project, stack, policies=pack_of(project, policy_pack), notice=partial(err.print, style="yellow")
    )


def pack_of(project: Project, policy_pack: Path | None) -> Path | None:
    """Return the folder of the policy pack, or None for no pack.

    The default is the project's own pack, wherever in the project the command runs.
    """
    own = project.root / POLICIES
    if policy_pack is None:
        return own if (own / "PulumiPolicy.yaml").is_file() else None
    if str(policy_pack) == "none":
        return None
    return own if policy_pack == POLICIES else policy_pack.resolve()


def print_json(data: Any) -> None:
    print(json.dumps(data, indent=2, ensure_ascii=False), flush=True)


def exit_for(result: Any) -> None:
    if result.interrupted:
        err.print("[yellow]interrupted[/]: completed steps are recorded; run the command again to continue")
        raise typer.Exit(INTERRUPTED)
    if result.errors:
        raise typer.Exit(1)
    if result.mandatory:
        raise typer.Exit(VIOLATED)
