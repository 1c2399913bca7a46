"""Peak demand: pods at once, and the requests of one pod."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from policies.model.limit_range_defaults import Defaults
from policies.model.peak_demand import Demand, demand, peak_pods
from policies.model.pods import pod_templates
from policies.model.property_tree import UNKNOWN
from policies.model.stack import Resource
from tests.policies.model.objects import declared, one, resource, scaling


def container(cpu: str | None = None, limit: str | None = None, **more: Any) -> dict[str, Any]:
    resources = {"requests": {"cpu": cpu} if cpu else {}, "limits": {"cpu": limit} if limit else {}}
    return {"name": "main", "resources": resources} | more


def deployment(pod: dict[str, Any] | None = None, **spec: Any) -> Resource:
    template = {"spec": pod or {"containers": [container("1")]}}
    return declared("apps/v1:Deployment", {"replicas": 4, "template": template} | spec, "api")


def peak(item: Resource, *others: Resource, nodes: int | None = None) -> Demand:
    [template] = pod_templates(item)
    return demand(one(item), template, scaling(item, *others), Defaults(), nodes)


def rolling(**values: Any) -> dict[str, Any]:
    return {"strategy": {"rollingUpdate": values}}


@pytest.mark.parametrize(
    ("spec", "pods", "terminating"),
    [
        ({}, 5, 2),
        ({"replicas": 5}, 7, 3),
        (rolling(maxSurge=0, maxUnavailable=0), 4, 1),
        (rolling(maxSurge="50%", maxUnavailable=0), 6, 2),
        (rolling(maxSurge=9, maxUnavailable=0), 8, 4),
        ({"replicas": 0} | rolling(maxSurge=1, maxUnavailable=0), 0, 0),
        (rolling(maxSurge=UNKNOWN), 4, 1),
        ({"strategy": {"type": "Recreate"}}, 4, 0),
        ({"podReplacementPolicy": "TerminationComplete"}, 5, 0),
    ],
)
def test_pods_of_a_deployment_while_it_rolls_out(spec: dict[str, Any], pods: int, terminating: int) -> None:
    found = peak(deployment(**spec))
    assert (found.pods, found.terminating) == (pods, terminating)
    assert found.of("pods") == pods
    assert found.of("requests.cpu") == pods


def test_pods_that_end_at_once_do_not_overlap_with_their_replacements() -> None:
    pod = {"containers": [container("1")], "terminationGracePeriodSeconds": 0}
    assert peak(deployment(pod)).terminating == 0


@pytest.mark.parametrize(
    ("nodes", "surge", "pods"), [(3, None, 3), (3, 1, 4), (3, "50%", 5), (None, None, 0)]
)
def test_daemon_set_has_one_pod_on_each_node(nodes: int | None, surge: Any, pods: int) -> None:
    spec: dict[str, Any] = {
        "template": {"spec": {"containers": []}},
        "updateStrategy": {"rollingUpdate": {"maxSurge": surge}},
    }
    item = declared("apps/v1:DaemonSet", spec)
    found, _, unbounded = peak_pods(one(item), scaling(item), nodes)
    assert found == pods
    assert bool(unbounded) == (nodes is None)


@pytest.mark.parametrize(
    ("spec", "pods"),
    [
        ({}, 1),
        ({"parallelism": 3}, 3),
        ({"parallelism": 3, "completions": 2}, 2),
        ({"parallelism": 3, "suspend": True}, 0),
    ],
)
def test_pods_of_a_job(spec: dict[str, Any], pods: int) -> None:
    item = declared("batch/v1:Job", spec)
    assert peak_pods(one(item), scaling(item), None)[0] == pods


@pytest.mark.parametrize(
    ("spec", "job", "pods", "bounded"),
    [
        ({"concurrencyPolicy": "Forbid"}, {}, 2, True),
        ({"concurrencyPolicy": "Replace"}, {}, 4, True),
        ({"concurrencyPolicy": "Replace", "schedule": "@hourly"}, {"activeDeadlineSeconds": 3570}, 2, True),
        ({"concurrencyPolicy": "Replace", "schedule": "@hourly"}, {"activeDeadlineSeconds": 3571}, 4, True),
        ({}, {}, 2, False),
        ({"schedule": "*/5 * * * *"}, {"activeDeadlineSeconds": 270}, 2, True),
        ({"schedule": "*/5 * * * *"}, {"activeDeadlineSeconds": 271}, 4, True),
        ({"suspend": True}, {}, 0, True),
    ],
)
def test_runs_of_a_cron_job_may_overlap(
    spec: dict[str, Any], job: dict[str, Any], pods: int, bounded: bool
) -> None:
    item = declared("batch/v1:CronJob", {"jobTemplate": {"spec": {"parallelism": 2} | job}} | spec)
    found, _, unbounded = peak_pods(one(item), scaling(item), None)
    assert (found, not unbounded) == (pods, bounded)


def test_pods_of_other_kinds_are_not_bounded() -> None:
    item = declared("argoproj.io/v1alpha1:Rollout", {"replicas": 3, "template": {"spec": {"containers": []}}})
    found, _, unbounded = peak_pods(one(item), scaling(item), None)
    assert found == 3
    assert "of a Rollout is unknown" in unbounded


SIDECAR = container("1", restartPolicy="Always")


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [container("1"), container("2")]}, 3),
        ({"containers": [container("1")], "initContainers": [container("5")]}, 5),
        ({"containers": [container("1")], "initContainers": [SIDECAR]}, 2),
        ({"containers": [container("1")], "initContainers": [SIDECAR, container("5")]}, 6),
        ({"containers": [container("1")], "initContainers": [container("5"), SIDECAR]}, 5),
        ({"containers": [container("1")], "overhead": {"cpu": "500m"}}, Fraction(3, 2)),
        ({"containers": [container(None, "2")]}, 2),
        ({"containers": [container("1")], "resources": {"requests": {"cpu": "7"}}}, 7),
    ],
)
def test_requests_of_one_pod(spec: dict[str, Any], cpu: int | Fraction) -> None:
    assert peak(deployment(spec)).per_pod["requests.cpu"] == cpu


def vertical(maximum: dict[str, str] | None, **policy: Any) -> Resource:
    given = {"containerName": "main", "maxAllowed": maximum or {}} | policy
    spec = {
        "targetRef": {"kind": "Deployment", "name": "api"},
        "resourcePolicy": {"containerPolicies": [given]},
    }
    return declared("autoscaling.k8s.io/v1:VerticalPodAutoscaler", spec)


def test_vertical_autoscaler_raises_requests_and_limits_in_proportion() -> None:
    item = deployment({"containers": [container("1", "2")]})
    found = peak(item, vertical({"cpu": "3", "memory": "1"})).per_pod
    assert (found["requests.cpu"], found["limits.cpu"]) == (3, 6)
    found = peak(item, vertical({"cpu": "3"}, controlledValues="RequestsOnly")).per_pod
    assert (found["requests.cpu"], found["limits.cpu"]) == (3, 2)
    assert peak(item, vertical({"cpu": "3"}, mode="Off")).per_pod["requests.cpu"] == 1


def test_vertical_autoscaler_without_a_maximum_is_unbounded() -> None:
    found = peak(deployment(), vertical({"memory": "1"}))
    assert "has no maxAllowed" in found.open_end("requests.cpu")
    assert found.open_end("requests.memory") == found.open_end("pods") == ""


def test_vertical_autoscaler_leaves_absent_and_uncontrolled_limits() -> None:
    limited = deployment({"containers": [container("1", "2")]})
    assert "has no maxAllowed" in peak(limited, vertical({"memory": "1"})).open_end("limits.cpu")
    assert not peak(deployment(), vertical({"memory": "1"})).open_end("limits.cpu")
    requests_only = vertical({"memory": "1"}, controlledValues="RequestsOnly")
    assert not peak(limited, requests_only).open_end("limits.cpu")


def test_workloads_of_other_scalers_are_unbounded() -> None:
    canary = declared("flagger.app/v1beta1:Canary", {"targetRef": {"kind": "Deployment", "name": "api"}})
    found = peak(deployment(), canary)
    assert "may change the number of its pods" in found.open_end("pods")
    assert found.open_end("requests.cpu") == found.open_end("pods")
    assert found.open_end("requests.memory") == ""


def test_containers_without_an_amount_are_named() -> None:
    found = peak(
        deployment({"containers": [container("1"), container("1") | {"name": "b", "resources": {}}]})
    )
    assert found.missing["requests.cpu"] == ('container "b"',)
    assert len(found.missing["limits.cpu"]) == 2
    whole = {"containers": [container()], "resources": {"requests": {"cpu": "1"}}}
    assert peak(deployment(whole)).missing == {}


def test_unknown_values_are_doubtful_and_pods_without_amounts_are_best_effort() -> None:
    assert peak(deployment(replicas=UNKNOWN)).doubtful
    assert not peak(deployment()).doubtful
    assert peak(deployment({"containers": [container()]})).best_effort
    assert not peak(deployment()).best_effort


@pytest.mark.parametrize(
    ("allowed", "maximum", "requested"), [("2", "3", 2), ("3", "2", 2), (None, "3", 3), ("2", None, 2)]
)
def test_vertical_autoscaler_stays_within_its_own_maximum_and_that_of_limit_ranges(
    allowed: str | None, maximum: str | None, requested: int
) -> None:
    limits = [{"type": "Container", "max": {"cpu": maximum}}] if maximum else []
    defaults = Defaults.of([one(declared("core/v1:LimitRange", {"limits": limits}))])
    item, scaler = deployment(), vertical({"cpu": allowed} if allowed else None)
    [template] = pod_templates(item)
    found = demand(one(item), template, scaling(item, scaler), defaults, None)
    assert found.per_pod["requests.cpu"] == requested


def test_unknown_and_defaulted_amounts_are_not_missing() -> None:
    unknown = {"name": "main", "resources": {"requests": {"cpu": UNKNOWN, "memory": "1"}}}
    assert sorted(peak(deployment({"containers": [unknown]})).missing) == ["limits.cpu", "limits.memory"]
    defaults = Defaults.of(
        [one(declared("core/v1:LimitRange", {"limits": [{"type": "Container", "max": {"cpu": "3"}}]}))]
    )
    item = deployment({"containers": [{"name": "main"}]})
    [template] = pod_templates(item)
    found = demand(one(item), template, scaling(item), defaults, None)
    assert sorted(found.missing) == ["limits.memory", "requests.memory"]


def test_kind_of_an_unknown_group_has_an_unknown_number_of_pods() -> None:
    for group, known in (("apps/v1", True), ("example.com/v1", False)):
        item = declared(f"{group}:Deployment", {"replicas": 2, "template": {"spec": {"containers": []}}})
        pods, _, unbounded = peak_pods(one(item), scaling(item), None)
        assert (pods >= 2, not unbounded) == (True, known)


def test_overhead_of_a_runtime_class_that_is_not_declared_is_unbounded() -> None:
    item = deployment({"containers": [container("1", "1")], "runtimeClassName": "gvisor"})
    found = peak(item)
    assert "RuntimeClass 'gvisor' is not declared" in found.open_end("requests.cpu")
    assert found.open_end("limits.cpu")
    # An overhead raises only limits that exist, and no number of pods.
    assert not found.open_end("limits.memory")
    assert not found.open_end("pods")
    runtime = resource("node.k8s.io/v1:RuntimeClass", {"metadata": {"name": "gvisor"}})
    assert not peak(item, runtime).open_end("requests.cpu")
