"""Limits whose bounds and defaults are in order are accepted, others are refused."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.objects.limit_ranges import limit_range_problems
from rehearsal.pulumi.properties import UNKNOWN


def found(**limit: Any) -> set[str]:
    return {one.path for one in limit_range_problems({"spec": {"limits": [limit]}})}


def test_a_default_is_between_the_bounds() -> None:
    bounds = {"min": {"cpu": "100m"}, "max": {"cpu": "2"}}
    assert not found(type="Container", **bounds, default={"cpu": "1"}, defaultRequest={"cpu": 0.5})
    assert found(type="Container", **bounds, default={"cpu": "3"}) == {"spec.limits[0].default.cpu"}
    assert found(type="Container", min={"cpu": "3"}, max={"cpu": "2"}) == {"spec.limits[0].min.cpu"}


@pytest.mark.parametrize("limit", [{"default": {"cpu": UNKNOWN}, "max": {"cpu": "2"}}, {"max": UNKNOWN}])
def test_unknown_limits_are_accepted(limit: dict[str, Any]) -> None:
    assert not found(type="Container", **limit)


def test_a_pod_has_no_default() -> None:
    assert found(type="Pod", default={"cpu": "1"}) == {"spec.limits[0].default"}
