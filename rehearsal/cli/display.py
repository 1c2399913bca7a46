"""Output of operations: a summary and a tree for users, a JSON object for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from rehearsal.cli.summary import by_component, listed
from rehearsal.engine.events import (
    Diagnostic,
    Op,
    PropertyChange,
    Remediation,
    Result,
    Severity,
    Step,
    Violation,
)
from rehearsal.host.status import HostStatus
from rehearsal.pulumi.properties import UNKNOWN, Change, Secret, Value, format_path
from rehearsal.pulumi.urn import ROOT_STACK_TYPE, name_of, type_of

MARKS: Final = {
    Op.SAME: ("  ", "dim"),
    Op.CREATE: ("+ ", "green"),
    Op.UPDATE: ("~ ", "yellow"),
    Op.REPLACE: ("+-", "magenta"),
    Op.DELETE: ("- ", "red"),
    Op.READ: ("< ", "cyan"),
    Op.IMPORT: ("= ", "cyan"),
    Op.REFRESH: ("~ ", "cyan"),
}
_PLANNED: Final = {
    Op.CREATE: "to create",
    Op.UPDATE: "to update",
    Op.REPLACE: "to replace",
    Op.DELETE: "to delete",
    Op.READ: "to read",
    Op.IMPORT: "to import",
    Op.SAME: "unchanged",
}
_DONE: Final = {
    Op.CREATE: "created",
    Op.UPDATE: "updated",
    Op.REPLACE: "replaced",
    Op.DELETE: "deleted",
    Op.READ: "read",
    Op.IMPORT: "imported",
    Op.SAME: "unchanged",
}
_WIDTH: Final = 100  # of a displayed value, in characters
_SHOWN_EVENTS: Final = 10


def masked(value: Value) -> Value:
    """Return `value` for display, with secrets and unknowns replaced by words."""
    match value:
        case Secret():
            return "[secret]"
        case dict():
            return {key: masked(item) for key, item in value.items()}
        case list():
            return [masked(item) for item in value]
        case _ if value is UNKNOWN:
            return "[unknown]"
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def to_json(result: Result, *, seconds: float) -> dict[str, Any]:
    """Convert a result to a JSON object. Secrets are masked; unchanged resources are only counted."""
    return {
        "stack": result.stack,
        "ok": result.ok,
        "changed": result.changed,
        "planned": result.planned,
        "interrupted": result.interrupted,
        "counts": {op.value: count for op, count in result.counts.items()},
        "steps": [_step_json(step) for step in result.steps if step.op is not Op.SAME],
        "policyPack": result.policy_pack,
        "violations": [
            {
                "policy": item.policy,
                "level": item.level,
                "message": item.message,
                "description": item.description,
                "urn": item.urn,
                "source": item.source,
            }
            for item in result.violations
        ],
        "remediations": [
            {
                "policy": item.policy,
                "description": item.description,
                "urn": item.urn,
                "source": item.source,
                "changes": changes_json(item.changes),
            }
            for item in result.remediations
        ],
        "diagnostics": [
            {
                "severity": item.severity.value,
                "message": item.message,
                "urn": item.urn,
                "source": item.source,
            }
            for item in result.diagnostics
        ],
        "outputs": masked(dict(result.outputs)),
        "seconds": round(seconds, 3),
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "op": step.op.value,
        "urn": step.urn,
        "type": step.type,
        "name": step.name,
        "parent": step.parent,
        "source": step.source,
        "changes": changes_json(step.changes),
    }


def changes_json(changes: Iterable[PropertyChange]) -> list[dict[str, Any]]:
    """Convert changed properties to JSON; secrets are masked."""
    return [
        {
            "path": format_path(change.path),
            "kind": change.kind.value,
            "old": masked(change.old),
            "new": masked(change.new),
            "replaces": change.replaces,
        }
        for change in changes
    ]


def show(
    console: Console,
    result: Result,
    *,
    verbose: bool = False,
    counts: str = "",
    times: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Print the changes, a summary by component, the counts, policy findings and diagnostics.

    Components that are created or deleted as a whole appear in the summary only, unless `verbose` is set,
    which prints the tree of all resources. `times` maps URNs to the start and end of their steps in seconds.
    `counts` replaces the counts of all resources.
    """
    tree = _tree(result.steps if verbose else listed(result.steps), unchanged=verbose)
    if tree is not None:
        console.print(tree)
        console.print()
    _show_components(console, result, times)
    console.print(counts or _counts(result, _PLANNED if result.planned else _DONE))
    if result.policy_pack:
        show_violations(console, result.policy_pack, list(result.violations))
        show_remediations(console, result.remediations)
    show_diagnostics(console, result.diagnostics)


