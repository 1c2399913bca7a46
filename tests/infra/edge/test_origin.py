"""The origin: its certificate, its TLS policy, and the Cloud Armor policy that admits Cloudflare only."""

from __future__ import annotations

import ipaddress

import pytest

from app.auth.roles import MAX_UPLOAD_BYTES
from infra.edge.address_ranges import CLOUDFLARE
from infra.edge.origin import without_dot
from rehearsal.pulumi.properties import unwrap
from tests.infra.rehearsal import Declared, configuration


def test_the_origin_denies_clients_that_bypass_the_edge(declared: Declared) -> None:
    policy = declared.one("SecurityPolicy")
    first, oversized, *allowed, last = sorted(policy["rules"], key=lambda rule: rule["priority"])
    assert first["action"] == "deny(403)"
    assert first["match"]["expr"]["expression"] == "evaluatePreconfiguredWaf('cve-canary')"
    assert not first.get("preview")
    assert oversized["action"] == "deny(403)"
    assert last["action"] == "deny(403)"
    assert last["match"]["config"]["srcIpRanges"] == ["*"]
    for rule in allowed:
        assert rule["action"] == "throttle"
        assert rule["rateLimitOptions"]["enforceOnKeyName"] == "CF-Connecting-IP"
        ranges = rule["match"]["config"]["srcIpRanges"]
        assert len(ranges) <= 10  # the maximum of one rule of Cloud Armor
        assert all(ipaddress.ip_network(item).num_addresses > 1 for item in ranges)
    assert declared.one("GCPBackendPolicy")["spec"]["default"]["securityPolicy"] == policy["name"]


def test_a_body_larger_than_any_upload_is_denied(declared: Declared) -> None:
    rules = {rule["priority"]: rule for rule in declared.one("SecurityPolicy")["rules"]}
    limit = int(rules[600]["match"]["expr"]["expression"].rpartition("> ")[2])
    assert MAX_UPLOAD_BYTES < limit < MAX_UPLOAD_BYTES * 1.1


def test_every_range_of_cloudflare_is_admitted_by_one_rule(declared: Declared) -> None:
    admitted = [
        cidr
        for rule in declared.one("SecurityPolicy")["rules"]
        if rule["action"] == "throttle"
        for cidr in rule["match"]["config"]["srcIpRanges"]
    ]
    assert sorted(admitted) == sorted(CLOUDFLARE)


def test_priorities_are_unique_and_denials_precede_admission(declared: Declared) -> None:
    rules = declared.one("SecurityPolicy")["rules"]
    assert len({rule["priority"] for rule in rules}) == len(rules)
    admitted = [rule["priority"] for rule in rules if rule["action"] == "throttle"]
    denied = [rule["priority"] for rule in rules if "expr" in rule["match"]]
    assert max(denied) < min(admitted)


def test_one_client_gets_fewer_requests_than_all_and_more_than_the_service_allows(declared: Declared) -> None:
    limits = {
        rule["rateLimitOptions"]["rateLimitThreshold"]["count"]
        for rule in declared.one("SecurityPolicy")["rules"]
        if rule["action"] == "throttle"
    }
    assert limits == {6_000}
    (options,) = [
        rule["rateLimitOptions"]
        for rule in declared.one("SecurityPolicy")["rules"]
        if rule["priority"] == 1000
    ]
    assert options["exceedAction"] == "deny(429)"
    assert options["rateLimitThreshold"]["intervalSec"] == 60


def test_the_certificate_is_for_the_host_name_and_proven_over_dns(declared: Declared) -> None:
    hostname = configuration(declared.stack)["kingdom:edge"]["hostname"]
    managed = declared.one("certificatemanager/certificate:Certificate")["managed"]
    assert managed["domains"] == [hostname]
    assert declared.one("DnsAuthorization")["domain"] == hostname
    assert managed["dnsAuthorizations"] == [declared.state("DnsAuthorization").id]
    entry = declared.one("CertificateMapEntry")
    assert entry["hostname"] == hostname
    assert entry["certificates"] == [declared.state("certificatemanager/certificate:Certificate").id]


def test_the_record_of_the_proof_is_in_the_zone(declared: Declared) -> None:
    record = declared.one("DnsRecord", "edge-certificate")
    (challenge,) = unwrap(declared.state("DnsAuthorization").outputs)["dnsResourceRecords"]
    assert record["type"] == challenge["type"]
    assert record["name"] == challenge["name"].removesuffix(".")
    assert record["content"] == challenge["data"].removesuffix(".")


@pytest.mark.parametrize(
    ("name", "expected"), [("a.example.com.", "a.example.com"), ("a.example.com", "a.example.com"), ("", "")]
)
def test_a_host_name_loses_its_trailing_dot_only(name: str, expected: str) -> None:
    assert without_dot(name) == expected
