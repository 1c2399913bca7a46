"""Refusals of a provider's own code while it creates a resource, after a plan that it accepts.

Read in the creation functions (`resourceCreate`) of terraform-provider-mongodbatlas, August 2026. They take a
zero value as absent (`GetOk` of Terraform's plugin SDK).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api.base import Check, Found, given, missing, required_where, text
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, unwrap

# Properties of an index that hold JSON, and the type of its value.
_INDEX_JSON: Final[Mapping[str, type]] = {"analyzers": list, "fields": list, "mappingsFields": dict}


def refused_creations(token: str, inputs: Mapping[str, Any], provider: str) -> Iterator[Problem]:
    """Yield the reasons for which the `provider` does not create a new resource with known `inputs`."""
    checks = _CHECKS.get(token, ())
    plain = unwrap(dict(inputs)) if checks else {}
    for check in checks:
        for path, reason in check(plain):
            yield problem(path, f"{reason} ({provider} refuses to create this)")


def _endpoint(inputs: Mapping[str, Any]) -> Found:
    if inputs.get("portMappingEnabled") is True and text(inputs.get("providerName")) not in (None, "GCP"):
        yield ("portMappingEnabled",), "may be true only where providerName is GCP"


def _endpoint_service(inputs: Mapping[str, Any]) -> Found:
    address, endpoints = inputs.get("privateEndpointIpAddress"), inputs.get("endpoints")
    if inputs.get("providerName") != "GCP" or UNKNOWN in (address, endpoints):
        return
    if bool(address) == bool(endpoints):
        reason = "and endpoints: exactly one of them must be set where providerName is GCP"
        yield ("privateEndpointIpAddress",), reason


def _search_index(inputs: Mapping[str, Any]) -> Found:
    """Refuse malformed JSON (`unmarshalSearchIndexMappingFields`, `…Fields`, `UnmarshalStoredSource`)."""
    for name, kind in _INDEX_JSON.items():
        value = text(inputs.get(name))
        if value and not isinstance(_parsed(value), kind):
            shape = "a JSON array" if kind is list else "a JSON object"
            yield (name,), f"is not {shape}"
    stored = text(inputs.get("storedSource"))
    if stored and _parsed(stored) is _MALFORMED:
        yield ("storedSource",), "is neither true, false nor JSON"


def _labels(inputs: Mapping[str, Any]) -> Found:
    """Refuse the label that Atlas sets (`newComponentLabel`)."""
    labels = inputs.get("labels")
    if isinstance(labels, Mapping) and "Infrastructure Tool" in labels:
        yield ("labels", "Infrastructure Tool"), "is a label that Atlas sets"


def _legacy_cluster(inputs: Mapping[str, Any]) -> Found:
    provider, scales = text(inputs.get("providerName")), inputs.get("autoScalingComputeEnabled")
    scales_down = inputs.get("autoScalingComputeScaleDownEnabled") is True
    if given(inputs.get("acceptDataRisksAndForceReplicaSetReconfig")):
        yield ("acceptDataRisksAndForceReplicaSetReconfig",), "may be set in an update only"
    if scales_down and scales in (None, False):
        yield ("autoScalingComputeScaleDownEnabled",), "requires autoScalingComputeEnabled to be true"
    if scales is True and missing(inputs.get("providerAutoScalingComputeMaxInstanceSize")):
        reason = "required where autoScalingComputeEnabled is true"
        yield ("providerAutoScalingComputeMaxInstanceSize",), reason
    if scales_down and missing(inputs.get("providerAutoScalingComputeMinInstanceSize")):
        reason = "required where autoScalingComputeScaleDownEnabled is true"
        yield ("providerAutoScalingComputeMinInstanceSize",), reason
    if given(inputs.get("replicationSpecs")) and missing(inputs.get("clusterType")):
        yield ("clusterType",), "required where replicationSpecs is set"
    for name, only in (
        ("providerDiskIops", "AWS"), ("providerVolumeType", "AWS"), ("providerDiskTypeName", "AZURE"),
    ):  # fmt: skip
        if provider not in (None, only) and given(inputs.get(name)):
            yield (name,), f"may be set only where providerName is {only}"
    if provider == "AZURE" and given(inputs.get("diskSizeGb")):
        yield ("diskSizeGb",), "must not be set where providerName is AZURE"


_MALFORMED: Final = object()


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return _MALFORMED


_CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {
    "mongodbatlas:index/advancedCluster:AdvancedCluster": (_labels,),
    "mongodbatlas:index/cluster:Cluster": (_legacy_cluster,),
    "mongodbatlas:index/eventTrigger:EventTrigger": (
        required_where(
            "type",
            {
                "AUTHENTICATION": ("configOperationType", "configProviders"),
                "DATABASE": ("configDatabase", "configOperationTypes", "configServiceId"),
                "SCHEDULED": ("configSchedule",),
            },
        ),
    ),
    "mongodbatlas:index/networkContainer:NetworkContainer": (
        required_where("providerName", {"AWS": ("regionName",), "AZURE": ("region",)}),
    ),
    "mongodbatlas:index/networkPeering:NetworkPeering": (
        required_where(
            "providerName",
            {
                "AWS": ("accepterRegionName", "awsAccountId", "routeTableCidrBlock", "vpcId"),
                "AZURE": ("azureDirectoryId", "azureSubscriptionId", "resourceGroupName", "vnetName"),
                "GCP": ("gcpProjectId", "networkName"),
            },
        ),
    ),
    "mongodbatlas:index/privateLinkEndpoint:PrivateLinkEndpoint": (_endpoint,),
    "mongodbatlas:index/privateLinkEndpointService:PrivateLinkEndpointService": (
        required_where("providerName", {"AZURE": ("privateEndpointIpAddress",), "GCP": ("gcpProjectId",)}),
        _endpoint_service,
    ),
    "mongodbatlas:index/searchIndex:SearchIndex": (_search_index,),
    "mongodbatlas:index/thirdPartyIntegration:ThirdPartyIntegration": (
        required_where(
            "type",
            {
                "DATADOG": ("apiKey", "region"),
                "MICROSOFT_TEAMS": ("microsoftTeamsWebhookUrl",),
                "OPS_GENIE": ("apiKey", "region"),
                "PAGER_DUTY": ("serviceKey",),
                "PROMETHEUS": ("enabled", "password", "serviceDiscovery", "userName"),
                "VICTOR_OPS": ("apiKey",),
                "WEBHOOK": ("url",),
            },
        ),
    ),
}
