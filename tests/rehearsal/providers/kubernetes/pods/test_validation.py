"""A pod's specification: what several parts of it require of each other."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.pods.validation import pod_problems
from rehearsal.pulumi.properties import UNKNOWN


def problems(spec: dict[str, Any], *restart: str) -> set[str]:
    return {found.path for found in pod_problems(spec, ("spec",), restart)}


def pod(**container: Any) -> dict[str, Any]:
    return {"containers": [{"name": "a", "image": "b", **container}]}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"containers": [{"name": "a", "image": "b"}] * 2}, "spec.containers[1].name"),
        (pod() | {"initContainers": [{"name": "a", "image": "b"}]}, "spec.containers[0].name"),
        (pod(ports=[{"containerPort": 1, "name": "x"}] * 2), "spec.containers[0].ports[1].name"),
        (
            pod(ports=[{"containerPort": 80, "hostPort": 81}]) | {"hostNetwork": True},
            "spec.containers[0].ports[0].hostPort",
        ),
        (pod(volumeMounts=[{"name": "v", "mountPath": "/v"}]), "spec.containers[0].volumeMounts[0].name"),
        (pod(env=[{"name": "A", "valueFrom": {}}]), "spec.containers[0].env[0].valueFrom"),
        (
            pod(resources={"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}),
            "spec.containers[0].resources.requests.cpu",
        ),
        # Resources that cannot be overcommitted: extended ones and huge pages.
        (
            pod(resources={"requests": {"nvidia.com/gpu": 1}}),
            'spec.containers[0].resources.requests["nvidia.com/gpu"]',
        ),
        (
            pod(resources={"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 2}}),
            'spec.containers[0].resources.requests["nvidia.com/gpu"]',
        ),
        (
            pod(
                resources={
                    "requests": {"hugepages-2Mi": "2Mi"},
                    "limits": {"hugepages-2Mi": "4Mi", "memory": "1Gi"},
                }
            ),
            "spec.containers[0].resources.requests.hugepages-2Mi",
        ),
    ],
)
def test_parts_that_contradict_each_other_are_reported(spec: dict[str, Any], path: str) -> None:
    assert problems(spec) == {path}


@pytest.mark.parametrize(
    "resources",
    [
        {"limits": {"nvidia.com/gpu": 1}},
        {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": "1"}},
        {"requests": {"nvidia.com/gpu": 1}, "limits": UNKNOWN},
        {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": UNKNOWN}},
        {"requests": {"cpu": 1, "example.kubernetes.io/x": 1}},
    ],
)
def test_requests_without_a_contradiction_are_accepted(resources: dict[str, Any]) -> None:
    assert not problems(pod(resources=resources))


def test_a_controller_limits_the_restart_policy() -> None:
    assert problems(pod() | {"restartPolicy": "Never"}, "Always") == {"spec.restartPolicy"}
    assert not problems(pod() | {"restartPolicy": UNKNOWN}, "Always")
    assert problems(pod(), "Never", "OnFailure") == {"spec.restartPolicy"}


def test_unknown_volumes_may_have_any_name() -> None:
    mounted = pod(volumeMounts=[{"name": "v", "mountPath": "/v"}])
    assert not problems(mounted | {"volumes": UNKNOWN})
    assert not problems(mounted | {"volumes": [{"name": UNKNOWN, "emptyDir": {}}]})
