"""Digests of plans: equal plans have equal digests, and every difference is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rehearsal.engine.events import Op, Result
from rehearsal.engine.state.resource_state import Snapshot
from rehearsal.errors import InputError
from rehearsal.pulumi.properties import UNKNOWN, Secret
from rehearsal.review.changes.plan_digest import Expected, Plan, PlanChangedError, plan_of, save
from tests.rehearsal.review.factories import POD, resource, step


def plan(inputs: dict[str, object], op: Op = Op.CREATE, *names: str) -> Plan:
    steps = tuple(step("dev", name, op) for name in names or ("a", "b"))
    states = tuple(resource(POD, name, inputs) for name in names or ("a", "b"))
    return plan_of(Result("dev", steps, snapshot=Snapshot(states), planned=True))


def test_a_plan_does_not_depend_on_the_order_of_steps_and_keys() -> None:
    one = plan({"x": 1, "y": 2}, Op.CREATE, "a", "b")
    other = plan({"y": 2, "x": 1}, Op.CREATE, "b", "a")
    assert one.digest == other.digest


@pytest.mark.parametrize(
    "other", [plan({"x": 2}), plan({"x": 1}, Op.REPLACE), plan({"x": 1}, Op.CREATE, "a")]
)
def test_another_input_operation_or_resource_is_another_plan(other: Plan) -> None:
    assert plan({"x": 1}).digest != other.digest


def test_a_digest_does_not_contain_secrets() -> None:
    assert plan({"x": Secret("guess me")}).digest == plan({"x": Secret("another")}).digest
    assert plan({"x": Secret("guess me")}).digest != plan({"x": UNKNOWN}).digest


def test_the_reviewed_plan_is_accepted_by_digest_and_by_file(tmp_path: Path) -> None:
    save(plan({"x": 1}), tmp_path / "plan.json")
    Expected(plan({"x": 1}).digest).require(plan({"x": 1}))
    Expected(str(tmp_path / "plan.json")).require(plan({"x": 1}))


def test_difference_from_the_reviewed_plan_is_listed(tmp_path: Path) -> None:
    save(plan({"x": 1}, Op.CREATE, "a", "b"), tmp_path / "plan.json")
    with pytest.raises(PlanChangedError) as caught:
        Expected(str(tmp_path / "plan.json")).require(plan({"x": 2}, Op.CREATE, "b", "c"))
    assert [detail.replace(f" ({POD})", "") for detail in caught.value.details] == [
        "create a: is no longer planned",
        "create b: with other inputs",
        "create c: was not in the reviewed plan",
    ]


def test_a_plan_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    save(plan({"x": 1}), file)
    file.write_text(file.read_text().replace('"create"', '"delete"', 1))
    with pytest.raises(InputError, match="was changed after it was written"):
        Expected(str(file))


def test_many_differences_are_counted(tmp_path: Path) -> None:
    names = [f"pod-{number:03}" for number in range(100)]
    with pytest.raises(PlanChangedError, match="and 80 more"):
        Expected(replace(plan({}), steps={}).digest).require(plan({}, Op.CREATE, *names))
