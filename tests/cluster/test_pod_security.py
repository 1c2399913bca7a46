"""The pack's Pod Security rules and the API server's admission agree on a thousand generated objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from policies.rules import RULES
from policies.testing import ResourceFixture, evaluate
from tests.cluster.api import Api, ApiError
from tests.cluster.conftest import Cluster
from tests.cluster.generator import Generator

OBJECTS = 1000
NAMESPACE = "kingdom-standard"
STANDARD = tuple(rule.name for rule in RULES if any(tag.startswith("PSS") for tag in rule.tags))
FORBIDDEN, INVALID = 403, (400, 422)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """Create a namespace that enforces the level restricted for pods and warns for controllers."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    metadata = {"name": NAMESPACE, "labels": levels}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    if cluster.api.exists(manifest) and not cluster.own:
        pytest.skip(f"the cluster that KUBECONFIG names has the namespace {NAMESPACE} already: left alone")
    cluster.api.apply(manifest)
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": NAMESPACE},
    }
    cluster.api.apply(account)  # pods are rejected without it before Pod Security is evaluated
    yield NAMESPACE
    cluster.api.delete(manifest)


def admission(api: Api, manifest: dict[str, Any]) -> str | None:
    """Return the Pod Security violations of an object; "" if none, None if the object is invalid."""
    try:
        warnings = api.create(manifest, dry_run=True).warnings
    except ApiError as error:
        if error.code in INVALID:
            return None
        if error.code != FORBIDDEN or "violates PodSecurity" not in error.message:
            raise
        return error.message
    return "; ".join(text for text in warnings if "PodSecurity" in text)


def pack(manifest: dict[str, Any]) -> list[str]:
    """Return the findings of the pack's Pod Security rules."""
    version = manifest["apiVersion"]
    token = f"kubernetes:{version if '/' in version else f'core/{version}'}:{manifest['kind']}"
    given = ResourceFixture(token, manifest)
    return [f"{name}: {text}" for name in STANDARD for text in evaluate(name, given).findings]


def test_pack_and_admission_agree_on_every_generated_object(cluster: Cluster, namespace: str) -> None:
    generator = Generator(37, namespace)
    evaluated, compliant, invalid = 0, 0, 0
    disagreements = []
    while evaluated < OBJECTS:
        manifest = generator.object()
        server = admission(cluster.api, manifest)
        if server is None:
            invalid += 1
            assert invalid < 2 * OBJECTS, "most generated objects are invalid"
            continue
        evaluated += 1
        ours = pack(manifest)
        compliant += not server
        if bool(server) != bool(ours):
            disagreements.append({"object": manifest, "admission": server, "pack": ours})
    assert OBJECTS / 5 < compliant < 4 * OBJECTS / 5, (
        "compliant or violating objects are too rare for a comparison"
    )
    assert not disagreements, f"{len(disagreements)} of {evaluated}, the first: {disagreements[0]}"
