"""Connections to the database: a private endpoint, or an access list of the own egress addresses."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.pulumi.properties import unwrap
from tests.infra.rehearsal import Declared


def opened(declared: Declared) -> dict[str, Any]:
    """The one rule of the network policy to the database."""
    (rule,) = declared.one("NetworkPolicy", "isolation-to-database")["spec"]["egress"]
    return dict(rule)


def test_production_reaches_the_database_over_a_private_endpoint_only(prod: Declared) -> None:
    assert prod.of("PrivateLinkEndpointService")
    assert not any(item.type.endswith(":ProjectIpAccessList") for item in prod.resources)


def test_the_endpoint_is_an_internal_address_of_the_node_network(prod: Declared) -> None:
    address, rule = prod.one("Address", "database-access"), prod.one("ForwardingRule")
    assert address["addressType"] == "INTERNAL"
    assert address["subnetwork"] == prod.state("Subnetwork", "network-nodes").id
    assert rule["ipAddress"] == prod.state("Address", "database-access").id
    assert rule["loadBalancingScheme"] == ""
    service = prod.one("PrivateLinkEndpointService")
    assert service["privateEndpointIpAddress"] == unwrap(
        prod.state("Address", "database-access").outputs["address"]
    )


def test_pods_of_production_reach_every_member_at_the_endpoint_and_no_other_address(prod: Declared) -> None:
    rule, address = opened(prod), unwrap(prod.state("Address", "database-access").outputs["address"])
    assert rule["to"] == [{"ipBlock": {"cidr": f"{address}/32"}}]
    # Atlas maps the members of a cluster to ports from 1024 upwards.
    assert rule["ports"] == [{"port": 1024, "endPort": 65_535, "protocol": "TCP"}]


def test_the_cluster_waits_for_the_endpoint(prod: Declared) -> None:
    assert "PrivateLinkEndpointService database-access" in prod.waits_for("AdvancedCluster")


@pytest.mark.parametrize("stack", ["local", "dev"])
def test_without_an_endpoint_exactly_the_own_egress_addresses_are_admitted(stack: str, stack_of: Any) -> None:
    declared: Declared = stack_of(stack)
    assert not any("PrivateLink" in item.type for item in declared.resources)
    admitted = sorted(entry["ipAddress"] for entry in declared.of("ProjectIpAccessList").values())
    addresses = sorted(
        unwrap(declared.state("Address", name).outputs["address"])
        for name in declared.of("compute/address:Address")
        if name.startswith("network-nat-")
    )
    assert admitted == addresses
    assert not any("cidrBlock" in entry for entry in declared.of("ProjectIpAccessList").values())


@pytest.mark.parametrize("stack", ["local", "dev"])
def test_without_an_endpoint_pods_reach_public_addresses_on_the_ports_of_mongodb(
    stack: str, stack_of: Any
) -> None:
    rule = opened(stack_of(stack))
    (peer,) = rule["to"]
    assert peer["ipBlock"]["cidr"] == "0.0.0.0/0"
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} <= set(peer["ipBlock"]["except"])
    assert rule["ports"] == [{"port": 27_015, "endPort": 27_017, "protocol": "TCP"}]
