"""Evaluation of a recommendation before it is shown: its errors, policy violations and monthly cost."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from policies.api import Costs, monthly
from rehearsal.engine.events import Result, Silent
from rehearsal.errors import InputError
from rehearsal.monitoring.recommendations.recommendation import StackRecommendation
from rehearsal.monitoring.recommendations.stack_patch import changed, diff, read_text
from rehearsal.pulumi.project import Project
from rehearsal.review.changes.cost_diff import delta, span
from rehearsal.review.rules.policy_view import declared
from rehearsal.session import Session


@dataclass(frozen=True)
class Evaluated:
    """A recommendation with its patch, the plan's problems, and its cost in USD a month."""

    recommendation: StackRecommendation
    patch: str
    text: str
    problems: tuple[str, ...]
    cost: str
    cost_change: str

    @property
    def accepted(self) -> bool:
        """Whether the change could be applied; one without a setting in the stack file cannot."""
        return bool(self.recommendation.path) and not self.problems

    def to_json(self) -> dict[str, Any]:
        return {
            **self.recommendation.to_json(),
            "patch": self.patch,
            "problems": list(self.problems),
            "cost_usd_month": self.cost,
            "cost_change": self.cost_change,
        }


def evaluate(
    project: Project, stack: str, pack: Path | None, found: Sequence[StackRecommendation]
) -> list[Evaluated]:
    """Plan each change on its own against an empty state, without creating anything.

    A recommendation without a path, or whose value cannot be changed alone, gets no patch, and the cost of
    the stack as it is.
    """
    if not found:
        return []
    path = project.stack_file(stack)
    before = read_text(path)
    base = _costs(_plan(project, stack, pack, before))
    evaluated = []
    for recommendation in found:
        if not recommendation.path:
            cost = span(base.minimum, base.maximum)
            evaluated.append(Evaluated(recommendation, "", before, (), cost, delta(base, base)))
            continue
        try:
            text = changed(before, recommendation.path, recommendation.new, recommendation.old)
        except InputError as error:
            cost = span(base.minimum, base.maximum)
            evaluated.append(Evaluated(recommendation, "", before, (str(error),), cost, delta(base, base)))
            continue
        result = _plan(project, stack, pack, text)
        costs = _costs(result)
        evaluated.append(
            Evaluated(
                recommendation,
                diff(before, text, str(path.relative_to(project.root))),
                text,
                tuple([str(item) for item in result.errors] + [str(item) for item in result.mandatory]),
                span(costs.minimum, costs.maximum),
                delta(base, costs),
            )
        )
    return evaluated


def _costs(result: Result) -> Costs:
    return monthly(declared(result.snapshot))


def _plan(project: Project, stack: str, pack: Path | None, text: str) -> Result:
    """Return the plan of a stack file's text against an empty state."""
    with tempfile.TemporaryDirectory(prefix="kingdom-") as folder:
        stacks = Path(folder) / "stacks"
        shutil.copytree(project.stacks, stacks)
        (stacks / project.stack_file(stack).name).write_bytes(text.encode())
        session = Session(replace(project, stacks=stacks), stack, policies=pack, state=Path(folder) / "state")
        return session.preview(Silent())
