"""Deployments, StatefulSets, DaemonSets, ReplicaSets and disruption budgets."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.objects.workloads import (
    daemon_set_problems,
    deployment_problems,
    disruption_budget_problems,
    replica_set_problems,
    stateful_set_problems,
)
from rehearsal.pulumi.properties import UNKNOWN

POD = {"containers": [{"name": "c", "image": "i"}]}


def workload(**spec: Any) -> dict[str, Any]:
    """Return a workload of one container with the other fields of its `spec`."""
    return {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": POD}, **spec}}


def paths(problems: Any) -> list[str]:
    return [one.path for one in problems]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"replicas": -1}, "spec.replicas"),
        ({"minReadySeconds": 600}, "spec.progressDeadlineSeconds"),
        ({"progressDeadlineSeconds": 0}, "spec.progressDeadlineSeconds"),
        ({"selector": {}}, "spec.selector"),
        (
            {"template": {"spec": {**POD, "activeDeadlineSeconds": 5}}},
            "spec.template.spec.activeDeadlineSeconds",
        ),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
            "spec.strategy.rollingUpdate",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": "some"}}},
            "spec.strategy.rollingUpdate.maxSurge",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
            "spec.strategy.rollingUpdate.maxUnavailable",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            "spec.strategy.rollingUpdate.maxUnavailable",
        ),
    ],
)
def test_deployment_that_the_server_refuses(spec: dict[str, Any], path: str) -> None:
    assert paths(deployment_problems(workload(**spec))) == [path]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"minReadySeconds": 599},
        {"minReadySeconds": UNKNOWN, "progressDeadlineSeconds": 1},
        {"strategy": {"type": "Recreate"}},
        {"strategy": {"rollingUpdate": {"maxSurge": "300%", "maxUnavailable": 0}}},
        {"strategy": {"rollingUpdate": {"maxSurge": UNKNOWN, "maxUnavailable": 0}}},
    ],
)
def test_deployment_that_the_server_accepts(spec: dict[str, Any]) -> None:
    assert paths(deployment_problems(workload(**spec))) == []


@pytest.mark.parametrize(
    ("rolling", "accepted"),
    [
        ({}, True),
        ({"maxSurge": 1, "maxUnavailable": 0}, True),
        ({"maxSurge": 1}, False),
        ({"maxUnavailable": 0}, False),
        ({"maxSurge": UNKNOWN, "maxUnavailable": 0}, True),
    ],
)
def test_exactly_one_of_surge_and_unavailable_of_a_daemon_set_is_zero(
    rolling: dict[str, Any], accepted: bool
) -> None:
    found = paths(daemon_set_problems(workload(updateStrategy={"rollingUpdate": rolling})))
    assert found == ([] if accepted else ["spec.updateStrategy.rollingUpdate.maxSurge"])


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"podManagementPolicy": "Serial"}, "spec.podManagementPolicy"),
        (
            {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}},
            "spec.updateStrategy.rollingUpdate",
        ),
        ({"ordinals": {"start": -1}}, "spec.ordinals.start"),
        (
            {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Keep"}},
            "spec.persistentVolumeClaimRetentionPolicy.whenScaled",
        ),
    ],
)
def test_stateful_set_that_the_server_refuses(spec: dict[str, Any], path: str) -> None:
    assert paths(stateful_set_problems(workload(**spec))) == [path]


def test_a_claim_template_may_replace_a_volume_of_its_name() -> None:
    mounts = [{"name": "data", "mountPath": "/data"}]
    pod = {"containers": [{"name": "c", "image": "i", "volumeMounts": mounts}]}
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    mounted = workload(template={"spec": pod})
    assert paths(stateful_set_problems(mounted)) == ["spec.template.spec.containers[0].volumeMounts[0].name"]
    replaced: dict[str, Any] = {"spec": {**pod, "volumes": [{"name": "data", "emptyDir": {}}]}}
    assert not paths(stateful_set_problems(workload(template=replaced, volumeClaimTemplates=[claim])))


def test_replica_set_has_no_negative_bounds() -> None:
    assert paths(replica_set_problems(workload(minReadySeconds=-1))) == ["spec.minReadySeconds"]
    assert paths(replica_set_problems(workload(minReadySeconds=0))) == []


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"minAvailable": 1, "maxUnavailable": 1}, ["spec.maxUnavailable"]),
        ({"minAvailable": "half"}, ["spec.minAvailable"]),
        ({"maxUnavailable": "100%", "selector": {}}, []),
    ],
)
def test_a_disruption_budget_has_one_bound(spec: dict[str, Any], found: list[str]) -> None:
    assert paths(disruption_budget_problems({"spec": spec})) == found
