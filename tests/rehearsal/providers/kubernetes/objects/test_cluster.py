"""Objects that configure the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from rehearsal.providers.kubernetes.objects.cluster import (
    access_mode_problems,
    lease_problems,
    persistent_volume_problems,
    positive_quantity,
    priority_class_problems,
    runtime_class_problems,
    storage_class_problems,
    webhook_problems,
)
from rehearsal.providers.validation import Problem
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.calls import Calls, urn

Check = Callable[[Mapping[str, Any]], Iterator[Problem]]
VOLUME = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "csi": {"driver": "d"}}
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
WEBHOOK = {
    "name": "pods.kingdom.studio",
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
    "clientConfig": {"url": "https://a.example"},
    "rules": [RULE],
}


def found(check: Check, inputs: Mapping[str, Any]) -> list[str]:
    return [one.path for one in check(inputs)]


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        ({}, []),
        ({"capacity": UNKNOWN, "accessModes": UNKNOWN}, []),
        ({"capacity": {}}, ["spec.capacity.storage"]),
        ({"capacity": {"storage": "0"}}, ["spec.capacity.storage"]),
        ({"capacity": {"storage": "1Gi", "cpu": "1"}}, ["spec.capacity.cpu"]),
        ({"accessModes": []}, ["spec.accessModes"]),
        ({"persistentVolumeReclaimPolicy": "Keep"}, ["spec.persistentVolumeReclaimPolicy"]),
        ({"csi": None}, ["spec"]),
        ({"nfs": {"server": "a", "path": "/"}}, ["spec"]),
        ({"csi": None, "hostPath": {"path": "/a/../b"}}, ["spec.hostPath.path"]),
    ],
)
def test_persistent_volume_is_checked(change: dict[str, Any], paths: list[str]) -> None:
    assert found(persistent_volume_problems, {"spec": VOLUME | change}) == paths


@pytest.mark.parametrize(
    ("modes", "paths"),
    [
        (["ReadWriteOnce", "ReadOnlyMany"], []),
        (["ReadWriteOncePod", UNKNOWN], []),
        (["ReadWrite"], ["accessModes[0]"]),
        (["ReadWriteOncePod", "ReadWriteOnce"], ["accessModes"]),
    ],
)
def test_access_modes_are_checked(modes: list[Any], paths: list[str]) -> None:
    assert [one.path for one in access_mode_problems({"accessModes": modes}, ())] == paths


@pytest.mark.parametrize(
    ("value", "number"), [("1", 0), (1, 0), (UNKNOWN, 0), (None, 0), ("0", 1), (0, 1), ("-5", 1)]
)
def test_quantity_must_be_more_than_zero(value: Any, number: int) -> None:
    assert len(list(positive_quantity(value, ("a",)))) == number


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({}, None),
        ({"name": UNKNOWN, "clientConfig": UNKNOWN, "admissionReviewVersions": UNKNOWN}, None),
        ({"clientConfig": {"service": {"name": "s", "namespace": "n"}}}, None),
        ({"rules": [{**RULE, "resources": ["pods", "*"]}]}, None),
        ({"name": "pods"}, "name"),
        ({"sideEffects": "Some"}, "sideEffects"),
        ({"failurePolicy": "Retry"}, "failurePolicy"),
        ({"timeoutSeconds": 60}, "timeoutSeconds"),
        ({"admissionReviewVersions": ["v2"]}, "admissionReviewVersions"),
        ({"clientConfig": {}}, "clientConfig"),
        ({"clientConfig": {"url": "http://a"}}, "clientConfig.url"),
        ({"rules": [{**RULE, "operations": ["PATCH"]}]}, "rules[0].operations[0]"),
        ({"rules": [{**RULE, "operations": ["*", "CREATE"]}]}, "rules[0].operations"),
        ({"rules": [{**RULE, "apiGroups": []}]}, "rules[0].apiGroups"),
        ({"rules": [{**RULE, "scope": "Global"}]}, "rules[0].scope"),
        (
            {"objectSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "objectSelector.matchExpressions[0].values",
        ),
    ],
)
def test_webhook_is_checked(change: dict[str, Any], path: str | None) -> None:
    paths = found(webhook_problems, {"webhooks": [WEBHOOK | change]})
    assert paths == ([] if path is None else [f"webhooks[0].{path}"])


@pytest.mark.parametrize(
    ("check", "inputs", "paths"),
    [
        (lease_problems, {"spec": {"leaseDurationSeconds": 15, "leaseTransitions": 0}}, []),
        (lease_problems, {"spec": {"leaseDurationSeconds": 0}}, ["spec.leaseDurationSeconds"]),
        (lease_problems, {"spec": {"preferredHolder": "a"}}, ["spec.preferredHolder"]),
        (runtime_class_problems, {"handler": "gvisor"}, []),
        (runtime_class_problems, {"handler": "G Visor"}, ["handler"]),
        (storage_class_problems, {"reclaimPolicy": "Retain", "parameters": {"type": "pd-ssd"}}, []),
        (storage_class_problems, {"volumeBindingMode": "Late"}, ["volumeBindingMode"]),
        (storage_class_problems, {"parameters": {"": "a"}}, ["parameters"]),
        (
            storage_class_problems,
            {"allowedTopologies": [{"matchLabelExpressions": [{"key": "a", "values": []}]}]},
            ["allowedTopologies[0].matchLabelExpressions[0].values"],
        ),
    ],
)
def test_other_objects_are_checked(check: Check, inputs: dict[str, Any], paths: list[str]) -> None:
    assert found(check, inputs) == paths


def test_the_schema_extensions_of_a_definition_keep_their_hyphens(kubernetes: Calls) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Drill", "plural": "drills"}
    inputs = {
        "metadata": {"name": "drills.kingdom.studio"},
        "spec": {"group": "kingdom.studio", "names": names, "scope": "Namespaced", "versions": [version]},
    }
    token = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
    assert not kubernetes.check(urn(token), inputs).failures


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("high", 1_000_000_000, []),
        ("high", 1_000_000_001, ["value"]),
        ("system-high", 1, ["metadata.name"]),
        (UNKNOWN, UNKNOWN, []),
    ],
)
def test_names_and_values_of_the_system_are_not_allowed(name: Any, value: Any, found: list[str]) -> None:
    inputs = {"metadata": {"name": name}, "value": value}
    assert [one.path for one in priority_class_problems(inputs)] == found
