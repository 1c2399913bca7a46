"""The review of a change: every stack as it would become, beside what it is at the base."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from policies.pricing.cost_estimate import Costs, monthly
from rehearsal.engine.events import Diagnostic, Listener, Op, Remediation, Result, Step
from rehearsal.errors import InputError, KingdomError
from rehearsal.parallel_preview import Job, Outcome, preview_all, worst
from rehearsal.pulumi.project import Project
from rehearsal.pulumi.urn import ROOT_STACK_TYPE, is_provider, name_of
from rehearsal.review.base_checkout import Base, checked_out, head_of
from rehearsal.review.capacity import CapacityChange, capacity, changes
from rehearsal.review.findings import Finding, gather, gather_remedied
from rehearsal.review.plan_digest import Plan, plan_of
from rehearsal.review.policy_view import declared


class Status(StrEnum):
    """What becomes of a stack."""

    FAILED = "failed"
    REFUSED = "refused"  # planned, but what it would take away is protected
    CHANGED = "changed"
    NEW = "new"  # not at the base
    REMOVED = "removed"  # at the base only
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class StackReview:
    """One stack. `head` is the outcome of its plan, `base` that of the same stack at the base.

    Without a base, or where the stack is new, `base` is None and the plan is against the recorded state or
    against nothing. `billed` is false for a stack that is realised on this machine.
    """

    stack: str
    head: Outcome | None
    base: Outcome | None
    billed: bool = True

    @property
    def error(self) -> str:
        """Why there is no plan, or none to compare with; "" where all is well."""
        if self.head is not None and self.head.error is not None:
            return str(self.head.error)
        if self.base is not None and self.base.error is not None:
            return f"the base cannot be planned:\n{self.base.error}"
        if self.base is not None and self.base.result is not None and self.base.result.errors:
            return "\n".join(("the base cannot be planned:", *map(_described, self.base.result.errors)))
        errors = self.result.errors if self.result is not None else []
        return "\n".join(_described(item) for item in errors if not item.protected)

    @property
    def protected(self) -> tuple[Diagnostic, ...]:
        """What the plan would delete or replace although it is protected: an update refuses all of it."""
        errors = self.result.errors if self.result is not None else []
        return tuple(sorted((item for item in errors if item.protected), key=lambda item: item.urn))

    @property
    def result(self) -> Result | None:
        return self.head.result if self.head is not None else None

    @cached_property
    def status(self) -> Status:
        if self.error:
            return Status.FAILED
        if self.head is None:
            return Status.REMOVED
        if self.protected:
            return Status.REFUSED
        if self.changes:
            return Status.CHANGED if self.base is not None else Status.NEW
        return Status.UNCHANGED

    @cached_property
    def changes(self) -> tuple[Step, ...]:
        """What is done, components and the stack itself left out: they have nothing of their own."""
        if self.result is None:
            return ()
        quiet = (Op.SAME, Op.READ)
        return tuple(
            step
            for step in sorted(self.result.steps, key=lambda item: item.urn)
            if step.op not in quiet
            and (step.custom or step.changes)
            and step.type != ROOT_STACK_TYPE
            and not is_provider(step.type)
        )

    @cached_property
    def counts(self) -> dict[Op, int]:
        """How many resources each operation concerns."""
        ops = [step.op for step in self.changes]
        return {op: ops.count(op) for op in Op if op in ops}

    @cached_property
    def unchanged(self) -> int:
        steps = self.result.steps if self.result is not None else ()
        return sum(step.op is Op.SAME and step.custom and not is_provider(step.type) for step in steps)

    @cached_property
    def costs(self) -> Costs | None:
        """What the stack costs a month after the change; None where it is not billed or not known."""
        return _costs(self.head) if self.billed else None

    @cached_property
    def base_costs(self) -> Costs | None:
        return _costs(self.base) if self.billed else None

    @cached_property
    def capacity(self) -> tuple[CapacityChange, ...]:
        """The capacity numbers that change against the base."""
        if self.base is None or self.error:
            return ()
        before, after = (
            capacity(declared(outcome.result.snapshot)) if outcome and outcome.result else {}
            for outcome in (self.base, self.head)
        )
        return changes(before, after)

    @property
    def plan(self) -> Plan | None:
        return plan_of(self.result) if self.result is not None else None

    @property
    def exit_code(self) -> int:
        ended = [outcome for outcome in (self.head, self.base) if outcome is not None]
        # A base is carried out without a pack: it can fail but not be in violation.
        return worst(ended)


@dataclass(frozen=True)
class Review:
    """All stacks of a change. `error` says why there are none; `commit` is "" outside a repository."""

    stacks: tuple[StackReview, ...] = ()
    ref: str = ""
    base_commit: str = ""
    commit: str = ""
    dirty: bool = False
    seconds: float = 0.0
    error: KingdomError | None = None

    @cached_property
    def _gathered(self) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
        return gather(item.result for item in self.stacks if item.result is not None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the policy pack found, fix-first."""
        return self._gathered[0]

    @property
    def unjudged(self) -> tuple[Finding, ...]:
        """What the policy pack could not judge yet."""
        return self._gathered[1]

    @cached_property
    def remediations(self) -> tuple[tuple[Remediation, tuple[str, ...]], ...]:
        """What the policy pack put right by itself, and in which stacks."""
        return gather_remedied(item.result for item in self.stacks if item.result is not None)

    @property
    def failed(self) -> tuple[StackReview, ...]:
        return tuple(item for item in self.stacks if item.status is Status.FAILED)

    @property
    def refused(self) -> tuple[StackReview, ...]:
        return tuple(item for item in self.stacks if item.status is Status.REFUSED)

    @property
    def exit_code(self) -> int:
        """0 clean, 3 a mandatory policy is violated, 1 or 2 something failed, as for one preview."""
        if self.error is not None:
            return self.error.exit_code
        return worst([outcome for item in self.stacks for outcome in (item.head, item.base) if outcome])


