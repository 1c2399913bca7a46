"""Summary of an operation by component: counts of each operation, and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rehearsal.engine.events import Op, Step
from rehearsal.pulumi.urn import ROOT_STACK_TYPE, is_default_provider, name_of

# Operations that are not listed resource by resource when they concern all resources of a component.
_LISTED_AS_COUNT: Final = frozenset({Op.CREATE, Op.DELETE})


@dataclass
class ComponentSummary:
    """Steps of one component directly below the stack, its descendants included.

    `seconds` is the time from the start of its first step to the end of its last one, or None for a plan.
    """

    name: str
    counts: Counter[Op] = field(default_factory=Counter)
    urns: list[str] = field(default_factory=list)
    seconds: float | None = None

    @property
    def changed(self) -> bool:
        return any(op is not Op.SAME for op in self.counts)

    @property
    def uniform(self) -> bool:
        """Whether all resources of the component are created, or all are deleted."""
        return len(self.counts) == 1 and next(iter(self.counts)) in _LISTED_AS_COUNT


def by_component(
    steps: Iterable[Step], times: Mapping[str, tuple[float, float]] | None = None
) -> list[ComponentSummary]:
    """Return the summary of each component directly below the stack, in the order of their names.

    `times` maps URNs to the start and end of their steps in seconds. Resources that belong to no component
    are not part of the result.
    """
    by_urn = {step.urn: step for step in steps if not is_default_provider(step.urn)}
    found: dict[str, ComponentSummary] = {}
    for step in by_urn.values():
        top = _top(step, by_urn)
        if top is None:
            continue
        summary = found.setdefault(top.urn, ComponentSummary(name_of(top.urn)))
        summary.counts[step.op] += 1
        summary.urns.append(step.urn)
    for summary in found.values():
        spans = [times[urn] for urn in summary.urns if urn in times] if times else []
        if spans:
            summary.seconds = max(end for _, end in spans) - min(start for start, _ in spans)
    return sorted(found.values(), key=lambda item: item.name)


def listed(steps: Collection[Step]) -> list[Step]:
    """Return the steps to list one by one: all but those of components that are created or deleted whole.

    Default providers are left out. Unchanged resources are included; the display leaves them out.
    """
    counted = {urn for item in by_component(steps) if item.uniform for urn in item.urns}
    return [step for step in steps if step.urn not in counted and not is_default_provider(step.urn)]


def component_of(step: Step, parents: Mapping[str, str]) -> str:
    """Return the name of the component directly below the stack that `step` belongs to, or "".

    `parents` maps URNs to the URNs of their parents.
    """
    urn, above = step.urn, step.parent or parents.get(step.urn, "")
    while above and not _is_stack(above):
        urn, above = above, parents.get(above, "")
    return name_of(urn) if urn != step.urn else ""


def _top(step: Step, by_urn: Mapping[str, Step]) -> Step | None:
    """Return the component directly below the stack that `step` belongs to; None if there is none."""
    if step.type == ROOT_STACK_TYPE:
        return None
    at, seen = step, {step.urn}
    while (above := by_urn.get(at.parent)) is not None and above.type != ROOT_STACK_TYPE:
        if above.urn in seen:  # only a damaged state has a cycle
            return None
        seen.add(above.urn)
        at = above
    return at if at.urn != step.urn or not step.custom else None


def _is_stack(urn: str) -> bool:
    return f"::{ROOT_STACK_TYPE}::" in urn
