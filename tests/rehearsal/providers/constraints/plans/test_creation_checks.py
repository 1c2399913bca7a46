"""Refusals of the provider's creation code, as its functions decide them."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.plans.creation_checks import refused_creations
from rehearsal.pulumi.properties import UNKNOWN, Secret
from tests.rehearsal.providers.calls import Calls, urn

ADVANCED = "mongodbatlas:index/advancedCluster:AdvancedCluster"
CLUSTER = "mongodbatlas:index/cluster:Cluster"
TRIGGER = "mongodbatlas:index/eventTrigger:EventTrigger"
CONTAINER = "mongodbatlas:index/networkContainer:NetworkContainer"
PEERING = "mongodbatlas:index/networkPeering:NetworkPeering"
ENDPOINT = "mongodbatlas:index/privateLinkEndpoint:PrivateLinkEndpoint"
SERVICE = "mongodbatlas:index/privateLinkEndpointService:PrivateLinkEndpointService"
INDEX = "mongodbatlas:index/searchIndex:SearchIndex"
INTEGRATION = "mongodbatlas:index/thirdPartyIntegration:ThirdPartyIntegration"
GCP = {"providerName": "GCP", "gcpProjectId": "p"}
FORCED = "acceptDataRisksAndForceReplicaSetReconfig"
PROMETHEUS = {"type": "PROMETHEUS", "userName": "u", "password": "p", "serviceDiscovery": "http"}
SCALING = "autoScalingComputeEnabled"


def refused(token: str, inputs: dict[str, Any]) -> set[str]:
    return {found.path for found in refused_creations(token, inputs, "provider")}


@pytest.mark.parametrize(
    ("token", "inputs", "paths"),
    [
        (PEERING, {"providerName": "GCP"}, {"gcpProjectId", "networkName"}),
        (PEERING, {"providerName": "GCP", "gcpProjectId": "", "networkName": "n"}, {"gcpProjectId"}),
        (CONTAINER, {"providerName": "AWS"}, {"regionName"}),
        (CONTAINER, {"providerName": "AZURE", "regionName": "r"}, {"region"}),
        (TRIGGER, {"type": "SCHEDULED"}, {"configSchedule"}),
        (
            TRIGGER,
            {"type": "DATABASE", "configOperationTypes": []},
            {"configDatabase", "configOperationTypes", "configServiceId"},
        ),
        (ENDPOINT, {"providerName": "AWS", "portMappingEnabled": True}, {"portMappingEnabled"}),
        (SERVICE, {"providerName": "AZURE"}, {"privateEndpointIpAddress"}),
        (SERVICE, GCP, {"privateEndpointIpAddress"}),
        (
            SERVICE,
            {**GCP, "privateEndpointIpAddress": "10.0.0.1", "endpoints": [{"ipAddress": "10.0.0.1"}]},
            {"privateEndpointIpAddress"},
        ),
        (SERVICE, {"providerName": "GCP", "endpoints": [{"ipAddress": "10.0.0.1"}]}, {"gcpProjectId"}),
        (INDEX, {"mappingsFields": "{a}"}, {"mappingsFields"}),
        (INDEX, {"mappingsFields": "[]", "fields": "{}"}, {"mappingsFields", "fields"}),
        (INDEX, {"analyzers": "{}"}, {"analyzers"}),
        (INDEX, {"storedSource": "yes"}, {"storedSource"}),
        (INTEGRATION, {"type": "DATADOG", "apiKey": "k"}, {"region"}),
        (
            INTEGRATION,
            {**PROMETHEUS, "enabled": False},
            {"enabled"},
        ),
        (ADVANCED, {"labels": {"Infrastructure Tool": "x"}}, {"labels.Infrastructure Tool"}),
        (CLUSTER, {SCALING: True}, {"providerAutoScalingComputeMaxInstanceSize"}),
        (
            CLUSTER,
            {"autoScalingComputeScaleDownEnabled": True, "providerAutoScalingComputeMinInstanceSize": "M10"},
            {"autoScalingComputeScaleDownEnabled"},
        ),
        (CLUSTER, {"replicationSpecs": [{"numShards": 1}]}, {"clusterType"}),
        (CLUSTER, {"providerName": "GCP", "providerDiskIops": 100}, {"providerDiskIops"}),
        (CLUSTER, {"providerName": "AZURE", "diskSizeGb": 10}, {"diskSizeGb"}),
        (CLUSTER, {FORCED: "2026-01-01T00:00:00Z"}, {FORCED}),
    ],
)  # fmt: skip
def test_resource_that_the_provider_does_not_create(
    token: str, inputs: dict[str, Any], paths: set[str]
) -> None:
    assert refused(token, inputs) == paths


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (PEERING, {"providerName": "GCP", "gcpProjectId": UNKNOWN, "networkName": Secret("n")}),
        (PEERING, {"providerName": UNKNOWN}),
        (ADVANCED, {"labels": {"team": "x"}}),
        (CONTAINER, {"providerName": "GCP"}),
        (TRIGGER, {"type": "SCHEDULED", "configSchedule": "0 8 * * *"}),
        (ENDPOINT, {"providerName": "GCP", "portMappingEnabled": True}),
        (ENDPOINT, {"providerName": UNKNOWN, "portMappingEnabled": True}),
        (SERVICE, {**GCP, "privateEndpointIpAddress": "10.0.0.1"}),
        (SERVICE, {**GCP, "endpoints": UNKNOWN}),
        (SERVICE, {"providerName": "AWS"}),
        (INDEX, {"mappingsFields": '{"a": {}}', "analyzers": "[]", "fields": "", "storedSource": "true"}),
        (INDEX, {"storedSource": '{"include": ["a"]}', "mappingsFields": UNKNOWN}),
        (INTEGRATION, {"type": "DATADOG", "apiKey": Secret("k"), "region": "EU"}),
        (CLUSTER, {SCALING: True, "providerAutoScalingComputeMaxInstanceSize": "M30"}),
        (CLUSTER, {"providerName": "AWS", "providerDiskIops": 100, "diskSizeGb": 10}),
    ],
)
def test_resource_that_the_provider_creates(token: str, inputs: dict[str, Any]) -> None:
    assert refused(token, inputs) == set()


def test_creation_is_checked_for_a_new_resource_only() -> None:
    cloud, valid = Calls.of("mongodbatlas"), {"projectId": "a" * 24, "type": "WEBHOOK"}
    found = cloud.check(urn(INTEGRATION), valid).failures
    assert found == {
        "url": "required where type is WEBHOOK (terraform-provider-mongodbatlas refuses to create this)"
    }
    assert not cloud.check(urn(INTEGRATION), valid, valid).failures


def test_every_kind_of_integration_is_known() -> None:
    accepted = {**PROMETHEUS, "projectId": "a" * 24, "enabled": True}
    assert not Calls.of("mongodbatlas").check(urn(INTEGRATION), accepted).failures
