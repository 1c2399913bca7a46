"""Autoscalers and selectors matched to workloads."""

from __future__ import annotations

from typing import Any

import pytest

from policies.model.property_tree import UNKNOWN, Node
from policies.model.scale_targets import Scaling, policy_of
from policies.model.stack import Resource, Stack
from tests.policies.model.objects import declared, one, scaling

TARGET = {"kind": "Deployment", "name": "api"}


def workload(name: str = "api", labels: Any = None, **spec: Any) -> Resource:
    template = {"metadata": {"labels": labels or {"app": name}}, "spec": {"containers": [{"name": "main"}]}}
    return declared("apps/v1:Deployment", {"template": template} | spec, name)


def hpa(minimum: Any, maximum: Any, name: str = "h") -> Resource:
    bounds = {"minReplicas": minimum, "maxReplicas": maximum, "scaleTargetRef": TARGET}
    return declared("autoscaling/v2:HorizontalPodAutoscaler", bounds, name)


def keda(metadata: dict[str, Any] | None = None, **spec: Any) -> Resource:
    return declared(
        "keda.sh/v1alpha1:ScaledObject",
        {"scaleTargetRef": {"name": "api"}} | spec,
        "k",
        metadata=metadata or {},
    )


@pytest.mark.parametrize(
    ("spec", "scalers", "expected"),
    [
        ({}, [], (1, 1)),
        ({"replicas": 3}, [], (3, 3)),
        ({"replicas": 0}, [], (0, 0)),
        ({"replicas": -1}, [], (0, 0)),
        ({"replicas": 3}, [hpa(2, 5)], (2, 5)),
        ({"replicas": 0}, [hpa(2, 5)], (0, 0)),  # the autoscaler is disabled
        ({"replicas": 0}, [hpa(0, 5)], (0, 5)),
        ({"replicas": 9}, [hpa(2, 5)], (2, 9)),
        ({}, [hpa(2, 5), hpa(1, 4, "other")], (1, 5)),
        ({}, [keda(maxReplicaCount=4)], (0, 4)),
        ({}, [keda()], (0, 100)),
        (
            {},
            [keda({"annotations": {"autoscaling.keda.sh/paused-replicas": "200"}}, maxReplicaCount=4)],
            (0, 200),
        ),
    ],
)
def test_minimum_and_maximum_replicas(
    spec: dict[str, Any], scalers: list[Resource], expected: tuple[int, int]
) -> None:
    item = workload(**spec)
    found = scaling(item, *scalers)
    assert found.replicas(one(item)) == expected
    assert found.is_scaled(one(item)) == bool(scalers)


def test_scaled_objects_of_other_groups_do_not_scale() -> None:
    other = declared("example.com/v1:ScaledObject", {"scaleTargetRef": {"name": "api"}, "maxReplicaCount": 9})
    item = workload()
    assert not scaling(item, other).is_scaled(one(item))


def test_custom_resource_that_targets_a_workload_may_scale_it() -> None:
    canary = declared("flagger.app/v1beta1:Canary", {"targetRef": TARGET})
    other = declared("flagger.app/v1beta1:Canary", {"targetRef": {"kind": "Service", "name": "api"}}, "other")
    found = scaling(canary, other, hpa(1, 2)).other_scalers
    assert list(found) == [("n", "Deployment", "api")]


def test_live_pods_of_a_declared_owner_are_counted_with_it() -> None:
    owner = {"ownerReferences": [{"kind": "Deployment", "name": "api", "controller": True}]}
    spec = {"template": {"spec": {"containers": [{"name": "a"}]}}}
    owned = declared("apps/v1:ReplicaSet", spec, "api-1", metadata=owner)
    assert [item.kind for item, _ in scaling(workload(), owned).workloads["n"]] == ["Deployment"]
    assert [item.kind for item, _ in scaling(owned).workloads["n"]] == ["ReplicaSet"]


