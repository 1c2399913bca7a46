"""Disruption budgets and autoscalers: results as the disruption controller and the HPA calculate them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.policy.manifest_check import check
from tests.support.manifests import manifest, outcome, workload

SELECTOR = "selector: {matchLabels: {app: a}}"
JOB = "template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: i}]}}"
TARGET = "{apiVersion: apps/v1, kind: Deployment, name: a}"
SIDE = "initContainers: [{name: side, image: i, restartPolicy: Always}]"


def _budget(
    spec: str, selector: str = SELECTOR, *, api: str = "policy/v1", namespace: str = "q", name: str = "b"
) -> str:
    text = ", ".join(filter(None, (spec, selector)))
    return manifest(api, "PodDisruptionBudget", text, name=name, namespace=namespace)


def _pod(name: str, more: str = "") -> str:
    metadata = f"labels: {{app: a}}{more}"
    return manifest("v1", "Pod", "containers: [{name: c, image: i}]", name=name, more=metadata)


OWNED = ", ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: r, uid: u, controller: true}]"
BUDGETS = {
    # Neither field is filled in by the API server: no disruption is allowed.
    "neither field": (workload(replicas=3) + _budget(""), "found"),
    "neither field, no workload": (_budget(""), "found"),
    "percentage rounded up to all": (workload(replicas=3) + _budget("minAvailable: 67%"), "found"),
    "percentage rounded up to fewer": (workload(replicas=3) + _budget("minAvailable: 66%"), "clean"),
    "one percent may go": (workload(replicas=3) + _budget("maxUnavailable: 1%"), "clean"),
    "zero percent with leading zeros": (workload(replicas=3) + _budget("maxUnavailable: 00%"), "found"),
    "negative zero": (workload(replicas=3) + _budget("maxUnavailable: -0.0"), "found"),
    "all percent with leading zeros, no workload": (_budget("minAvailable: 0100%"), "found"),
    "ninety-nine percent, no workload": (_budget("minAvailable: 99%"), "unproven"),
    "more than there are": (workload(replicas=3) + _budget("minAvailable: 5"), "found"),
    "none required": (workload() + _budget("minAvailable: 0"), "clean"),
    # Kinds without a scale: an integer minAvailable counts pods, everything else fails.
    "daemon set, integer": (workload("DaemonSet", replicas=None) + _budget("minAvailable: 1"), "unproven"),
    "daemon set, maxUnavailable": (
        workload("DaemonSet", replicas=None) + _budget("maxUnavailable: 1"),
        "found",
    ),
    "daemon set, percentage": (workload("DaemonSet", replicas=None) + _budget("minAvailable: 50%"), "found"),
    "job, maxUnavailable": (manifest("batch/v1", "Job", JOB) + _budget("maxUnavailable: 1"), "found"),
    "daemon set beside enough pods": (
        workload("DaemonSet", name="d", replicas=None) + workload(replicas=3) + _budget("minAvailable: 2"),
        "clean",
    ),
    # Pods without a controller.
    "bare pods, fewer": (_pod("x") + _pod("y") + _budget("minAvailable: 1"), "clean"),
    "bare pods, all": (_pod("x") + _pod("y") + _budget("minAvailable: 2"), "found"),
    "bare pods, maxUnavailable": (_pod("x") + _pod("y") + _budget("maxUnavailable: 1"), "found"),
    "bare pods, percentage": (_pod("x") + _pod("y") + _budget("minAvailable: 50%"), "found"),
    "owned pods, maxUnavailable": (_pod("x", OWNED) + _budget("maxUnavailable: 1"), "clean"),
    "bare pod beside a workload": (_pod("x") + workload(replicas=3) + _budget("maxUnavailable: 1"), "clean"),
    # No selected workload is known.
    "no workload, minAvailable": (_budget("minAvailable: 1"), "unproven"),
    "no workload, maxUnavailable": (_budget("maxUnavailable: 1"), "clean"),
    "workload elsewhere": (workload(namespace="x") + _budget("minAvailable: 1"), "unproven"),
    "empty selector of v1": (workload() + _budget("minAvailable: 1", "selector: {}"), "found"),
    "empty selector of v1beta1": (
        workload() + _budget("minAvailable: 1", "selector: {}", api="policy/v1beta1"),
        "unproven",
    ),
    # Declared twice in one file, it is one budget.
    "same budget twice": (
        workload(replicas=3) + _budget("maxUnavailable: 1") + _budget("maxUnavailable: 1"),
        "clean",
    ),
    "two budgets": (
        workload(replicas=3) + _budget("maxUnavailable: 1") + _budget("maxUnavailable: 1", name="b2"),
        "found",
    ),
}


@pytest.mark.parametrize("name", BUDGETS)
def test_budget_result_equals_that_of_the_disruption_controller(name: str) -> None:
    text, expected = BUDGETS[name]
    assert outcome(text, "pdb-allows-disruption").result == expected


def test_variants_of_a_budget_in_several_files_are_one_budget(tmp_path: Path) -> None:
    text = workload(replicas=3) + _budget("maxUnavailable: 1")
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(text)
    assert check([str(tmp_path)], only=("pdb-allows-disruption",)).remarks == ()
    (tmp_path / "c.yaml").write_text(_budget("maxUnavailable: 1", name="b2"))
    [found] = check([str(tmp_path)], only=("pdb-allows-disruption",)).remarks
    assert "matches two PodDisruptionBudgets" in found.message


def test_autoscaler_of_several_files_has_the_target_in_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(workload(replicas=None) + _hpa())
    (tmp_path / "b.yaml").write_text(workload(replicas=3))
    assert check([str(tmp_path)], only=("hpa-target-without-replicas",)).remarks == ()
    (tmp_path / "a.yaml").write_text(_hpa())
    [found] = check([str(tmp_path)], only=("hpa-target-without-replicas",)).remarks
    assert found.file.endswith("b.yaml")


def _hpa(metrics: str = "") -> str:
    spec = f"minReplicas: 2, maxReplicas: 4, scaleTargetRef: {TARGET}{metrics}"
    return manifest("autoscaling/v2", "HorizontalPodAutoscaler", spec)


def _vpa(policies: str = "") -> str:
    spec = f"targetRef: {TARGET}"
    spec += f", resourcePolicy: {{containerPolicies: [{policies}]}}" if policies else ""
    return manifest("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", spec)


def _of_container(name: str) -> str:
    target = "target: {type: Utilization, averageUtilization: 50}"
    measured = f"containerResource: {{container: {name}, name: cpu, {target}}}"
    return f", metrics: [{{type: ContainerResource, {measured}}}]"


MEASURED = {
    "request from a LimitRange": (
        workload(replicas=None, resources="{}")
        + manifest("v1", "LimitRange", "limits: [{type: Container, defaultRequest: {cpu: 100m}}]")
        + _hpa(),
        "clean",
    ),
    "sidecar without a request": (workload(replicas=None, pod=SIDE) + _hpa(), "found"),
    "container without a request": (workload(replicas=None, resources="{}") + _hpa(), "found"),
    "share in the form of v2beta1": (
        workload(replicas=None, resources="{}")
        + _hpa(", metrics: [{type: Resource, resource: {name: cpu, targetAverageUtilization: 50}}]"),
        "found",
    ),
}
CONFLICTS = {
    "container that is measured is left alone": (
        workload(replicas=None) + _hpa(_of_container("c")) + _vpa('{containerName: c, mode: "Off"}'),
        "clean",
    ),
    "container that is measured is changed": (
        workload(replicas=None) + _hpa(_of_container("c")) + _vpa('{containerName: other, mode: "Off"}'),
        "found",
    ),
    "CPU trigger of KEDA": (
        workload(replicas=None)
        + manifest("keda.sh/v1alpha1", "ScaledObject", "scaleTargetRef: {name: a}, triggers: [{type: cpu}]")
        + _vpa(),
        "found",
    ),
    "cron trigger of KEDA": (
        workload(replicas=None)
        + manifest("keda.sh/v1alpha1", "ScaledObject", "scaleTargetRef: {name: a}, triggers: [{type: cron}]")
        + _vpa(),
        "clean",
    ),
}


@pytest.mark.parametrize("name", MEASURED)
def test_metric_needs_a_request_of_every_running_container(name: str) -> None:
    text, expected = MEASURED[name]
    assert outcome(text, "hpa-bounds").result == expected


@pytest.mark.parametrize("name", CONFLICTS)
def test_autoscalers_conflict_by_container(name: str) -> None:
    text, expected = CONFLICTS[name]
    assert outcome(text, "hpa-vpa-conflict").result == expected


@pytest.mark.parametrize(
    ("behavior", "expected"),
    [
        ("stabilizationWindowSeconds: 0", "found"),
        ("stabilizationWindowSeconds: 120", "clean"),
        ("stabilizationWindowSeconds: 0, selectPolicy: Disabled", "clean"),
    ],
)
def test_scale_down_needs_a_window_unless_it_is_disabled(behavior: str, expected: str) -> None:
    text = _hpa(f", behavior: {{scaleDown: {{{behavior}}}}}")
    assert outcome(text, "hpa-scales-down-slowly").result == expected


def test_budget_that_overlaps_on_many_workloads_names_twenty_and_counts_the_others() -> None:
    workloads = "".join(workload(replicas=3, name=f"w{at}") for at in range(25))
    text = workloads + _budget("maxUnavailable: 1") + _budget("maxUnavailable: 1", name="other")
    found = outcome(text, "pdb-allows-disruption").findings
    assert [message.split(" match")[0] for message in found[:2]] == ["Deployment 'w0'", "Deployment 'w1'"]
    assert (len(found), found[-1].split(" match")[0]) == (21, "5 more workloads")
