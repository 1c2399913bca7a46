"""The pack's restricted standard is the API server's: the same verdict on a thousand generated objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from policies.rules import RULES
from policies.testing import ResourceFixture, evaluate
from tests.cluster.api import Api, RefusedError
from tests.cluster.conftest import Cluster
from tests.cluster.generator import Generator

OBJECTS = 1000
NAMESPACE = "kingdom-standard"
STANDARD = tuple(rule.name for rule in RULES if any(tag.startswith("PSS") for tag in rule.tags))
FORBIDDEN, INVALID = 403, (400, 422)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace at level restricted, which refuses pods and warns of what would make such pods."""
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
    cluster.api.apply(account)  # a pod is refused for want of it before anything else is looked at
    yield NAMESPACE
    cluster.api.delete(manifest)


def admission(api: Api, manifest: dict[str, Any]) -> str | None:
    """What Pod Security says against an object; empty where nothing, None where the object is invalid."""
    try:
        warnings = api.create(manifest, dry_run=True).warnings
    except RefusedError as error:
        if error.code in INVALID:
            return None
        if error.code != FORBIDDEN or "violates PodSecurity" not in error.message:
            raise
        return error.message
    return "; ".join(text for text in warnings if "PodSecurity" in text)


def pack(manifest: dict[str, Any]) -> list[str]:
    """What the pack's rules of the standard say against it."""
    version = manifest["apiVersion"]
    token = f"kubernetes:{version if '/' in version else f'core/{version}'}:{manifest['kind']}"
    given = ResourceFixture(token, manifest)
    return [f"{name}: {text}" for name in STANDARD for text in evaluate(name, given).findings]


def test_pack_and_admission_agree_on_every_generated_object(cluster: Cluster, namespace: str) -> None:
    generator = Generator(37, namespace)
    judged, kept, invalid = 0, 0, 0
    disagreements = []
    while judged < OBJECTS:
        manifest = generator.object()
        server = admission(cluster.api, manifest)
        if server is None:
            invalid += 1
            assert invalid < 2 * OBJECTS, "most of what is generated is invalid: nothing is compared"
            continue
        judged += 1
        ours = pack(manifest)
        kept += not server
        if bool(server) != bool(ours):
            disagreements.append({"object": manifest, "admission": server, "pack": ours})
    assert OBJECTS / 5 < kept < 4 * OBJECTS / 5, "one verdict is too rare to mean something"
    assert not disagreements, f"{len(disagreements)} of {judged}, the first: {disagreements[0]}"
