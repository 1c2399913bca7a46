"""Checks of the API server on names, labels and quantities, and the status of ready objects."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.validation import kind_of, problems, status, type_problems
from rehearsal.pulumi.properties import UNKNOWN, Secret


def found(inputs: dict[str, Any], kind: str = "ConfigMap", *, custom: bool = False) -> dict[str, str]:
    return {one.path: one.reason for one in problems(inputs, kind, custom=custom)}


def named(name: Any, kind: str = "ConfigMap") -> dict[str, str]:
    return found({"metadata": {"name": name}}, kind)


@pytest.mark.parametrize("name", ["a", "a-b.c", "1", "a" * 253, UNKNOWN, None])
def test_subdomain_is_a_name(name: Any) -> None:
    assert named(name) == {}


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a-", ".a", "a..b", "", "a" * 254])
def test_other_text_is_not_a_name(name: str) -> None:
    assert list(named(name)) == ["metadata.name"]


@pytest.mark.parametrize(("name", "valid"), [("a" * 63, True), ("a" * 64, False), ("a.b", False)])
def test_names_of_services_are_labels(name: str, valid: bool) -> None:
    assert ("metadata.name" not in named(name, "Service")) == valid
    assert (found({"metadata": {"namespace": name}}) == {}) == valid


def test_roles_may_have_any_name() -> None:
    assert named("system:admin", "ClusterRole") == {}


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        ("app.kubernetes.io/name", "a_b.C-1", None),
        ("a", "", None),
        ("a" * 63, "a" * 63, None),
        ("a" * 64, "a", "key"),
        ("a", "a" * 64, "key"),
        ("a", "-a", "key"),
        ("a", "a b", "key"),
        ("-a", "a", "key"),
        ("Example.com/a", "a", "key"),
        ("/a", "a", "key"),
    ],
)
def test_labels_have_the_form_of_labels(key: str, value: str, path: str | None) -> None:
    assert (found({"metadata": {"labels": {key: value}}}) != {}) == (path is not None)


def test_annotations_have_keys_of_labels_and_any_value() -> None:
    assert found({"metadata": {"annotations": {"a/b": "any text at all", "c": "x" * 100}}}) == {}
    assert len(found({"metadata": {"annotations": {"a b": ""}}})) == 1


@pytest.mark.parametrize("quantity", ["1", "1.5", ".5", "1.", "250m", "1Gi", "1e3", "1E-3", "+1", "5k"])
def test_quantity_is_accepted(quantity: str) -> None:
    assert found({"spec": {"hard": {"cpu": quantity}}}, "ResourceQuota") == {}


@pytest.mark.parametrize("quantity", ["", "1 Gi", "1GB", "1gi", "m", "1e", "1.5.0", "1Ki2"])
def test_other_text_is_not_a_quantity(quantity: str) -> None:
    assert "is not a quantity" in str(found({"spec": {"hard": {"cpu": quantity}}}, "ResourceQuota"))


def workload(labels: Any, selector: Any) -> dict[str, Any]:
    return {
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "a", "image": "i"}]},
            },
        }
    }


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"app": "a", "more": "b"}, None),
        ({"app": UNKNOWN}, None),
        (UNKNOWN, None),
        ({"app": "b"}, "the template's label is 'b'"),
        ({}, "no such label in the template"),
    ],
)
def test_workload_selects_its_own_pods(labels: Any, reason: str | None) -> None:
    inputs = workload(labels, {"app": "a"})
    reasons = found(inputs, "Deployment")
    if reason is None:
        assert reasons == {}
    else:
        assert reason in reasons["spec.selector.matchLabels.app"]
    assert not any("matchLabels" in path for path in found(inputs, "Job"))


def test_secret_values_are_not_quoted() -> None:
    assert found({"metadata": Secret({"name": "a"}), "data": Secret({"labels": {"-": "-"}})}) == {}


def test_only_metadata_of_custom_resources_and_free_content_is_checked() -> None:
    inputs = {"metadata": {"labels": {"-": "a"}}, "spec": {"labels": {"-": "a"}}}
    assert len(found(inputs, "Rollout", custom=True)) == 1
    assert len(found({**inputs, "data": {"labels": {"-": "a"}}}, "ConfigMap")) == 1
    assert len(found(inputs, "NetworkPolicy")) == 2


def types(token: str, **inputs: Any) -> list[str]:
    return [one.path for one in type_problems(token, inputs)]


def test_custom_resource_needs_a_group_that_is_a_domain() -> None:
    assert types("kubernetes:example.com/v1:Task", spec={"any": 1}) == []
    assert types("kubernetes:example/v1:Task") == [""]
    assert types("kubernetes:apps/v1:Deploymant") == [""]


def test_type_of_a_custom_resource_is_that_of_its_token() -> None:
    token = "kubernetes:example.com/v1:Task"
    assert types(token, apiVersion="example.com/v1", kind=UNKNOWN, metadata={"name": "a"}) == []
    assert types(token, apiVersion="example.com/v2", kind="Job") == ["apiVersion", "kind"]
    assert types(token, metadata={"nam": "a"}) == ["metadata.nam"]


def test_quantity_may_be_a_number_and_text_may_not() -> None:
    token = "kubernetes:core/v1:Pod"
    container = {"name": "a", "image": "i", "resources": {"limits": {"cpu": 1}}}
    assert types(token, spec={"containers": [container]}) == []
    variable = {**container, "env": [{"name": "A", "value": 1}]}
    assert types(token, spec={"containers": [variable]}) == ["spec.containers[0].env[0].value"]


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("kubernetes:apps/v1:Deployment", ("apps/v1", "Deployment")),
        ("kubernetes:core/v1:Pod", ("v1", "Pod")),
    ],
)
def test_api_version_and_kind_of_a_token(token: str, expected: tuple[str, str]) -> None:
    assert kind_of(token) == expected


def test_status_is_that_of_a_ready_object() -> None:
    workload_status = status("Deployment", "seed", {"spec": {"replicas": 3}})
    assert workload_status is not None
    assert workload_status["availableReplicas"] == 3
    assert status("Deployment", "seed", {}) == status("Deployment", "seed", {"spec": {"replicas": UNKNOWN}})
    assert status("Service", "seed", {"spec": {"type": "ClusterIP"}}) == {"loadBalancer": {}}
    balanced = status("Service", "seed", {"spec": {"type": "LoadBalancer"}})
    assert balanced is not None
    assert balanced["loadBalancer"]["ingress"][0]["ip"].startswith("10.")
    assert status("ResourceQuota", "seed", {"spec": {"hard": {"pods": "3"}}}) == {"hard": {"pods": "3"}}
    assert status("ConfigMap", "seed", {}) is None


@pytest.mark.parametrize(
    ("kind", "valid"), [("Container", True), ("openshift.io/Image", True), ("Image", False)]
)
def test_type_of_limits_is_known_or_has_a_domain(kind: str, valid: bool) -> None:
    limits = found({"spec": {"limits": [{"type": kind, "max": {"cpu": "1"}}]}}, "LimitRange")
    assert (limits == {}) == valid