def test_last_declaration_of_a_workload_counts() -> None:
    [(item, _)] = scaling(workload(replicas=1), workload(replicas=2)).workloads["n"]
    assert item.node.at("spec", "replicas").raw == 2


def test_selected_workloads_are_those_whose_labels_match() -> None:
    found = scaling(workload("api", {"app": "api", "tier": "web"}), workload("worker", {"app": "worker"}))

    def selected(**selector: Any) -> list[str]:
        return [item.name for item, _ in found.selected_by(Node(selector), "n")]

    assert selected(matchLabels={"app": "api", "tier": "web"}) == ["api"]
    assert selected(matchLabels={"app": "api", "tier": "db"}) == []
    assert selected(matchExpressions=[{"key": "tier", "operator": "DoesNotExist"}]) == ["worker"]
    assert selected() == ["api", "worker"]
    everything = Node({"matchExpressions": [{"key": "app", "operator": "Exists"}]})
    assert found.selected_by(everything, "n") is found.selected_by(everything, "n"), "equal selectors share"
    assert list(found.selected_by(Node({}), "other")) == []


def test_policy_of_a_container_precedes_that_of_all() -> None:
    policies = [{"containerName": "*", "mode": "Off"}, {"containerName": "main", "mode": "Auto"}]
    scaler = one(
        declared(
            "autoscaling.k8s.io/v1:VerticalPodAutoscaler", {"resourcePolicy": {"containerPolicies": policies}}
        )
    )
    found = policy_of(scaler, "main"), policy_of(scaler, "other")
    assert [policy["mode"].raw for policy in found if policy] == ["Auto", "Off"]
    assert policy_of(one(declared("autoscaling.k8s.io/v1:VerticalPodAutoscaler", {})), "main") is None


def test_default_priority_class_is_the_global_one_of_the_lowest_value() -> None:
    def priority(name: str, value: int, default: bool) -> Resource:
        return declared("scheduling.k8s.io/v1:PriorityClass", None, name, value=value, globalDefault=default)

    classes = [priority("high", 100, True), priority("low", 1, True), priority("none", 0, False)]
    assert scaling(*classes).default_priority_class == "low"
    assert scaling(classes[2]).default_priority_class == ""


def test_labels_that_are_not_known_yet_are_noted() -> None:
    def noted(labels: Any) -> bool:
        stack = Stack.of([workload("api", labels)])
        selector = Node({"matchLabels": {"app": "api"}})
        assert list(Scaling.of(stack).selected_by(selector, "n")) == []
        return bool(stack.node.unevaluated)

    assert noted({"app": UNKNOWN})
    assert not noted({"app": "other"})


def test_malformed_labels_of_a_selector_are_not_an_error() -> None:
    found = scaling(workload("api", {"app": "api"}))
    for labels in ("app", ["app"], {"app": ["api"]}):
        list(found.selected_by(Node({"matchLabels": labels}), "n"))


def test_creators_are_named_in_a_stable_order() -> None:
    names = ["b", "f", "a", "e", "d", "c", "g"]
    found = scaling(*(declared("postgresql.cnpg.io/v1:Cluster", {}, name) for name in names))
    expected = "Cluster 'a', Cluster 'b', Cluster 'c', Cluster 'd', Cluster 'e' and 2 more"
    assert found.creator_names("n", pods_only=True) == expected
    assert found.creator_names("other", pods_only=False) == ""


def test_creators_of_pods_have_no_pod_template() -> None:
    template = {"spec": {"containers": [{"name": "main", "image": "i"}]}}
    found = scaling(
        declared("argoproj.io/v1alpha1:Rollout", {"template": template}, "web"),
        declared("postgresql.cnpg.io/v1:Cluster", {"instances": 3}, "db"),
        declared("monitoring.coreos.com/v1:ServiceMonitor", {}, "web"),
        workload(),
    )
    assert {key: [item.name for item in items] for key, items in found.creators.items()} == {
        "n": ["web", "db"]
    }
    assert [item.name for item in found.pod_creators["n"]] == ["db"]
