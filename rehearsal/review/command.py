"""Run and print a review: `kingdom preview` with ``--base`` or ``--format``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from rich.console import Console

from rehearsal.cli import display
from rehearsal.cli.progress import Overview
from rehearsal.errors import InputError, KingdomError
from rehearsal.pulumi.project import Project
from rehearsal.review.changes.cost_diff import delta, span
from rehearsal.review.formats.json_report import report
from rehearsal.review.formats.junit import junit
from rehearsal.review.formats.markdown import markdown
from rehearsal.review.formats.sarif import sarif
from rehearsal.review.review import Review, review
from rehearsal.review.rules.weakened import described
from rehearsal.review.stack_review import StackReview, Status

__all__ = ["Format", "printed", "run"]


class Format(StrEnum):
    """Output format of a review."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"


def run(
    project: Project,
    stacks: Sequence[str],
    *,
    policies: Path | None,
    ref: str,
    head: str = "",
    format_: Format,
    files: Sequence[tuple[Format, Path]] = (),
    out: Console,
    err: Console,
) -> int:
    """Print the review of `stacks` (default: all) and write it to `files`; return the exit code.

    A review that fails is written in the same formats. Raises InputError for a file that cannot be written.
    """
    try:
        with Overview(err) as overview:
            found = review(
                project,
                stacks,
                policies=policies,
                ref=ref,
                head=head,
                progress=overview.progress,
            )
    except KingdomError as error:
        found = Review(ref=ref, error=error)
        err.print(f"error: {error}", style="red", markup=False)
    for form, path in files:
        try:
            path.write_text(printed(found, form) + "\n")
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from None
    if format_ is Format.TEXT:
        _show(out, err, found)
    else:
        print(printed(found, format_), flush=True)
    return found.exit_code


def printed(found: Review, format_: Format) -> str:
    """Return the review in `format_`, which is not text, without a trailing line break."""
    match format_:
        case Format.MARKDOWN:
            return markdown(found).rstrip("\n")
        case Format.SARIF:
            return json.dumps(sarif(found), indent=2, ensure_ascii=False)
        case Format.JUNIT:
            return junit(found).rstrip("\n")
        case _:
            return json.dumps(report(found), indent=2, ensure_ascii=False)


def _counts(item: StackReview) -> str:
    """Return the number of resources by operation, as in the comment: without components and the stack."""
    parts = [f"{number} to {op.value}" for op, number in item.counts.items()]
    return f"{item.stack}: {', '.join([*parts, f'{item.unchanged} unchanged'])}"


def _show(out: Console, err: Console, found: Review) -> None:
    for change in found.rule_changes:
        out.print(
            f"weaker rule: {described(change)} in {', '.join(change.stacks)}", style="red", markup=False
        )
    for item_ in found.withheld:
        out.print(
            f"weaker rule: the base's rules find {item_.level} {item_.rule.name}:"
            f" {item_.resource or 'the stack'} in {', '.join(item_.stacks)}: {item_.message}",
            style="red",
            markup=False,
        )
    for item in found.stacks:
        for effect in item.effects:
            out.print(f"{item.stack}: {effect.text}", style="yellow", markup=False)
        if item.base_error:
            err.print(
                f"warning: {item.stack}: planned as a new stack, because the base cannot be planned:"
                f" {item.base_error}",
                style="yellow",
                markup=False,
            )
        if item.error:
            err.print(f"error: {item.stack}: {item.error}", style="red", markup=False)
        elif item.status is Status.REMOVED:
            out.print(f"[bold]{item.stack}[/]: removed")
        if item.result is not None:
            display.show(out, item.result, counts=_counts(item))
        if item.load_forecast is not None:
            out.print(f"  {item.load_forecast.text()}", markup=False)
        for change in item.capacity:
            before, after = change.before or "(none)", change.after or "(none)"
            out.print(f"  {change.what}: {before} → {after}", markup=False)
        if (costs := item.costs) is not None:
            was = item.base_costs
            against = f" ({delta(was, costs)})" if was is not None else ""
            out.print(f"  USD a month: {span(costs.minimum, costs.maximum)}{against}", markup=False)