def _show_components(
    console: Console, result: Result, times: Mapping[str, tuple[float, float]] | None
) -> None:
    components = [item for item in by_component(result.steps, times) if item.changed]
    if not components:
        return
    words = _PLANNED if result.planned else _DONE
    table = Table.grid(padding=(0, 2))
    for item in components:
        counts = Text(", ").join(
            Text(f"{item.counts[op]} {word}", "dim" if op is Op.SAME else MARKS[op][1])
            for op, word in words.items()
            if op in item.counts
        )
        table.add_row(item.name, counts, "" if item.seconds is None else f"{item.seconds:.1f} s")
    console.print(table)
    console.print()


def _tree(steps: Iterable[Step], *, unchanged: bool) -> Tree | None:
    by_urn = {step.urn: step for step in steps}
    shown: set[str] = set()
    for step in by_urn.values():
        if step.op is Op.SAME and not unchanged:
            continue
        at: Step | None = step
        while at is not None and at.urn not in shown:
            shown.add(at.urn)
            at = by_urn.get(at.parent)
    if not shown:
        return None
    nodes: dict[str, Tree] = {}
    root = Tree(Text("resources"), hide_root=True, guide_style="dim")

    def node(step: Step) -> Tree:
        if step.urn not in nodes:
            parent = by_urn.get(step.parent)
            nodes[step.urn] = (node(parent) if parent else root).add(_line(step))
        return nodes[step.urn]

    # Components before single resources, each sorted by name, so that equal plans have equal output.
    for step in sorted(
        by_urn.values(), key=lambda item: (item.type != ROOT_STACK_TYPE, item.custom, item.urn)
    ):
        if step.urn in shown:
            branch = node(step)
            for change in step.changes:
                branch.add(_change(change))
    return root


def _line(step: Step) -> Text:
    mark, style = MARKS[step.op]
    text = Text.assemble((mark + " ", style), (step.name, style if step.op is not Op.SAME else ""), " ")
    text.append(step.type, "dim")
    if step.op is Op.REPLACE and step.delete_before_replace:
        text.append(" (deleted first)", "dim")
    if step.retained:
        text.append(" (retained in the cloud)", "dim")
    return text


def _change(change: PropertyChange) -> Text:
    path = format_path(change.path)
    match change.kind:
        case Change.ADD:
            text = Text.assemble(("+ ", "green"), path, ": ", shown(change.new))
        case Change.DELETE:
            text = Text.assemble(("- ", "red"), path, ": ", shown(change.old))
        case _:
            text = Text.assemble(("~ ", "yellow"), path, ": ", shown(change.old), " → ", shown(change.new))
    if change.replaces:
        text.append(" (forces replacement)", "magenta")
    return text


def shown(value: Value) -> str:
    """Format `value` as JSON on one line, truncated, with secrets and unknowns replaced by words."""
    import json

    text = json.dumps(masked(value), ensure_ascii=False, default=str)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _counts(result: Result, words: dict[Op, str]) -> str:
    counts = result.counts
    parts = [
        f"[{MARKS[op][1]}]{MARKS[op][0].strip()} {counts[op]} {word}[/]"
        for op, word in words.items()
        if op in counts and op is not Op.SAME
    ]
    same = counts.get(Op.SAME, 0)
    if not parts:
        return f"[bold]{result.stack}[/]: no changes, {same} resources"
    return f"[bold]{result.stack}[/]: {', '.join(parts)}, {same} unchanged"


def show_violations(console: Console, pack: str, violations: Sequence[Violation]) -> None:
    """Print the findings of the policy pack with their source positions, mandatory ones first."""
    found = [item for item in violations if item.level != "unevaluated"]
    unevaluated = [item for item in violations if item.level == "unevaluated"]
    mandatory = sum(item.mandatory for item in found)
    style = "red" if mandatory else "yellow" if found else "green"
    summary = f"{mandatory} mandatory, {len(found) - mandatory} advisory" if found else "no violations"
    console.print(f"policies [dim]{escape(pack)}[/]: [{style}]{summary}[/]")
    for item in found:
        console.print(
            f"  [{'red' if item.mandatory else 'yellow'}]{item.level}[/] [bold]{escape(item.policy)}[/]"
        )
        if item.urn:
            where = f" [dim]({escape(item.source)})[/]" if item.source else ""
            console.print(f"    {escape(_about(item))}{where}")
        for line in item.message.splitlines():
            console.print(f"    {line}", markup=False)
    if unevaluated:
        console.print("  [dim]not evaluated yet, for values that are unknown until they are created:[/]")
        for item in unevaluated:
            about = _about(item)
            where = f" ({item.source})" if item.source else ""
            console.print(
                f"    [dim]{escape(item.policy)}: {escape(about + where)}: {escape(item.reason)}[/]"
            )


