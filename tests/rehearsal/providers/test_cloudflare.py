"""Cloudflare: ids, types with one resource per zone, and functions."""

from __future__ import annotations

import ipaddress

import pytest

from tests.rehearsal.providers.calls import Calls, urn

ZONE = "0123456789abcdef" * 2
RECORD = urn("cloudflare:index/dnsRecord:DnsRecord")
RECORD_INPUTS = {"zoneId": ZONE, "name": "api.example.com", "type": "A", "content": "192.0.2.1", "ttl": 1}


@pytest.mark.parametrize("id_", ["zone", ZONE[:-1], ZONE + "0", ZONE.upper()])
def test_malformed_zone_id_is_a_problem(cloudflare: Calls, id_: str) -> None:
    failures = cloudflare.check(RECORD, RECORD_INPUTS | {"zoneId": id_}).failures
    assert "32 hexadecimal digits" in failures["zoneId"]


def test_record_is_created_with_its_zone(cloudflare: Calls) -> None:
    created = cloudflare.make(RECORD, RECORD_INPUTS)
    assert len(created.id) == 32
    assert created.outputs["proxiable"] is True
    text = cloudflare.make(RECORD, RECORD_INPUTS | {"type": "TXT", "content": '"x"'})
    assert text.outputs["proxiable"] is False


def test_setting_of_a_zone_has_its_name_as_id(cloudflare: Calls) -> None:
    setting = urn("cloudflare:index/zoneSetting:ZoneSetting")
    created = cloudflare.create(setting, {"zoneId": ZONE, "settingId": "webp", "value": "on"})
    assert created.id == "webp"


@pytest.mark.parametrize("kind", ["tieredCache:TieredCache", "zoneDnssec:ZoneDnssec"])
def test_resource_that_exists_once_in_a_zone_has_its_id(cloudflare: Calls, kind: str) -> None:
    assert cloudflare.create(urn(f"cloudflare:index/{kind}"), {"zoneId": ZONE}).id == ZONE


def test_another_zone_replaces(cloudflare: Calls) -> None:
    found = cloudflare.diff(RECORD, RECORD_INPUTS, RECORD_INPUTS | {"zoneId": ZONE[::-1]})
    assert list(found.replaces) == ["zoneId"]


def test_address_ranges_are_networks(cloudflare: Calls) -> None:
    found = cloudflare.invoke("cloudflare:index/getIpRanges:getIpRanges", {})
    assert all(ipaddress.IPv4Network(block) for block in found["ipv4Cidrs"])
    assert all(ipaddress.IPv6Network(block) for block in found["ipv6Cidrs"])


def test_zone_is_found_by_its_name(cloudflare: Calls) -> None:
    token = "cloudflare:index/getZone:getZone"
    found = cloudflare.invoke(token, {"filter": {"name": "example.com"}})
    assert found["name"] == "example.com"
    assert len(found["zoneId"]) == 32
    assert cloudflare.invoke(token, {"zoneId": ZONE})["id"] == ZONE
