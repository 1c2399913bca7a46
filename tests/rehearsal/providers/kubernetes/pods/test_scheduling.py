"""Tolerations, affinity and spread that the API server refuses, and what it accepts."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.pods.scheduling import scheduling_problems
from rehearsal.pulumi.properties import UNKNOWN

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}


def found(spec: dict[str, Any]) -> set[str]:
    return {one.path for one in scheduling_problems(spec, ())}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"tolerations": [{"operator": "Exists", "key": "a", "value": "b"}]}, "tolerations[0].value"),
        ({"tolerations": [{"operator": "Equal", "value": "b"}]}, "tolerations[0].operator"),
        ({"tolerations": [{"operator": "Exists", "tolerationSeconds": 3}]}, "tolerations[0].effect"),
        ({"topologySpreadConstraints": [SPREAD, SPREAD]}, "topologySpreadConstraints[1]"),
        (
            {"topologySpreadConstraints": [{**SPREAD, "minDomains": 2}]},
            "topologySpreadConstraints[0].minDomains",
        ),
        (
            {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}}},
            f"affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms",
        ),
        (
            {"affinity": {"podAntiAffinity": {REQUIRED: [{"labelSelector": {}}]}}},
            f"affinity.podAntiAffinity.{REQUIRED}[0].topologyKey",
        ),
    ],
)
def test_a_violation_is_reported_at_its_property(spec: dict[str, Any], path: str) -> None:
    assert found(spec) == {path}


@pytest.mark.parametrize(
    "spec",
    [
        {"tolerations": [{"operator": "Exists"}]},
        {"tolerations": [{"key": "a", "operator": "Equal", "value": "b", "effect": UNKNOWN}]},
        {"topologySpreadConstraints": [SPREAD, {**SPREAD, "topologyKey": "host"}]},
        {"affinity": UNKNOWN},
        {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": UNKNOWN}}}},
    ],
)
def test_valid_and_unknown_specifications_are_accepted(spec: dict[str, Any]) -> None:
    assert not found(spec)
