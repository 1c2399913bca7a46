"""HorizontalPodAutoscalers: bounds, targets, metrics and behavior."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.objects.autoscalers import autoscaler_problems
from rehearsal.pulumi.properties import UNKNOWN


def metric(**target: Any) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def found(**spec: Any) -> list[str]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    return [
        one.path
        for one in autoscaler_problems({"spec": {"scaleTargetRef": target, "maxReplicas": 5, **spec}})
    ]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"maxReplicas": 0}, "spec.maxReplicas"),
        ({"minReplicas": 6}, "spec.maxReplicas"),
        ({"minReplicas": 0, "metrics": []}, "spec.minReplicas"),
        (
            {"minReplicas": 0, "metrics": [metric(type="Utilization", averageUtilization=50)]},
            "spec.minReplicas",
        ),
        ({"scaleTargetRef": {"kind": "a/b"}}, "spec.scaleTargetRef.kind"),
        ({"scaleTargetRef": {"name": ""}}, "spec.scaleTargetRef.name"),
        ({"scaleTargetRef": {"apiVersion": "a/b/c"}}, "spec.scaleTargetRef.apiVersion"),
        ({"metrics": [{"type": "Resource"}]}, "spec.metrics[0].resource"),
        ({"metrics": [metric(type="Utilization")]}, "spec.metrics[0].resource.target"),
        (
            {"metrics": [metric(type="Utilization", averageUtilization=50, averageValue="1")]},
            "spec.metrics[0].resource.target",
        ),
        (
            {"metrics": [metric(type="Utilization", averageUtilization=0)]},
            "spec.metrics[0].resource.target.averageUtilization",
        ),
        (
            {"metrics": [metric(type="AverageValue", averageValue="-1")]},
            "spec.metrics[0].resource.target.averageValue",
        ),
        (
            {"metrics": [{"type": "Pods", "pods": {"target": {"type": "Value", "value": "1"}}}]},
            "spec.metrics[0].pods.target.type",
        ),
        (
            {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 3601}}},
            "spec.behavior.scaleUp.stabilizationWindowSeconds",
        ),
        ({"behavior": {"scaleDown": {"tolerance": "-0.1"}}}, "spec.behavior.scaleDown.tolerance"),
        ({"behavior": {"scaleDown": {"policies": []}}}, "spec.behavior.scaleDown.policies"),
        (
            {"behavior": {"scaleUp": {"policies": [{"value": 1, "periodSeconds": 1801}]}}},
            "spec.behavior.scaleUp.policies[0].periodSeconds",
        ),
    ],
)
def test_autoscaler_that_the_server_refuses(spec: dict[str, Any], path: str) -> None:
    assert found(**spec) == [path]


@pytest.mark.parametrize(
    "spec",
    [
        {"minReplicas": 5},
        {"minReplicas": UNKNOWN, "maxReplicas": 1},
        {"minReplicas": 0, "metrics": UNKNOWN},
        {"minReplicas": 0, "metrics": [{"type": UNKNOWN}]},
        {"metrics": [metric(type="Utilization", averageUtilization=50)]},
        {"metrics": [metric(type="AverageValue", averageValue="500m")]},
        {"metrics": [{"type": "Resource", "resource": UNKNOWN}]},
        {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 3600, "tolerance": "0.05"}}},
    ],
)
def test_autoscaler_that_the_server_accepts(spec: dict[str, Any]) -> None:
    assert found(**spec) == []
