"""A policy: which resources it evaluates, its settings, remedies, and what is reported when it raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi_policy import ResourceValidationPolicy, Severity, StackValidationPolicy

from policies.model.property_tree import UNKNOWN, Finding
from policies.model.stack import Resource, Stack
from policies.pack.rule import ADVISORY, MANDATORY, PolicyCrashedError, Rule, rule, rules_of
from policies.testing import ResourceFixture, evaluate_policy, resources_of

COMMON: dict[str, Any] = {"concern": "sizes", "remediation": "Lower it.", "severity": Severity.LOW}
TYPE = "test:index/disk:Disk"
SETTINGS = {"max": {"type": "integer", "default": 10, "description": "Largest size."}}


def lowered(resource: Resource, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    return {**resource.node.raw, "size": settings["max"]}


@rule(
    "size",
    "A disk must be small.",
    types=TYPE,
    settings=SETTINGS,
    remedy=lowered,
    tags=("SOC2:A1.1",),
    **COMMON,
)
def size(resource: Resource, settings: Mapping[str, Any]) -> Iterator[Finding]:
    if resource.node["size"].known() and resource.node["size"].number() > settings["max"]:
        yield resource.node["size"].finding("is too large")


@rule("count", "A stack must have one disk.", scope="stack", level=ADVISORY, **COMMON)
def count(stack: Stack, _: Mapping[str, Any]) -> Iterator[Finding]:
    for extra in stack.resources[1:]:
        yield Finding("is one too many", urn=extra.urn)


@rule("crash", "Raises.", types=".*", **COMMON)
def crash(resource: Resource, _: Mapping[str, Any]) -> Iterator[Finding]:
    yield from [Finding(str(1 // 0))]


def disk(size_gb: Any, name: str = "a", kind: str = TYPE) -> ResourceFixture:
    return ResourceFixture(kind, {"size": size_gb}, name)


@pytest.mark.parametrize(
    ("type_", "applies"),
    [(TYPE, True), (f"{TYPE}s", False), (f"x{TYPE}", False), ("test:index/vm:Vm", False)],
)
def test_a_policy_evaluates_whole_type_tokens(type_: str, applies: bool) -> None:
    assert size.applies_to(type_) is applies
    assert not count.applies_to(type_)
    assert bool(evaluate_policy(size.policy(), [disk(11, kind=type_)]).findings) is applies


@pytest.mark.parametrize(("gb", "found"), [(10, False), (11, True)])
def test_settings_default_and_are_replaced_by_the_configuration(gb: int, found: bool) -> None:
    assert evaluate_policy(size.policy(), [disk(gb)]).found("size") is found
    assert evaluate_policy(size.policy(), [disk(gb)], {"max": 9}).found("size")
    assert evaluate_policy(size.policy(), [disk(gb)], {"max": 11}).clean
    assert size.defaults == {"max": 10}


def test_findings_name_their_resource() -> None:
    stack = Stack.of(resources_of([disk(11, "a"), disk(5, "b"), disk(12, "c")]))
    found = list(size.evaluate(stack, {}))
    assert [each.urn.rpartition("::")[2] for each in found] == ["a", "c"]
    result = evaluate_policy(count.policy(), [disk(1, "a"), disk(1, "b")])
    assert [urn.rpartition("::")[2] for urn in result.urns] == ["b"]


def test_a_remedy_changes_only_what_the_policy_finds() -> None:
    def remedied(gb: int, settings: dict[str, Any]) -> Any:
        (resource,) = resources_of([disk(gb)])
        return size.remedied(resource, settings)

    assert remedied(11, {}) == {"size": 10}
    assert remedied(11, {"max": 5}) == {"size": 5}
    assert remedied(10, {}) is None
    (other,) = resources_of([disk(11, kind="test:index/vm:Vm")])
    assert size.remedied(other, {}) is None
    assert crash.remedied(other, {}) is None, "it has no remedy"


def test_a_policy_that_raises_is_named_with_location_and_resource() -> None:
    given = disk(1)
    with pytest.raises(PolicyCrashedError) as caught:
        evaluate_policy(crash.policy(), [given])
    text = str(caught.value)
    assert text.startswith("policy crash raised ZeroDivisionError")
    assert text.endswith(f"on {given.urn}")
    assert ".py:" in text


def test_a_value_that_a_policy_cannot_evaluate_is_listed() -> None:
    @rule("large", "A disk must be large.", types=TYPE, **COMMON)
    def large(resource: Resource, _: Mapping[str, Any]) -> Iterator[Finding]:
        if resource.node["size"].is_not_one_of(100):
            yield resource.node["size"].finding("must be 100")

    result = evaluate_policy(large.policy(), [disk(UNKNOWN)])
    assert result.findings == []
    assert "size" in result.unevaluated


def test_the_sdk_policy_has_all_metadata_that_the_console_shows() -> None:
    made = size.policy()
    assert isinstance(made, ResourceValidationPolicy)
    assert (made.name, made.description, made.enforcement_level) == (
        "size",
        "A disk must be small.",
        MANDATORY,
    )
    assert made.tags == ["sizes", "SOC2:A1.1"]
    assert made.framework is not None
    assert made.framework.name == "SOC 2"
    advisory = count.policy()
    assert isinstance(advisory, StackValidationPolicy)
    assert advisory.enforcement_level is ADVISORY
    assert advisory.framework is None


@pytest.mark.parametrize("name", ["Size", "disk_size", "-size", "size-", "disk--size", ""])
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(AssertionError, match="lower-case words"):
        rule(name, "A.", types=TYPE, **COMMON)(size.evaluate)


def test_the_policies_of_a_module_are_listed_in_their_order() -> None:
    module = SimpleNamespace(first=count, other=3, second=size)
    assert rules_of(module) == [count, size]
    assert all(isinstance(each, Rule) for each in rules_of(module))
