"""Images, probes, requests and tokens of pods: exact forms, kinds and settings."""

from __future__ import annotations

from typing import Any

import pytest

from policies.rules.workloads import is_pinned
from policies.testing import ResourceFixture, evaluate

HEX = "0123456789abcdef" * 4


def workload(kind: str, container: dict[str, Any], **spec: Any) -> ResourceFixture:
    """A workload of one container. `kind` is of `apps/v1` or `batch/v1`."""
    group = "batch/v1" if kind == "Job" else "apps/v1"
    props: dict[str, Any] = {
        "apiVersion": group,
        "kind": kind,
        "metadata": {"name": "shop"},
        "spec": {"template": {"spec": {"containers": [{"name": "c", **container}], **spec}}},
    }
    return ResourceFixture(f"kubernetes:{group}:{kind}", props)


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        (f"registry/service@sha256:{HEX}", True),
        (f"registry/service:1.2@sha256:{HEX}", True),
        (f"registry/service@sha512:{HEX}{HEX}", True),
        ("registry/service:1.2", False),
        ("registry/service", False),
        (f"registry/service@sha256:{HEX[:-1]}", False),
        (f"registry/service@sha256:{HEX.upper()}", False),
        (f"registry/service@md5:{HEX}", False),
        (f"@sha256:{HEX}", False),
    ],
)
def test_an_image_is_pinned_by_a_valid_digest_only(image: str, pinned: bool) -> None:
    assert is_pinned(image) is pinned
    assert evaluate("image-digest", workload("Deployment", {"image": image})).clean is pinned


@pytest.mark.parametrize(
    ("image", "clean"),
    [
        ("europe-west1-docker.pkg.dev/kingdom-prod/kingdom/service", True),
        ("gke.gcr.io/pause", True),
        ("europe-west1-docker.pkg.dev/kingdom-production/kingdom/service", False),
        ("docker.io/library/python", False),
    ],
)
def test_registry_of_a_project_with_the_same_prefix_is_not_allowed(image: str, clean: bool) -> None:
    assert evaluate("image-registry", workload("Deployment", {"image": image})).clean is clean


@pytest.mark.parametrize(
    ("kind", "findings"), [("Deployment", 2), ("StatefulSet", 2), ("DaemonSet", 2), ("Job", 0)]
)
def test_only_servers_need_probes(kind: str, findings: int) -> None:
    assert len(evaluate("probes", workload(kind, {})).findings) == findings


def test_each_missing_probe_is_a_finding_of_its_own() -> None:
    result = evaluate("probes", workload("Deployment", {"readinessProbe": {"httpGet": {"path": "/"}}}))
    assert len(result.findings) == 1
    assert result.found("livenessProbe")


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, ["requests.cpu", "requests.memory", "limits.memory"]),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, []),  # a limit is also the request
        ({"requests": {"cpu": "1", "memory": "1Gi"}}, ["limits.memory"]),
        ({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1024Mi"}}, []),
        ({"requests": {"cpu": "1", "memory": "1025Mi"}, "limits": {"memory": "1Gi"}}, ["limits.memory"]),
        ({"requests": {"cpu": "1001m"}, "limits": {"cpu": "1", "memory": "1Gi"}}, ["limits.cpu"]),
    ],
)
def test_requests_and_limits_are_complete_and_ordered(resources: dict[str, Any], expected: list[str]) -> None:
    result = evaluate("requests-and-limits", workload("Deployment", {"resources": resources}))
    assert len(result.findings) == len(expected), result.findings
    assert all(result.found(path) for path in expected)


def test_resources_of_the_pod_replace_those_of_containers() -> None:
    shared = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    assert evaluate("requests-and-limits", workload("Deployment", {}, resources=shared)).clean


def test_a_token_is_mounted_only_where_it_is_configured() -> None:
    given = workload("Deployment", {})
    assert evaluate("service-account-token", given).found("automountServiceAccountToken")
    assert evaluate("service-account-token", given, settings={"needed": ["shop"]}).clean
    assert evaluate(
        "service-account-token", workload("Deployment", {}, automountServiceAccountToken=False)
    ).clean


def test_a_windows_pod_needs_no_read_only_root() -> None:
    assert evaluate("read-only-root", workload("Deployment", {})).found("readOnlyRootFilesystem")
    assert evaluate("read-only-root", workload("Deployment", {}, os={"name": "windows"})).findings == []


def test_missing_labels_are_found_by_name() -> None:
    given = ResourceFixture(
        "kubernetes:core/v1:ConfigMap",
        {"kind": "ConfigMap", "metadata": {"name": "a", "labels": {"team": "x"}}},
    )
    settings = {"labels": {"team": "y", "cost": "z"}}
    result = evaluate("labels", given, settings=settings)
    assert len(result.findings) == 1
    assert result.found("has no label cost")
