"""`kingdom drill`: inject a fault into the running platform under load, and check the clients' histories."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

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
from rehearsal.errors import InputError, KingdomError

if TYPE_CHECKING:
    from rehearsal.drills.runner import DrillResult
    from rehearsal.host.client import Machine
    from rehearsal.session import Session

_RANDOM_DRILLS: Final = 5


@app.command(
    epilog=examples(
        "kingdom drill redis-failover",
        "kingdom drill all --html drills.html",
        "kingdom drill random --seed 7",
        "kingdom drill redis-hung --seconds 130",
    )
)
def drill(
    name: Annotated[str, typer.Argument(help="The name of a drill, `all`, `random`, or `list`.")],
    stack: StackOption = "local",
    as_json: JsonOption = False,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", help="Seed that selects victims, and the drills of `random`; drawn and shown if absent."
        ),
    ] = None,
    clients: Annotated[
        int, typer.Option("--clients", min=1, max=64, help="Number of clients that send load.")
    ] = 8,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, max=600, help="For how long a dependency hangs.")
    ] = 30.0,
    html: Annotated[Path | None, typer.Option("--html", help="Write a report to this file.")] = None,
    history: Annotated[
        Path | None, typer.Option("--history", help="Write the operations of each drill to this folder.")
    ] = None,
) -> None:
    """Run failure drills on a stack of this machine, and check that no acknowledged write is lost.

    Load is sent to this machine's edge only. Ctrl-C undoes the fault and ends the load.
    """
    from rich.markup import escape

    from rehearsal.drills.catalog import DRILLS
    from rehearsal.drills.faults import FaultError
    from rehearsal.drills.report import to_html, to_json
    from rehearsal.drills.runner import DrillError, run
    from rehearsal.host.errors import MachineError
    from rehearsal.monitoring.annotations import annotated

    if name == "list":
        for item in DRILLS.values():
            out.print(f"[bold]{item.name}[/]  {item.summary}")
        return
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    names = _chosen(name, seed, list(DRILLS))
    session = session_of(stack)
    machine = session.machine()
    if machine is None:
        raise KingdomError(
            f"the stack {stack!r} does not run on this machine",
            remedy=f"Run `kingdom up --stack {stack}` first.",
        )
    options = _options(session, machine, seed, clients, seconds)
    results: list[DrillResult] = []
    not_run: dict[str, str] = {}
    try:
        for chosen in names:
            err.print(f"[bold]{chosen}[/] (seed {seed})")
            try:
                with annotated(session.folder, "drill", f"drill: {chosen}", {"seed": seed}):
                    result = run(DRILLS[chosen], machine, options)
            except (DrillError, FaultError, MachineError) as error:
                not_run[chosen] = str(error)
                err.print(f"[red]error:[/] the drill {chosen} could not be run: {escape(str(error))}")
                continue
            results.append(result)
            if history is not None:
                history.mkdir(parents=True, exist_ok=True)
                result.history.write(history / f"{chosen}.jsonl")
    finally:
        # Drills that have ended are reported also when a later one is interrupted.
        if html is not None and (results or not_run):
            html.write_text(to_html(results, not_run))
        if as_json:
            print_json(to_json(results, not_run))
        elif results:
            _show(results)
    raise typer.Exit(0 if not not_run and all(result.passed for result in results) else 1)


def _chosen(name: str, seed: int, known: list[str]) -> list[str]:
    if name == "all":
        return known
    if name == "random":
        return random.Random(seed).sample(known, k=_RANDOM_DRILLS)  # noqa: S311 (repeatable, not secret)
    if name not in known:
        raise InputError(
            f"unknown drill {name!r}", remedy=f"Choose one of {', '.join(known)}, all or random."
        )
    return [name]


def _options(session: Session, machine: Machine, seed: int, clients: int, seconds: float) -> Any:
    from rehearsal.drills.runner import DrillOptions
    from rehearsal.drills.workload import DrillTarget
    from rehearsal.host.administrator import grant_administrator

    endpoints = machine.status().endpoints
    return DrillOptions(
        target=DrillTarget(endpoints["edge"], Path(endpoints["authority"])),
        administrator=lambda email: grant_administrator(machine, session.project.root, email),
        seed=seed,
        clients=clients,
        hang_seconds=seconds,
        notice=lambda text: err.print(f"  {text}", style="dim"),
    )


def _show(results: list[DrillResult]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from rehearsal.drills.report import COLUMNS, during, rows

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in COLUMNS:
        table.add_column(column)
    for row in rows(results):
        table.add_row(*map(escape, row))
    out.print(table)
    for result in results:
        if result.hangs:
            out.print(f"{escape(result.name)}: {escape(during(result))}")
        for problem in result.problems:
            out.print(f"[red]{escape(result.name)}[/]: {escape(problem)}")
        if not result.measurements.baseline:
            out.print(
                f"[yellow]{escape(result.name)}[/]: the targets did not hold before the fault, "
                "so that the times are meaningless"
            )
