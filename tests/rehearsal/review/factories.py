"""Build reviews of any size without planning, for tests of the formats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
from rehearsal.engine.state.resource_state import ResourceState, Snapshot
from rehearsal.parallel_preview import Job, Outcome
from rehearsal.pulumi.project import Project
from rehearsal.pulumi.properties import Change, Secret
from rehearsal.pulumi.urn import make_urn
from rehearsal.review.review import Review
from rehearsal.review.stack_review import StackReview

POD = "kubernetes:core/v1:Pod"
PROJECT = Project(Path("/project"), "kingdom", Path("/project/infra"), Path("/project/stacks"))


def step(stack: str, name: str, op: Op = Op.UPDATE, value: str = "new") -> Step:
    changes = (
        PropertyChange(("spec", "size"), Change.UPDATE, "old", value),
        PropertyChange(("spec", "password"), Change.UPDATE, Secret("tiger"), Secret("lion")),
    )
    urn = make_urn(stack, "kingdom", POD, name)
    return Step(op, urn, POD, True, source="infra/pods.py:12", changes=changes if op is Op.UPDATE else ())


def violation(
    stack: str, name: str, level: str = "mandatory", policy: str = "non-root", message: str = "runs as root"
) -> Violation:
    urn = make_urn(stack, "kingdom", POD, name)
    return Violation(policy, "kingdom", level, message, "Nothing runs as root.", urn, "infra/pods.py:12")


def stack_of(
    name: str,
    steps: tuple[Step, ...] = (),
    violations: tuple[Violation, ...] = (),
    resources: tuple[ResourceState, ...] = (),
    base: tuple[ResourceState, ...] | None = None,
    error: str = "",
    remediations: tuple[Remediation, ...] = (),
) -> StackReview:
    """Return the review of one stack; `base` are the resources that exist at the base."""
    diagnostics = (Diagnostic(Severity.ERROR, error),) if error else ()
    result = Result(
        name,
        steps,
        diagnostics,
        violations,
        remediations,
        snapshot=Snapshot(resources),
        policy_pack="kingdom",
        planned=True,
    )
    head = Outcome(Job(PROJECT, name, Path("policies")), result, None, 1.5)
    was = None
    if base is not None:
        job = Job(PROJECT, name, None, apply=True)
        was = Outcome(job, replace(Result(name), snapshot=Snapshot(base)), None, 1.0)
    return StackReview(name, head, was)


def review_of(*stacks: StackReview, ref: str = "main") -> Review:
    return Review(stacks, ref, "b" * 40, "a" * 40, seconds=2.0)


def resource(type_: str, name: str, inputs: dict[str, object]) -> ResourceState:
    return ResourceState(make_urn("dev", "kingdom", type_, name), type_, True, inputs=inputs)
