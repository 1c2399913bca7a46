"""Pod templates are found in built-in kinds, in lists and in custom resources."""

from __future__ import annotations

from typing import Any

import pytest

from policies.model.pods import (
    list_unevaluated,
    may_create_objects,
    may_create_pods,
    pod_templates,
    sources_of,
)
from policies.model.property_tree import UNKNOWN, Node
from policies.model.stack import Resource, objects_of

SPEC = {"containers": [{"name": "c", "image": "i"}]}


def resource(type_: str, props: dict[str, Any]) -> Resource:
    return Resource("urn", f"kubernetes:{type_}", "x", Node(props))


@pytest.mark.parametrize(
    ("type_", "props", "path"),
    [
        ("core/v1:Pod", {"spec": SPEC}, ()),
        ("apps/v1:Deployment", {"spec": {"template": {"spec": SPEC}}}, ("spec", "template")),
        (
            "batch/v1:CronJob",
            {"spec": {"jobTemplate": {"spec": {"template": {"spec": SPEC}}}}},
            ("spec", "jobTemplate", "spec", "template"),
        ),
        ("serving.knative.dev/v1:Revision", {"spec": SPEC}, ()),
        ("serving.knative.dev/v1:Service", {"spec": {"template": {"spec": SPEC}}}, ("spec", "template")),
        ("argoproj.io/v1alpha1:Rollout", {"spec": {"template": {"spec": SPEC}}}, ("spec", "template")),
        (
            "jobset.x-k8s.io/v1alpha2:JobSet",
            {"spec": {"replicatedJobs": [{"template": {"spec": {"template": {"spec": SPEC}}}}]}},
            ("spec", "replicatedJobs", 0, "template", "spec", "template"),
        ),
    ],
)
def test_template_is_found(type_: str, props: dict[str, Any], path: tuple[str | int, ...]) -> None:
    [found] = pod_templates(resource(type_, props))
    assert found.node.path == path
    assert [container["name"].raw for container in found.containers()] == ["c"]


@pytest.mark.parametrize(
    ("type_", "path"),
    [
        ("core/v1:Template", ("objects",)),
        ("template.openshift.io/v1:Template", ("objects",)),
        ("work.open-cluster-management.io/v1:ManifestWork", ("spec", "workload", "manifests")),
    ],
)
def test_pods_in_a_bundle_of_objects_are_found(type_: str, path: tuple[str, ...]) -> None:
    props: Any = [
        {"apiVersion": "v1", "kind": "Pod", "spec": SPEC},
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": SPEC}}},
        {"apiVersion": "example.com/v1", "kind": "Pod", "spec": {"containers": []}},
    ]
    for key in reversed(path):
        props = {key: props}
    found = pod_templates(resource(type_, props))
    assert [template.node.path for template in found] == [(*path, 0), (*path, 1, "spec", "template")]


def test_objects_under_review_are_not_applied() -> None:
    props = {"request": {"object": {"spec": {"template": {"spec": SPEC}}}}}
    assert pod_templates(resource("admission.k8s.io/v1:AdmissionReview", props)) == []


def test_templates_in_a_list_are_found() -> None:
    items: list[dict[str, Any]] = [
        {"kind": "Pod", "spec": SPEC},
        {"kind": "Service", "spec": {"ports": [1]}},
        {"kind": "Pod", "spec": SPEC},
    ]
    found = pod_templates(resource("core/v1:List", {"items": items}))
    assert [template.node.path for template in found] == [("items", 0), ("items", 2)]


def test_container_outside_a_template_is_listed_as_not_evaluated() -> None:
    props = {"spec": {"main": {"image": "i", "command": ["run"]}}}
    item = resource("example.com/v1:Task", props)
    [owner] = objects_of(item)
    assert sources_of(item, owner).unevaluated == (("spec", "main"),)
    assert pod_templates(item) == []


def test_a_security_context_outside_a_template_is_listed_as_not_evaluated() -> None:
    item = resource("example.com/v1:Task", {"spec": {"pod": {"securityContext": {"runAsUser": 0}}}})
    list_unevaluated(item)
    [((_, path), reason)] = item.node.unevaluated.places.items()
    assert path == ("spec", "pod", "securityContext")
    assert reason == "is set for Task '', a kind whose pods are unknown"


def nested(depth: int) -> dict[str, Any]:
    """Return a container nested below a number of keys."""
    value: dict[str, Any] = {"image": "i", "command": ["run"]}
    for _ in range(depth):
        value = {"in": value}
    return value


@pytest.mark.parametrize(("depth", "found"), [(24, 1), (25, 0)])
def test_search_in_a_custom_resource_is_bounded_in_depth(depth: int, found: int) -> None:
    item = resource("example.com/v1:Task", nested(depth))
    [owner] = objects_of(item)
    assert len(sources_of(item, owner).unevaluated) == found


@pytest.mark.parametrize(("values", "found"), [(19_997, 1), (19_998, 0)])
def test_search_in_a_custom_resource_is_bounded_in_values(values: int, found: int) -> None:
    # The object and its list are values too.
    props = {"items": [*(dict[str, Any]() for _ in range(values)), {"image": "i", "command": ["run"]}]}
    item = resource("example.com/v1:Task", props)
    [owner] = objects_of(item)
    assert len(sources_of(item, owner).unevaluated) == found


def test_kinds_that_create_no_pods_are_not_searched() -> None:
    props = {"spec": {"rules": [{"generate": {"data": {"template": {"spec": SPEC}}}}]}}
    assert len(pod_templates(resource("example.com/v1:Policy", props))) == 1
    assert pod_templates(resource("kyverno.io/v1:Policy", props)) == []


@pytest.mark.parametrize(("key", "noted"), [("template", True), ("strategy", False)])
def test_unknown_template_of_a_custom_resource_is_noted(key: str, noted: bool) -> None:
    item = resource("argoproj.io/v1alpha1:Rollout", {"spec": {key: UNKNOWN}})
    with item.node.track_unknowns() as unknown:
        assert pod_templates(item) == []
    assert bool(unknown) is noted


@pytest.mark.parametrize(
    ("type_", "spec", "objects", "pods"),
    [
        ("postgresql.cnpg.io/v1:Cluster", {"instances": 3}, True, True),
        ("cert-manager.io/v1:Certificate", {}, True, True),  # of a solver of challenges
        ("external-secrets.io/v1:ExternalSecret", {}, True, False),
        ("monitoring.coreos.com/v1:Prometheus", {}, True, True),
        ("monitoring.coreos.com/v1:ServiceMonitor", {}, False, False),
        ("autoscaling.gke.io/v1beta1:AutoscalingMetric", {}, False, False),
        ("networking.istio.io/v1:VirtualService", {}, False, False),
        ("secrets-store.csi.x-k8s.io/v1:SecretProviderClass", {"secretObjects": [{}]}, True, False),
        ("secrets-store.csi.x-k8s.io/v1:SecretProviderClass", {}, False, False),
        ("networking.k8s.io/v1:Ingress", {}, False, False),
        ("apps/v1:Deployment", {}, False, False),
        ("core/v1:ConfigMap", {}, False, False),
    ],
)
def test_custom_resources_may_create_objects_and_pods(
    type_: str, spec: dict[str, Any], objects: bool, pods: bool
) -> None:
    [owner] = objects_of(resource(type_, {"spec": spec}))
    assert (may_create_objects(owner), may_create_pods(owner)) == (objects, pods)
