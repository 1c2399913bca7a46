"""Lower and upper bounds of the same name, at any depth."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.api.bounds import ordered_bounds
from rehearsal.pulumi.properties import UNKNOWN, Path


def found(inputs: dict[str, Any]) -> list[Path]:
    return [path for path, _ in ordered_bounds(inputs)]


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"minReplicas": 5, "maxReplicas": 2}, ("minReplicas",)),
        (
            {"autoscaling": {"totalMinNodeCount": 5, "totalMaxNodeCount": 2}},
            ("autoscaling", "totalMinNodeCount"),
        ),
        ({"retry": {"minimumBackoff": "100s", "maximumBackoff": "10.5s"}}, ("retry", "minimumBackoff")),
        ({"pools": [{"minSize": 0}, {"minSize": "3", "maxSize": "2"}]}, ("pools", 1, "minSize")),
    ],
)
def test_lower_bound_above_the_upper_one(inputs: dict[str, Any], path: Path) -> None:
    assert found(inputs) == [path]


@pytest.mark.parametrize(
    "inputs",
    [
        {"minReplicas": 2, "maxReplicas": 2},
        {"minReplicas": 2},
        {"minInstances": 2, "maxInstances": 0},
        {"minSize": UNKNOWN, "maxSize": 1},
        {"minSize": 2, "maxSize": UNKNOWN},
        {"minTlsVersion": "TLS_1_2", "maxTlsVersion": "TLS_1_1"},
        {"minor": 5, "maxor": 1},
        {"a": {"minSize": 5}, "b": {"maxSize": 1}},
    ],
)
def test_bounds_in_order_or_not_comparable(inputs: dict[str, Any]) -> None:
    assert found(inputs) == []