def _about(item: Violation) -> str:
    """Return the name of the resource of a finding; "the stack" for one of the stack as a whole."""
    named = item.urn.count("::") >= 3 and type_of(item.urn) != ROOT_STACK_TYPE
    return name_of(item.urn) if named else "the stack"


def show_remediations(console: Console, remediations: Iterable[Remediation]) -> None:
    """Print the changes that policies made to inputs, as a diff for each resource."""
    for item in remediations:
        where = f" [dim]({escape(item.source)})[/]" if item.source else ""
        console.print(
            f"  [cyan]remedied[/] [bold]{escape(item.policy)}[/]: {escape(name_of(item.urn))}{where}"
        )
        for change in item.changes:
            console.print(Text("    ") + _change(change))


def show_diagnostics(console: Console, diagnostics: Iterable[Diagnostic]) -> None:
    styles = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan", Severity.DEBUG: "dim"}
    for item in diagnostics:
        about = f" {name_of(item.urn)}" if item.urn.count("::") >= 3 else ""
        where = f" ({item.source})" if item.source else ""
        console.print(
            Text.assemble(
                (item.severity.value, styles[item.severity]),
                (about, "bold"),
                (where, "dim"),
                f": {item.message}",
            )
        )


def show_outputs(console: Console, outputs: Mapping[str, Value]) -> None:
    """Print one line for each stack output; secrets are masked."""
    import json

    shown = masked(dict(outputs))
    width = max(map(len, shown), default=0)
    for name, value in sorted(shown.items()):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        console.print(Text.assemble((f"  {name:<{width}}", "bold"), f"  {text}"))


def show_autoscalers(console: Console, status: HostStatus) -> None:
    """Print each autoscaler with its replicas, metrics, last sync and conditions, then recent events."""
    for scaler in status.autoscalers:
        bounds = f"{scaler.desired} desired, {scaler.minimum} to {scaler.maximum}"
        console.print(f"[bold]{escape(scaler.name)}[/]: {scaler.current} replicas ({bounds})")
        for line in [*scaler.metrics, scaler.outcome]:
            console.print(f"  {escape(line)}")
        for item in scaler.conditions:
            text = f"{item['type']}={item['status']} {item['reason']}: {item['message']}"
            console.print(f"  [dim]{escape(text)}[/]")
    for event in status.events[-_SHOWN_EVENTS:]:
        color = "yellow" if event.type == "Warning" else "dim"
        times = f" (x{event.count})" if event.count > 1 else ""
        console.print(
            f"  [{color}]{event.type} {escape(event.reason)}[/] {escape(event.object)}: "
            f"{escape(event.message)}{times}"
        )


def show_machine(console: Console, status: HostStatus, *, brief: bool) -> None:
    """Print the processes and endpoints of this machine; `brief` omits the table of processes."""
    if not brief:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("", "process", "kind", "state", "pid", "port", "restarts", "memory", "cpu"):
            table.add_column(
                column, justify="right" if column in ("pid", "port", "restarts", "memory", "cpu") else "left"
            )
        for item in status.processes:
            table.add_row(
                "[green]●[/]" if item.ready else "[red]●[/]",
                escape(item.name),
                escape(item.kind),
                escape(f"{item.state} {item.message}".strip()),
                str(item.pid or ""),
                str(item.port or ""),
                str(item.restarts),
                f"{item.memory / 2**20:.0f} MiB",
                f"{item.cpu:.0%}",
            )
        console.print(table)
        show_autoscalers(console, status)
    ready = sum(item.ready for item in status.processes)
    console.print(
        f"[bold]{status.stack}[/] on this machine: {ready} of {len(status.processes)} processes ready"
    )
    for name, address in status.endpoints.items():
        console.print(f"  {escape(name)}  {escape(address)}")


def show_next_steps(console: Console, status: HostStatus) -> None:
    """Print what to open and run after `kingdom up` has started the processes of a stack."""
    stack = "" if status.stack == "local" else f" --stack {status.stack}"
    console.print("Next:")
    if status.endpoints:
        console.print(f"  open {escape(next(iter(status.endpoints.values())))} in a browser")
    console.print(f"  kingdom status{stack} --watch    autoscaling, with the reason of each decision")
    console.print(f"  kingdom status{stack} --limits   what one machine does not enforce")
    console.print(f"  kingdom down{stack}              stop all processes and delete their data")


def show_limits(console: Console, status: HostStatus) -> None:
    """Print the declared properties that this machine does not enforce."""
    if not status.notes:
        console.print("everything that is declared is enforced on this machine")
    for note in status.notes:
        console.print(f"  [yellow]not enforced here:[/] {escape(note)}")
