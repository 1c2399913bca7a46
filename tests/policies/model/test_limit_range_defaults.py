"""Defaults and bounds of LimitRanges."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from policies.model.limit_range_defaults import (
    Bounds,
    Defaults,
    contradiction,
    overcommits,
    quantities,
    violations,
)
from policies.model.property_tree import UNKNOWN, Node
from tests.policies.model.objects import declared, one


def defaults(*items: dict[str, Any]) -> Defaults:
    return Defaults.of([one(declared("core/v1:LimitRange", {"limits": list(items)}))])


def amounts(**values: Any) -> dict[str, Fraction]:
    return {key.replace("_", "."): Fraction(value) for key, value in values.items()}


def test_unknown_and_malformed_quantities_are_left_out() -> None:
    assert quantities(Node({"cpu": "500m", "memory": UNKNOWN, "pods": "x"})) == {"cpu": Fraction(1, 2)}


@pytest.mark.parametrize(
    ("item", "limit", "requested"),
    [
        ({"default": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}}, 2, 1),
        ({"default": {"cpu": "2"}}, 2, 2),
        ({"max": {"cpu": "3"}}, 3, 3),
        ({"max": {"cpu": "3"}, "default": {"cpu": "2"}}, 2, 2),
        ({"min": {"cpu": "1"}}, None, 1),
        ({"min": {"cpu": "1"}, "max": {"cpu": "3"}}, 3, 3),
    ],
)
def test_default_limit_and_request(item: dict[str, Any], limit: int | None, requested: int) -> None:
    found = defaults({"type": "Container"} | item).fill({})
    assert (found.get("limits.cpu"), found["requests.cpu"]) == (limit, requested)


def test_given_amounts_and_other_types_have_no_defaults() -> None:
    given = amounts(limits_cpu=5, requests_cpu=4)
    assert defaults({"type": "Container", "default": {"cpu": "2"}}).fill(dict(given)) == given
    assert defaults({"type": "Pod", "max": {"cpu": "2"}}).fill({}) == {}


def found(item: dict[str, Any], kind: str = "Container", **given: Any) -> list[tuple[str, str]]:
    return list(violations(Bounds.of(Node({"type": kind} | item)), amounts(**given)))


MIN, MAX = {"min": {"cpu": "1"}}, {"max": {"cpu": "2"}}


@pytest.mark.parametrize(
    ("item", "given", "expected"),
    [
        (MIN, {"requests_cpu": "1"}, []),
        (MIN, {"requests_cpu": "0.9991"}, []),
        (MIN, {"requests_cpu": "0.999"}, ["requests"]),
        (MIN, {}, ["requests"]),
        (MIN, {"requests_cpu": "1", "limits_cpu": "0.5"}, ["limits"]),
        (MIN, {"requests_cpu": "1", "limits_cpu": "1"}, []),
        (MAX, {"limits_cpu": "2"}, []),
        (MAX, {"limits_cpu": "2.0001"}, ["limits"]),
        (MAX, {"requests_cpu": "1"}, ["limits"]),
        (MAX, {"requests_cpu": "3", "limits_cpu": "2"}, ["requests"]),
        ({"maxLimitRequestRatio": {"cpu": "2"}}, {"requests_cpu": 1, "limits_cpu": 2}, []),
        ({"maxLimitRequestRatio": {"cpu": "2"}}, {"requests_cpu": 1, "limits_cpu": "2.1"}, ["limits"]),
        ({"maxLimitRequestRatio": {"cpu": "2"}}, {"limits_cpu": 1}, ["requests"]),
        ({"maxLimitRequestRatio": {"cpu": "2"}}, {"requests_cpu": 1}, ["limits"]),
    ],
)
def test_bounds_are_compared_in_thousandths_rounded_up(
    item: dict[str, Any], given: dict[str, Any], expected: list[str]
) -> None:
    assert [part for part, _ in found(item, **given)] == expected


def test_equal_bounds_and_equal_amounts_are_evaluated_once() -> None:
    item = {"type": "Container", "max": {"cpu": "1"}}
    many = defaults(item, item, {"type": "Container", "max": {"cpu": "2"}})
    assert [bound.max for bound in many.every("Container")] == [{"cpu": 1}, {"cpu": 2}]
    found = many.violations("Container", amounts(limits_cpu=3))
    assert [reason[-1] for _, reason in found] == ["1", "2"], "each bound is reported"
    assert many.violations("Container", amounts(limits_cpu=3)) is found
    assert many.violations("Container", amounts(limits_cpu=1)) == []
    assert many.violations("Pod", amounts(limits_cpu=3)) == []


def test_first_default_and_lowest_maximum_of_several_limit_ranges_count() -> None:
    items = [{"type": "Container", "default": {"cpu": size}, "max": {"cpu": size}} for size in ("2", "1")]
    ranges = [one(declared("core/v1:LimitRange", {"limits": [item]}, f"l{item}")) for item in items]
    found = Defaults.of(ranges)
    assert found.fill({})["limits.cpu"] == 2
    assert (found.max_of("Container", "cpu"), found.max_of("Container", "memory")) == (1, None)


def test_claims_are_bounded_by_their_request() -> None:
    item = {"max": {"storage": "2"}, "min": {"storage": "1"}}
    kind = "PersistentVolumeClaim"
    assert found(item, kind, requests_storage=2) == []
    assert found(item, kind, requests_storage=3) == [("requests", "requests 3 of storage; the maximum is 2")]
    assert [part for part, _ in found(item, kind)] == ["requests", "requests"]


def test_huge_amounts_are_compared_in_units() -> None:
    assert found({"max": {"memory": str(2**62)}}, limits_memory=2**62) == []
    assert len(found({"max": {"memory": str(2**62)}}, limits_memory=2**62 + 1)) == 1


@pytest.mark.parametrize(
    ("key", "allowed"),
    [("cpu", True), ("hugepages-2Mi", False), ("nvidia.com/gpu", False), ("requests.kubernetes.io/x", True)],
)
def test_resources_that_may_be_overcommitted(key: str, allowed: bool) -> None:
    assert overcommits(key) == allowed


def test_request_must_not_contradict_the_limit() -> None:
    assert list(contradiction(amounts(requests_cpu=1, limits_cpu=2))) == []
    assert [key for key, _ in contradiction(amounts(requests_cpu=3, limits_cpu=2))] == ["cpu"]
    gpus = {"requests.nvidia.com/gpu": Fraction(1), "limits.nvidia.com/gpu": Fraction(2)}
    [(_, reason)] = contradiction(gpus)
    assert "must equal the limit of 2" in reason
    assert list(contradiction(amounts(limits_cpu=2))) == []