def review(
    project: Project,
    stacks: Sequence[str],
    *,
    policies: Path,
    ref: str = "",
    listener: Callable[[Job], Listener] | None = None,
) -> Review:
    """What the work tree would do to `stacks` (all, where none is named), compared with `ref` if given.

    The base's program is carried out on rehearsal clouds in a state of its own, and the work tree's is
    planned against that: what is shown is what an engine would do, replacements included. One stack's
    failure hides no other. Raises InputError for refs that are none.
    """
    began = time.monotonic()
    if not ref:
        jobs = [Job(project, stack, policies) for stack in stacks or project.stack_names()]
        outcomes = preview_all(jobs, listener=listener)
        commit, dirty = _head(project)
        return Review(
            tuple(_reviewed(project, outcome, None) for outcome in outcomes),
            commit=commit,
            dirty=dirty,
            seconds=time.monotonic() - began,
        )
    commit, dirty = head_of(project)
    with checked_out(project, ref) as base:
        compared = tuple(_compared(project, base, stacks, policies, listener))
        return Review(compared, ref, base.commit, commit, dirty, seconds=time.monotonic() - began)


def _head(project: Project) -> tuple[str, bool]:
    with contextlib.suppress(InputError):
        return head_of(project)
    return "", False


def _compared(
    project: Project,
    base: Base,
    stacks: Sequence[str],
    policies: Path,
    listener: Callable[[Job], Listener] | None,
) -> Iterator[StackReview]:
    here, there = project.stack_names(), base.project.stack_names()
    stacks = stacks or [*here, *(name for name in there if name not in here)]
    before = [
        Job(base.project, stack, None, state=base.states / stack, carry_out=True)
        for stack in stacks
        if stack in there
    ]
    bases = {outcome.job.stack: outcome for outcome in preview_all(before, listener=listener)}
    after = [Job(project, stack, policies, state=base.states / stack) for stack in stacks if stack in here]
    heads = {outcome.job.stack: outcome for outcome in preview_all(after, listener=listener)}
    for stack in stacks:
        head, was = heads.get(stack), bases.get(stack)
        yield _reviewed(project if head is not None else base.project, head, was)


def _reviewed(project: Project, head: Outcome | None, base: Outcome | None) -> StackReview:
    outcome = head or base
    assert outcome is not None
    try:
        billed = project.stack(outcome.job.stack).machine is None
    except InputError:
        billed = True  # its own error says more
    return StackReview(outcome.job.stack, head, base, billed)


def _costs(outcome: Outcome | None) -> Costs | None:
    if outcome is None or outcome.result is None:
        return None
    return monthly(declared(outcome.result.snapshot))


def _described(item: Diagnostic) -> str:
    name = f"{name_of(item.urn)}: " if item.urn.count("::") >= 3 else ""
    return f"{item.source}: {name}{item.message}" if item.source else f"{name}{item.message}"
