"""The network of production: no default ingress, logged NAT, private access to Google APIs."""

from __future__ import annotations

from ipaddress import ip_network

from tests.infra.rehearsal import Declared, configuration


def test_ingress_is_denied_by_default_and_logged(prod: Declared) -> None:
    rule = prod.one("Firewall", "network-deny")
    assert (rule["direction"], rule["sourceRanges"], rule["denies"]) == (
        "INGRESS", ["0.0.0.0/0"], [{"protocol": "all"}],
    )  # fmt: skip
    others = {name: item["priority"] for name, item in prod.of("Firewall").items() if name != "network-deny"}
    assert all(priority < rule["priority"] for priority in others.values()), others
    assert rule["logConfig"]["metadata"] == "INCLUDE_ALL_METADATA"


def test_ranges_of_nodes_pods_and_services_do_not_overlap(prod: Declared) -> None:
    subnetwork = prod.one("Subnetwork", "network-nodes")
    ranges = [subnetwork["ipCidrRange"], *(item["ipCidrRange"] for item in subnetwork["secondaryIpRanges"])]
    networks = [ip_network(item) for item in ranges]
    assert not [(a, b) for a in networks for b in networks if a is not b and a.overlaps(b)]


def test_egress_uses_reserved_addresses(prod: Declared) -> None:
    nat = prod.one("RouterNat")
    assert nat["natIpAllocateOption"] == "MANUAL_ONLY"
    reserved = [name for name in prod.of("compute/address:Address") if name.startswith("network-nat-")]
    assert len(nat["natIps"]) == len(reserved) == configuration("prod")["kingdom:network"]["natAddresses"]


def test_google_apis_resolve_to_private_addresses(prod: Declared) -> None:
    assert prod.one("Subnetwork", "network-nodes")["privateIpGoogleAccess"]
    records = [
        item for name, item in prod.of("dns/recordSet:RecordSet").items() if name.startswith("network-")
    ]
    addresses = {data for item in records if item["type"] == "A" for data in item["rrdatas"]}
    private = ip_network("199.36.153.8/30")
    assert addresses == {str(address) for address in private}
