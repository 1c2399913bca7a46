"""Failures of a Job's pods."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.objects.job_failures import job_failure_problems
from rehearsal.pulumi.properties import UNKNOWN

CODES = {"operator": "In", "values": [1, 2]}


def found(spec: dict[str, Any]) -> list[str]:
    return [one.path for one in job_failure_problems(spec, ())]


def policy(**rule: Any) -> dict[str, Any]:
    return {"podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": CODES, **rule}]}}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"backoffLimitPerIndex": 1}, "backoffLimitPerIndex"),
        ({"completionMode": "Indexed", "maxFailedIndexes": 1}, "backoffLimitPerIndex"),
        ({"podReplacementPolicy": "Always"}, "podReplacementPolicy"),
        ({**policy(), "podReplacementPolicy": "TerminatingOrFailed"}, "podReplacementPolicy"),
        (
            {**policy(), "template": {"spec": {"restartPolicy": "OnFailure"}}},
            "template.spec.restartPolicy",
        ),
        (policy(action="Stop"), "podFailurePolicy.rules[0].action"),
        (policy(action="FailIndex"), "podFailurePolicy.rules[0].action"),
        (policy(onExitCodes=None), "podFailurePolicy.rules[0]"),
        (policy(onPodConditions=[{"type": "DisruptionTarget"}]), "podFailurePolicy.rules[0]"),
        (
            policy(onExitCodes={"operator": "In", "values": []}),
            "podFailurePolicy.rules[0].onExitCodes.values",
        ),
        (
            policy(onExitCodes={"operator": "In", "values": [0]}),
            "podFailurePolicy.rules[0].onExitCodes.values",
        ),
        (
            policy(onExitCodes={"operator": "NotIn", "values": [2, 1]}),
            "podFailurePolicy.rules[0].onExitCodes.values",
        ),
        (
            policy(onExitCodes={"operator": "Is", "values": [1]}),
            "podFailurePolicy.rules[0].onExitCodes.operator",
        ),
    ],
)
def test_job_that_the_server_refuses(spec: dict[str, Any], path: str) -> None:
    assert found(spec) == [path]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"completionMode": "Indexed", "backoffLimitPerIndex": 1, "maxFailedIndexes": 2},
        {"completionMode": UNKNOWN, "backoffLimitPerIndex": 1},
        {**policy(), "template": {"spec": {"restartPolicy": "Never"}}},
        {"completionMode": "Indexed", "backoffLimitPerIndex": 1, **policy(action="FailIndex")},
        policy(onExitCodes={"operator": "NotIn", "values": [0]}),
        policy(onExitCodes=None, onPodConditions=[{"type": "DisruptionTarget"}]),
        {"podReplacementPolicy": "Failed"},
    ],
)
def test_job_that_the_server_accepts(spec: dict[str, Any]) -> None:
    assert found(spec) == []
