"""The Cloudflare zone: its settings, its names, and the authorities that may issue certificates."""

from __future__ import annotations

from typing import Any

from infra.edge import AUTHORITIES, zone_settings
from infra.settings.loader import parse
from rehearsal.pulumi.properties import unwrap
from tests.infra.rehearsal import Declared, configuration


def settings(**changes: Any) -> dict[str, Any]:
    """Settings of prod's zone with changes of `kingdom:edge`."""
    values = configuration("prod")
    values["kingdom:edge"] |= changes
    return zone_settings(parse("prod", values).edge)


def test_hsts_has_the_duration_of_the_setting() -> None:
    transport = settings(hstsSeconds=31_536_000)["security_header"]["strict_transport_security"]
    assert (transport["enabled"], transport["max_age"]) == (True, 31_536_000)
    # `max-age=0` removes the rule from browsers that have it.
    transport = settings(hstsSeconds=0)["security_header"]["strict_transport_security"]
    assert (transport["enabled"], transport["max_age"]) == (False, 0)


def test_images_are_recompressed_where_other_formats_are_offered() -> None:
    chosen = {
        formats: (found["polish"], found["webp"])
        for formats in ((), ("avif",), ("webp",), ("avif", "webp"))
        for found in [settings(imageFormats=list(formats))]
    }
    assert chosen == {
        (): ("off", "off"),
        ("avif",): ("lossless", "off"),
        ("webp",): ("lossless", "on"),
        ("avif", "webp"): ("lossless", "on"),
    }


def test_webp_waits_for_polish(declared: Declared) -> None:
    assert "ZoneSetting edge-polish" in declared.waits_for("ZoneSetting", "edge-webp")


def test_tls_is_verified_up_to_the_origin_and_offered_from_version_1_2(declared: Declared) -> None:
    assert declared.one("ZoneSetting", "edge-ssl")["value"] == "strict"
    assert declared.one("ZoneSetting", "edge-min-tls-version")["value"] == "1.2"
    assert declared.one("AuthenticatedOriginPullsSettings")["enabled"] is True


def test_the_host_name_leads_to_the_origin_through_the_edge(declared: Declared) -> None:
    record = declared.one("DnsRecord", "edge")
    assert record["name"] == configuration(declared.stack)["kingdom:edge"]["hostname"]
    assert record["content"] == unwrap(declared.state("GlobalAddress", "origin").outputs["address"])
    assert record["proxied"] is True


def test_exactly_three_authorities_may_issue_certificates(declared: Declared) -> None:
    issuers = [record["data"] for record in declared.of("DnsRecord").values() if record["type"] == "CAA"]
    assert sorted(each["value"] for each in issuers) == sorted(AUTHORITIES)
    assert {(each["tag"], each["flags"]) for each in issuers} == {("issue", 0)}
    # The origin's certificate is issued by Google.
    assert "pki.goog" in AUTHORITIES


def test_the_state_of_dnssec_at_the_registrar_is_not_drift(declared: Declared) -> None:
    assert declared.one("ZoneDnssec")["status"] == "active"
    assert declared.state("ZoneDnssec").ignore_changes == ("status",)
