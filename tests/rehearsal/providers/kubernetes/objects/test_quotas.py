"""Resource quotas: names of resources, amounts and scopes."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.objects.quotas import resource_quota_problems
from rehearsal.pulumi.properties import UNKNOWN


def found(**spec: Any) -> list[str]:
    return [one.path for one in resource_quota_problems({"spec": spec})]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"hard": {"cpu": "-1"}}, "spec.hard.cpu"),
        ({"hard": {"disk": "1"}}, "spec.hard.disk"),
        ({"hard": {"pods": "1500m"}}, "spec.hard.pods"),
        ({"scopes": ["Best"]}, "spec.scopes[0]"),
        ({"hard": {"cpu": "1", "pods": "1"}, "scopes": ["BestEffort"]}, "spec.hard.cpu"),
        ({"hard": {"secrets": "1"}, "scopes": ["NotTerminating"]}, "spec.hard.secrets"),
        (
            {
                "hard": {"requests.storage": "1", "pods": "1"},
                "scopeSelector": {
                    "matchExpressions": [{"scopeName": "VolumeAttributesClass", "operator": "Exists"}]
                },
            },
            "spec.hard.pods",
        ),
        ({"scopes": ["Terminating", "NotTerminating"]}, "spec.scopes"),
        (
            {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]}},
            "spec.scopeSelector.matchExpressions[0].values",
        ),
    ],
)
def test_quota_that_the_server_refuses(spec: dict[str, Any], path: str) -> None:
    assert found(**spec) == [path]


@pytest.mark.parametrize(
    "spec",
    [
        {
            "hard": {
                "pods": "10",
                "requests.cpu": "1500m",
                "requests.nvidia.com/gpu": "1",
                "limits.memory": UNKNOWN,
            }
        },
        {"hard": {"hugepages-2Mi": "1Gi", "count/secrets": 5}},
        {"scopes": ["BestEffort", "Terminating", UNKNOWN]},
        {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}},
    ],
)
def test_quota_that_the_server_accepts(spec: dict[str, Any]) -> None:
    assert found(**spec) == []
