"""Deprecated properties are reported beside the check, which accepts them."""

from __future__ import annotations

from typing import Any

from pulumi.runtime.proto import provider_pb2

from rehearsal.pulumi.properties import encode
from tests.rehearsal.providers.calls import Calls, urn

CLUSTER = "gcp:container/cluster:Cluster"


def deprecations(cloud: Calls, token: str, inputs: dict[str, Any]) -> dict[str, str]:
    request = provider_pb2.CheckRequest(urn=urn(token), news=encode(inputs))
    return {found.path: found.reason for found in cloud.stub.Warnings(request)}


def test_a_deprecated_property_is_named_at_any_depth(gcp: Calls) -> None:
    inputs = {
        "initialNodeCount": 1,
        "name": "kingdom",
        "location": "europe-west1",
        "binaryAuthorization": {"enabled": True},
    }
    assert not gcp.check(urn(CLUSTER), inputs).failures
    assert deprecations(gcp, CLUSTER, inputs) == {
        "binaryAuthorization.enabled": (
            "deprecated by terraform-provider-google-beta; a later version may remove it"
        )
    }


def test_nothing_is_reported_for_current_properties_and_unknown_types(gcp: Calls) -> None:
    assert not deprecations(gcp, CLUSTER, {"name": "kingdom", "releaseChannel": {"channel": "REGULAR"}})
    assert not deprecations(gcp, "gcp:compute/nothing:Nothing", {"name": "x"})
