"""The review of one stack: status, exit code, errors and counts, from the outcomes of its plans."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rehearsal.engine.events import Diagnostic, Op, Severity, Step
from rehearsal.errors import InputError
from rehearsal.parallel_preview import Job, Outcome
from rehearsal.pulumi.urn import make_urn
from rehearsal.review.changes.impact import Weight
from rehearsal.review.stack_review import StackReview, Status, described
from tests.rehearsal.review.factories import POD, PROJECT, stack_of, step, violation

URN = make_urn("dev", "kingdom", POD, "api")
PROTECTED = Diagnostic(Severity.ERROR, "it is protected", URN, protected=True)


def with_diagnostics(item: StackReview, *diagnostics: Diagnostic) -> StackReview:
    """Return `item` whose plan has these diagnostics."""
    assert item.head is not None
    assert item.head.result is not None
    head = replace(item.head, result=replace(item.head.result, diagnostics=diagnostics))
    return replace(item, head=head)


@pytest.mark.parametrize(
    ("item", "status", "code"),
    [
        (stack_of("dev", base=()), Status.UNCHANGED, 0),
        (stack_of("dev", (step("dev", "api"),), base=()), Status.CHANGED, 0),
        (stack_of("dev", (step("dev", "api", Op.CREATE),)), Status.NEW, 0),
        (
            replace(stack_of("dev", (step("dev", "api", Op.CREATE),)), base_error="broken"),
            Status.UNCOMPARED,
            0,
        ),
        (stack_of("dev", error="the program failed"), Status.FAILED, 1),
        (stack_of("dev", violations=(violation("dev", "api"),), base=()), Status.UNCHANGED, 3),
        (with_diagnostics(stack_of("dev", base=()), PROTECTED), Status.REFUSED, 1),
        (StackReview("dev", None, stack_of("dev").head), Status.REMOVED, 0),
    ],
)
def test_status_and_exit_code_follow_from_the_plans(item: StackReview, status: Status, code: int) -> None:
    assert (item.status, item.exit_code) == (status, code)


def test_wrong_settings_have_the_exit_code_of_wrong_input() -> None:
    item = StackReview(
        "dev", Outcome(Job(PROJECT, "dev", None), None, InputError("no such stack"), 0.0), None
    )
    assert (item.status, item.exit_code, item.error) == (Status.FAILED, 2, "no such stack")


def test_protected_resources_are_listed_beside_the_error() -> None:
    failed = Diagnostic(Severity.ERROR, "the name is taken", URN, source="infra/pods.py:3")
    item = with_diagnostics(stack_of("dev"), failed, PROTECTED, Diagnostic(Severity.WARNING, "deprecated"))
    assert item.error == "infra/pods.py:3: api: the name is taken"
    assert item.protected == (PROTECTED,)


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (Diagnostic(Severity.ERROR, "failed"), "failed"),
        (Diagnostic(Severity.ERROR, "failed", URN), "api: failed"),
        (Diagnostic(Severity.ERROR, "failed", "incomplete"), "failed"),
        (Diagnostic(Severity.ERROR, "failed", source="a.py:1"), "a.py:1: failed"),
    ],
)
def test_message_names_the_resource_and_the_position(item: Diagnostic, text: str) -> None:
    assert described(item) == text


def test_components_providers_and_the_stack_are_not_counted() -> None:
    component = Step(Op.CREATE, make_urn("dev", "kingdom", "kingdom:a:B", "b"), "kingdom:a:B", False)
    stack = Step(
        Op.CREATE, make_urn("dev", "kingdom", "pulumi:pulumi:Stack", "s"), "pulumi:pulumi:Stack", False
    )
    provider_type = "pulumi:providers:gcp"
    provider = Step(Op.UPDATE, make_urn("dev", "kingdom", provider_type, "p"), provider_type, True)
    same = (step("dev", "one", Op.SAME), step("dev", "two", Op.SAME), replace(provider, op=Op.SAME))
    steps = (
        step("dev", "z", Op.DELETE),
        step("dev", "a"),
        step("dev", "b"),
        component,
        stack,
        provider,
        *same,
    )
    item = stack_of("dev", steps, base=())
    assert [each.name for each in item.changes] == ["a", "b", "z"]
    assert item.counts == {Op.UPDATE: 2, Op.DELETE: 1}
    assert item.unchanged == 2


def test_the_removal_of_a_stack_is_a_loss() -> None:
    removed = StackReview("dev", None, stack_of("dev").head)
    assert [effect.weight for effect in removed.effects] == [Weight.LOSS]
    assert "continue to run" in removed.effects[0].text
    assert (removed.error, removed.result, removed.plan, removed.capacity) == ("", None, None, ())


def test_a_stack_that_is_no_longer_deployed_is_a_loss() -> None:
    deployed, undeployed = stack_of("dev", base=()), replace(stack_of("dev", base=()), undeployed=True)
    assert deployed.effects == ()
    assert [effect.weight for effect in undeployed.effects] == [Weight.LOSS]


def test_a_stack_on_this_machine_has_no_cost() -> None:
    billed = stack_of("dev", base=())
    assert billed.costs is not None
    assert billed.base_costs is not None
    local = replace(billed, billed=False)
    assert (local.costs, local.base_costs, local.load_forecast) == (None, None, None)
