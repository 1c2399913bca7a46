"""`kingdom backup`: copies of a stack's data on this machine, and their restoration."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from rehearsal.cli.commands.base import JsonOption, StackOption, app, examples, out, print_json, session_of
from rehearsal.errors import InputError, KingdomError

if TYPE_CHECKING:
    from rehearsal.host.backups import Backup
    from rehearsal.host.client import Machine

_KIBIBYTE = 1024


def _machine(stack: str) -> Machine:
    machine = session_of(stack).machine()
    if machine is None:
        raise KingdomError(
            f"the stack {stack!r} does not run on this machine",
            remedy=f"Run `kingdom up --stack {stack}` first.",
        )
    return machine


@app.command(
    epilog=examples(
        "kingdom backup create", "kingdom backup list", "kingdom backup restore --at 2026-11-25T12:34:56Z"
    )
)
def backup(
    action: Annotated[str, typer.Argument(help="`create`, `list` or `restore`.")],
    name: Annotated[str, typer.Argument(help="For `restore`: name of the backup; default: the latest.")] = "",
    stack: StackOption = "local",
    as_json: JsonOption = False,
    at: Annotated[
        str,
        typer.Option(
            "--at", help="For `restore`: the latest backup at or before this UTC time.", metavar="TIME"
        ),
    ] = "",
) -> None:
    """Back up the data of a stack on this machine, or restore it.

    A backup copies database, cache and objects at one moment; the schedule declared for Atlas creates some
    too. A restore replaces all of them: writes after the backup are lost. The runbook for the cloud is
    docs/runbooks/restore.md.
    """
    from rehearsal.host.backups import to_json
    from rehearsal.host.errors import MachineError

    if action not in {"create", "list", "restore"}:
        raise InputError(f"unknown action {action!r}", remedy="Write create, list or restore.")
    machine = _machine(stack)
    try:
        match action:
            case "create":
                found = [machine.create_backup()]
            case "restore":
                found = [machine.restore_backup(name, _moment(at) if at else None)]
            case _:
                found = machine.backups()
    except MachineError as error:
        raise KingdomError(str(error)) from error
    if as_json:
        print_json(to_json(found))
        return
    for item in found:
        out.print(f"{_DONE[action]}{_line(item)}")
    if not found:
        out.print("no backups yet: `kingdom backup create` makes one")


_DONE = {"create": "created ", "restore": "restored ", "list": ""}


def _line(item: Backup) -> str:
    taken = datetime.fromtimestamp(item.taken, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    size, pause = f"{item.bytes / _KIBIBYTE:.0f} KiB", f"{item.pause * 1000:.0f} ms"
    return f"{item.name}  taken {taken}, {size}, servers suspended for {pause}"


def _moment(text: str) -> float:
    """Parse a time to seconds since the epoch. Without a fraction, it is the end of the second."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"--at {text!r} is not a time", remedy="Write it as 2026-11-25T12:34:56Z."
        ) from error
    if "." not in text and "," not in text:
        moment = moment.replace(microsecond=999_999)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
