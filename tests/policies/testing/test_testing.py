"""The test kit: policies run as the engine runs them, and changed copies of properties."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi_policy import (
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies.model.property_tree import UNKNOWN
from policies.testing import DROP, ResourceFixture, Secret, changed, evaluate, evaluate_policy, remedied

PROPS: dict[str, Any] = {"spec": {"list": [{"key": 1}, {"key": 2}], "labels": {"a.b/c": "x"}}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"spec.list[1].key": 3}, {"spec": {"list": [{"key": 1}, {"key": 3}], "labels": {"a.b/c": "x"}}}),
        ({"spec.list[0].key": DROP}, {"spec": {"list": [{}, {"key": 2}], "labels": {"a.b/c": "x"}}}),
        (
            {"spec.list[2]": {"key": 3}},
            {"spec": {"list": [{"key": 1}, {"key": 2}, {"key": 3}], "labels": {"a.b/c": "x"}}},
        ),
        (
            {'spec.labels["a.b/c"]': "y"},
            {"spec": {"list": [{"key": 1}, {"key": 2}], "labels": {"a.b/c": "y"}}},
        ),
        ({"spec": DROP, "kind.name": "n"}, {"kind": {"name": "n"}}),
    ],
)
def test_a_changed_copy_has_the_values_at_their_paths(
    changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert changed(PROPS, changes) == expected
    assert PROPS == {"spec": {"list": [{"key": 1}, {"key": 2}], "labels": {"a.b/c": "x"}}}


def reading(key: str) -> ResourceValidationPolicy:
    """A policy that reports the value of one property."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        report(str(args.props[key]), None)

    return ResourceValidationPolicy("read", "Reads.", validate)


def test_a_secret_reaches_a_policy_unwrapped() -> None:
    given = ResourceFixture("a:b:C", {"password": Secret("hunter2")})
    assert evaluate_policy(reading("password"), [given]).findings == ["hunter2"]


def test_an_unknown_value_that_is_read_is_unevaluated() -> None:
    given = ResourceFixture("a:b:C", {"address": UNKNOWN})
    result = evaluate_policy(reading("address"), [given])
    assert result.findings == []
    assert "address" in result.unevaluated
    assert not result.clean


def test_a_stack_policy_gets_all_resources_and_their_parents() -> None:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for item in args.resources:
            parent: PolicyResource | None = item.parent
            report(f"{item.name} below {parent.name if parent else None}", item.urn)

    policy = StackValidationPolicy("every", "Reads all.", validate)
    owner = ResourceFixture("a:b:C", {}, "owner")
    result = evaluate_policy(policy, [owner, ResourceFixture("a:b:D", {}, "child", parent=owner.urn)])
    assert result.findings == ["owner below None", "child below owner"]
    assert result.urns[1].endswith("::child")


def test_an_asynchronous_policy_is_awaited() -> None:
    async def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        report(args.name, None)

    policy = ResourceValidationPolicy("later", "Waits.", validate)
    assert evaluate_policy(policy, [ResourceFixture("a:b:C", {}, "n")]).findings == ["n"]


def test_a_policy_of_the_pack_is_evaluated_by_name() -> None:
    given = ResourceFixture("gcp:redis/instance:Instance", {"authEnabled": False}, "cache")
    result = evaluate("tls-redis", given)
    assert result.found("authEnabled")
    assert not result.found("no such text")
    with pytest.raises(KeyError):
        evaluate("no-such-policy", given)


def test_a_remedy_is_none_where_it_changes_nothing() -> None:
    def account(**props: bool) -> ResourceFixture:
        return ResourceFixture("kubernetes:core/v1:ServiceAccount", {"kind": "ServiceAccount", **props})

    found = remedied("service-account-token", account())
    assert found is not None
    assert found["automountServiceAccountToken"] is False
    assert remedied("service-account-token", account(automountServiceAccountToken=False)) is None
