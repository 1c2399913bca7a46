"""The review of one stack: its changes, effects, costs and capacity against the base."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

from policies.api import Costs, monthly
from rehearsal.engine.events import Diagnostic, Op, Result, Step
from rehearsal.parallel_preview import Outcome, worst
from rehearsal.pulumi.urn import ROOT_STACK_TYPE, is_provider, name_of
from rehearsal.review.changes.capacity import CapacityChange, capacity, changes
from rehearsal.review.changes.impact import Effect, Weight, effects
from rehearsal.review.changes.load_forecast import LoadForecast, load_forecast
from rehearsal.review.changes.plan_digest import Plan, plan_of
from rehearsal.review.changes.stack_file import ChangedSetting, WrongSetting, wrong_settings
from rehearsal.review.rules.policy_view import declared


class Status(StrEnum):
    """The result of planning a stack."""

    FAILED = "failed"
    REFUSED = "refused"  # the plan would delete or replace protected resources
    CHANGED = "changed"
    NEW = "new"  # not at the base
    REMOVED = "removed"  # at the base only
    UNCHANGED = "unchanged"
    UNCOMPARED = "not compared"  # planned as a new stack, because the base cannot be planned


_REMOVED: Final = Effect(
    Weight.LOSS,
    "the stack file is deleted: the stack is no longer deployed or checked for drift, but its cloud resources"
    " continue to run and to cost money (to delete them: docs/runbooks/teardown.md)",
)
_UNDEPLOYED: Final = Effect(
    Weight.LOSS,
    "rehearsal:machine is set: the stack is no longer deployed or checked for drift, its existing cloud"
    " resources are neither updated nor deleted, and this review does not estimate its cost",
)


@dataclass(frozen=True)
class StackReview:
    """The review of one stack.

    `head` is the outcome of its plan; None if the change removes the stack. `base` is the outcome of the same
    stack at the base, which the plan is compared with. It is None for a new stack and if the base cannot be
    planned (`base_error` has the reason): then the plan creates everything. It is also None in a review
    without a base: then the plan is compared with the recorded state. `billed` is false for a stack that runs
    on this machine. `base_evaluated` is the same plan, evaluated by the policy pack and the configuration of
    the base if these differ. `undeployed`: the change sets `rehearsal:machine` for a deployed stack.
    """

    stack: str
    head: Outcome | None
    base: Outcome | None
    billed: bool = True
    base_error: str = ""
    base_evaluated: Outcome | None = None
    stack_file: Path | None = None
    changed_settings: tuple[ChangedSetting, ...] = ()
    undeployed: bool = False

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """The effects of the plan, the most severe first; without a base only conflicts."""
        if self.head is None:
            return (_REMOVED,)
        if self.result is None:
            return ()
        found = effects(self.result, self.base.result if self.base is not None else None)
        if self.base is None:
            found = [item for item in found if item.weight is Weight.CONFLICT]
        return (_UNDEPLOYED, *found) if self.undeployed else tuple(found)

    @property
    def conflicts(self) -> tuple[Effect, ...]:
        """The changes that the cloud would refuse."""
        return tuple(item for item in self.effects if item.weight is Weight.CONFLICT)

    @cached_property
    def wrong_settings(self) -> tuple[WrongSetting, ...]:
        """The invalid settings that make the plan fail, each with its line in the stack file."""
        return wrong_settings(self.error, self.stack_file) if self.error and self.stack_file else ()

    @property
    def exit_code(self) -> int:
        """0 clean, 1 a plan that fails or would be refused, 2 wrong settings, 3 a mandatory violation."""
        if self.head is None:
            return 0
        code = worst([self.head])
        return 1 if code in (0, 3) and self.conflicts else code

    @property
    def error(self) -> str:
        """The reason why the stack was not planned; "" after a plan."""
        if self.head is not None and self.head.error is not None:
            return str(self.head.error)
        errors = self.result.errors if self.result is not None else []
        return "\n".join(described(item) for item in errors if not item.protected)

    @property
    def protected(self) -> tuple[Diagnostic, ...]:
        """Protected resources that the plan would delete or replace; an update with this plan fails."""
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
        if self.protected or self.conflicts:
            return Status.REFUSED
        if self.changes:
            if self.base_error:
                return Status.UNCOMPARED
            return Status.CHANGED if self.base is not None else Status.NEW
        return Status.UNCHANGED

    @cached_property
    def changes(self) -> tuple[Step, ...]:
        """The steps without those of components and the stack, which have no properties of their own."""
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
        """The number of changed resources by operation, without components and the stack."""
        ops = [step.op for step in self.changes]
        return {op: ops.count(op) for op in Op if op in ops}

    @cached_property
    def unchanged(self) -> int:
        steps = self.result.steps if self.result is not None else ()
        return sum(step.op is Op.SAME and step.custom and not is_provider(step.type) for step in steps)

    @cached_property
    def costs(self) -> Costs | None:
        """The monthly cost after the change; None if the stack is not billed or the cost is unknown."""
        return _costs(self.head) if self.billed else None

    @cached_property
    def base_costs(self) -> Costs | None:
        return _costs(self.base) if self.billed else None

    @cached_property
    def capacity(self) -> tuple[CapacityChange, ...]:
        """The capacity numbers that differ from the base; empty for a removed stack."""
        if self.base is None or self.head is None or self.error:
            return ()
        before, after = (
            capacity(declared(outcome.result.snapshot)) if outcome and outcome.result else {}
            for outcome in (self.base, self.head)
        )
        return changes(before, after)

    @cached_property
    def load_forecast(self) -> LoadForecast | None:
        """The change of the load forecast of a billed stack; None if sizes are equal or unknown."""
        if not self.capacity or not self.billed or self.base is None or self.head is None:
            return None
        before, after = self.base.result, self.head.result
        if before is None or after is None:
            return None
        sides = (declared(result.snapshot) for result in (before, after))
        found = load_forecast(self.stack, self.head.job.project.root, *sides)
        return found if found is not None and found.text() else None

    @property
    def plan(self) -> Plan | None:
        return plan_of(self.result) if self.result is not None else None


def _costs(outcome: Outcome | None) -> Costs | None:
    if outcome is None or outcome.result is None:
        return None
    return monthly(declared(outcome.result.snapshot))


def described(item: Diagnostic) -> str:
    """Return a message with the name of its resource and the source position, where it has them."""
    name = f"{name_of(item.urn)}: " if item.urn.count("::") >= 3 else ""
    return f"{item.source}: {name}{item.message}" if item.source else f"{name}{item.message}"
