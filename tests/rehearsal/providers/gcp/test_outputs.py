"""Values that Google Cloud assigns to resources."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from rehearsal.providers.gcp.outputs import CURATED, number_of
from rehearsal.providers.outputs import Place

PLACE = Place("kingdom-test", "europe-west1")


def outputs(token: str, id_: str = "an-id", **inputs: Any) -> dict[str, Any]:
    return CURATED[token](id_, inputs, PLACE)


@pytest.mark.parametrize("token", CURATED)
def test_outputs_follow_from_id_and_inputs(token: str) -> None:
    assert outputs(token) == outputs(token)


def test_number_of_a_project_has_twelve_digits() -> None:
    assert len(number_of("a")) == 12
    assert number_of("a").isdecimal()
    assert number_of("a") != number_of("b")


def test_external_addresses_are_not_routed_and_internal_ones_are_private() -> None:
    token = "gcp:compute/address:Address"
    external, internal = outputs(token), outputs(token, addressType="INTERNAL")
    assert ipaddress.ip_address(external["address"]) in ipaddress.ip_network("198.18.0.0/15")
    assert ipaddress.ip_address(internal["address"]) in ipaddress.ip_network("10.192.0.0/10")
    assert outputs(token, address="192.0.2.1")["address"] == "192.0.2.1"


def test_peering_range_starts_at_the_address_of_its_prefix() -> None:
    found = outputs(
        "gcp:compute/globalAddress:GlobalAddress",
        addressType="INTERNAL",
        purpose="VPC_PEERING",
        prefixLength=20,
    )
    assert found["prefixLength"] == 20
    assert ipaddress.ip_network(f"{found['address']}/20")


@pytest.mark.parametrize(
    ("block", "gateway"),
    [("10.0.0.0/20", "10.0.0.1"), ("fd00::/64", "fd00::1"), ("10.0.0.0/32", None), ("x", None)],
)
def test_gateway_is_the_first_address_of_the_subnetwork(block: str, gateway: str | None) -> None:
    found = outputs("gcp:compute/subnetwork:Subnetwork", ipCidrRange=block)
    assert found.get("gatewayAddress") == gateway


@pytest.mark.parametrize(
    ("mode", "port", "certificates"), [("SERVER_AUTHENTICATION", 6378, 1), ("DISABLED", 6379, 0)]
)
def test_port_and_certificates_of_redis_depend_on_tls(mode: str, port: int, certificates: int) -> None:
    found = outputs("gcp:redis/instance:Instance", transitEncryptionMode=mode)
    assert (found["port"], len(found["serverCaCerts"])) == (port, certificates)
    assert (found["readEndpoint"], found["readEndpointPort"]) == ("", 0)
    readable = outputs(
        "gcp:redis/instance:Instance", transitEncryptionMode=mode, readReplicasMode="READ_REPLICAS_ENABLED"
    )
    assert readable["readEndpointPort"] == port
    assert readable["readEndpoint"] != readable["host"]


def test_auth_string_and_replicas_of_redis_are_those_of_its_settings() -> None:
    token = "gcp:redis/instance:Instance"
    assert outputs(token)["authString"] == ""
    assert outputs(token, authEnabled=True)["authString"]
    assert outputs(token)["replicaCount"] == 0
    assert outputs(token, tier="STANDARD_HA")["replicaCount"] == 1
    assert outputs(token, tier="STANDARD_HA", replicaCount=3)["replicaCount"] == 3


def test_cluster_keeps_the_settings_of_its_endpoints() -> None:
    found = outputs(
        "gcp:container/cluster:Cluster",
        controlPlaneEndpointsConfig={
            "ipEndpointsConfig": {"enabled": False},
            "dnsEndpointConfig": {"allowExternalTraffic": True},
        },
    )
    endpoints = found["controlPlaneEndpointsConfig"]
    assert endpoints["ipEndpointsConfig"] == {"enabled": False}
    assert endpoints["dnsEndpointConfig"]["allowExternalTraffic"] is True
    assert endpoints["dnsEndpointConfig"]["endpoint"].endswith(".europe-west1.gke.goog")
    assert found["nodeLocations"] == ["europe-west1-b", "europe-west1-c", "europe-west1-d"]
    assert outputs("gcp:container/cluster:Cluster", nodeLocations=["z"])["nodeLocations"] == ["z"]


def test_instance_groups_of_a_node_pool_are_one_in_each_zone() -> None:
    found = outputs("gcp:container/nodePool:NodePool", initialNodeCount=2)
    assert len(set(found["instanceGroupUrls"])) == 3
    assert "/instanceGroups/" in found["managedInstanceGroupUrls"][0]
    assert found["nodeCount"] == 2


def test_secret_version_is_named_by_the_project_number() -> None:
    id_ = "projects/other/secrets/token/versions/7"
    found = outputs("gcp:secretmanager/secretVersion:SecretVersion", id_)
    assert found["name"] == f"projects/{number_of('other')}/secrets/token/versions/7"
    assert found["version"] == "7"


def test_certificate_is_active_with_its_domains_if_it_is_managed() -> None:
    token = "gcp:certificatemanager/certificate:Certificate"
    managed = outputs(token, managed={"domains": ["a.example.com"]})
    assert managed["sanDnsnames"] == ["a.example.com"]
    assert managed["managed"]["state"] == "ACTIVE"
    assert "managed" not in outputs(token, selfManaged={})


def test_only_the_project_of_a_name_is_numbered() -> None:
    id_ = "projects/kingdom-test/locations/global/workloadIdentityPools/kingdom-test"
    found = outputs("gcp:iam/workloadIdentityPool:WorkloadIdentityPool", id_)
    assert found["name"] == id_.replace("projects/kingdom-test", f"projects/{number_of(PLACE.project)}")
