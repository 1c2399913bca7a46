"""Commands for monitoring a platform on this machine: dashboard, recommendations and reports."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rehearsal.cli.commands.base import (
    JsonOption,
    PackOption,
    StackOption,
    app,
    examples,
    out,
    pack_of,
    print_json,
    session_of,
)
from rehearsal.errors import InputError, KingdomError

if TYPE_CHECKING:
    from rehearsal.monitoring.recommendations.evaluation import Evaluated
    from rehearsal.monitoring.recommendations.recommendation import StackRecommendation
    from rehearsal.session import Session

_PERIODS: Final = {"1h": 3600.0, "24h": 86_400.0, "7d": 604_800.0}
SinceOption = Annotated[str, typer.Option("--since", help="The period: 1h, 24h or 7d.", metavar="1h|24h|7d")]


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

    It runs in the background until the platform stops or `--stop` is given. Recordings stay in
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


@app.command(
    epilog=examples(
        "kingdom recommend",
        "kingdom recommend --since 7d --apply && git diff stacks && kingdom up",
        "kingdom recommend --json --policy-pack none",
    )
)
def recommend(
    stack: StackOption = "local",
    since: SinceOption = "24h",
    as_json: JsonOption = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write accepted changes to the stack file; nothing is deployed.")
    ] = False,
    policy_pack: PackOption = None,
) -> None:
    """Recommend changes of a stack file, based on recorded signals.

    Rules exist for memory, CPU requests, replicas and autoscaling targets, caches, connection pools, Atlas
    tiers, indexes, rate limits and node pools. A rule needs three hours of recorded signals. Each change is
    planned, evaluated by the policy pack and priced. With --apply, those without a problem are written to the
    stack file, for review and `kingdom up`.
    """
    from app.monitoring.signals import Detection
    from rehearsal.monitoring.signals import declared

    session = session_of(stack)
    found = _recommended(session, _seconds(since), pack_of(session.project, policy_pack))
    history, usual = declared(session.project, stack).detection.history_seconds, Detection().history_seconds
    if as_json:
        applied = _apply(session.stack.path, found) if apply else []
        print_json(
            {
                "stack": stack,
                "history_seconds": history,
                "recommendations": [item.to_json() for item in found],
                "applied": [{"path": list(one.path), "value": one.new} for one in applied],
            }
        )
        return
    if history != usual:
        out.print(f"time scale: a rule needs {history:g} s of history in place of {usual:g} s")
    if not found:
        short = f": a rule needs {history:g} s of history" if _seconds(since) < history else ""
        out.print(f"[bold]{stack}[/]: nothing to recommend{short}")
    for item in found:
        _show(item)
    if apply and found:
        applied = _apply(session.stack.path, found)
        for one in applied:
            out.print(f"{session.stack.path}: {' > '.join(one.path)} = {one.new}", markup=False)
        if not applied:
            out.print("nothing was applied: no recommendation changes a setting without a problem")


@app.command(epilog=examples("kingdom report --since 24h", "kingdom report --since 7d --json > report.json"))
def report(
    stack: StackOption = "local",
    since: SinceOption = "24h",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The HTML file to write.", metavar="FILE")
    ] = Path("report.html"),
    as_json: JsonOption = False,
    policy_pack: PackOption = None,
) -> None:
    """Write a report of recorded signals: objectives, findings, recommendations, capacity, cost, business.

    The report is one HTML file without scripts and external references; --json prints the same data.
    """
    from app.monitoring.report import build, render
    from policies.api import monthly
    from rehearsal.monitoring.access import recorded
    from rehearsal.monitoring.early_warning import happenings_of
    from rehearsal.monitoring.signals import declared
    from rehearsal.review.changes.cost_diff import span
    from rehearsal.review.rules.policy_view import declared as resources

    seconds, now = _seconds(since), time.time()
    if not as_json and (output.is_dir() or not output.parent.is_dir()):
        raise InputError(
            f"--output {output}: not a file in a folder that exists",
            remedy="Name a file such as report.html.",
        )
    session = session_of(stack)
    advice = _recommended(session, seconds, pack_of(session.project, policy_pack))
    costs = monthly(resources(session.store.load()))
    with recorded(session.project, stack, now - seconds, now) as (source, events):
        found = build(
            source,
            declared(session.project, stack),
            stack,
            now,
            seconds,
            happenings_of(events),
            cost=f"{span(costs.minimum, costs.maximum)} USD a month" if costs.lines else "",
            recommendations=[item.to_json() for item in advice],
            problems=sorted({event.title for event in events if event.kind == "source"}),
        )
    if as_json:
        print_json(found.to_json())
        return
    _write(output, render(found))
    out.print(f"{output}: {len(found.findings)} findings, {len(advice)} recommendations")


def _write(output: Path, text: str) -> None:
    """Write a report. An older one remains if this one cannot be written. Raises KingdomError."""
    from rehearsal.host.errors import MachineError
    from rehearsal.host.processes.atomic_files import write_atomic

    if output.exists() and not output.is_file():  # a pipe, or /dev/stdout
        output.write_text(text)
        return
    try:
        write_atomic(output.resolve(), text, mode=0o644, durable=False)
    except MachineError as error:
        raise KingdomError(
            str(error), remedy="Free disk space, or name another file with --output."
        ) from error


def _show(item: Evaluated) -> None:
    from rich.markup import escape

    one, effect = item.recommendation, item.recommendation.effect
    out.print(f"[bold]{one.rule}[/]: {escape(one.finding)}")
    out.print(
        f"  expected: {effect.quantity} {effect.now:.3g} -> {effect.low:.3g} to {effect.high:.3g}"
        f" {effect.unit}; cost {item.cost} USD a month ({item.cost_change})"
    )
    out.print(f"  risk: {one.risk} Undo: {one.undo}", markup=False)
    for problem in item.problems:
        out.print(f"  [red]not accepted[/]: {escape(problem)}")
    out.print(item.patch or f"  no setting of the stack file: {one.instead}", markup=False)


def _apply(path: Path, found: list[Evaluated]) -> list[StackRecommendation]:
    """Write accepted changes to the stack file, all or none, and return them. Raises InputError."""
    from rehearsal.monitoring.recommendations.stack_patch import changed, read_text, replace_text

    accepted = [item.recommendation for item in found if item.accepted]
    if not accepted:
        return []
    text = read_text(path)
    for one in accepted:
        text = changed(text, one.path, one.new, one.old)
    replace_text(path, text)
    return accepted


def _recommended(session: Session, seconds: float, pack: Path | None) -> list[Evaluated]:
    from rehearsal.monitoring.access import recorded
    from rehearsal.monitoring.recommendations.evaluation import evaluate
    from rehearsal.monitoring.recommendations.history import RecordedHistory
    from rehearsal.monitoring.recommendations.rules import recommendations
    from rehearsal.monitoring.signals import declared

    stack, now = session.stack.name, time.time()
    config: dict[str, Any] = {
        key: json.loads(value) for key, value in session.stack.config.items() if value.startswith("{")
    }
    with recorded(session.project, stack, now - seconds, now) as (source, _):
        history = RecordedHistory(source, declared(session.project, stack), config, now, seconds)
        found = recommendations(history)
    return evaluate(session.project, stack, pack, found)


def _seconds(since: str) -> float:
    if since not in _PERIODS:
        raise InputError(f"--since {since}: not a period", remedy=f"Use one of {', '.join(_PERIODS)}.")
    return _PERIODS[since]
