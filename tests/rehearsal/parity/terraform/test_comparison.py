"""The comparison with Terraform providers, tested with a small provider that speaks their protocol."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from rehearsal.providers.constraints.names import mapped_type
from rehearsal.pulumi.properties import UNKNOWN, Secret
from tests.infra.rehearsal import ROOT
from tests.rehearsal.parity.terraform import loopback_api, plugin
from tests.rehearsal.parity.terraform.cli import configuration
from tests.rehearsal.parity.terraform.comparison import Comparison, settled
from tests.rehearsal.parity.terraform.probes import probes
from tests.rehearsal.parity.terraform.random_values import draws
from tests.rehearsal.parity.terraform.values import Block, Dynamic, Field, UnmappedError, decode, encode
from tests.rehearsal.providers.calls import urn

DNSSEC = "cloudflare:index/zoneDnssec:ZoneDnssec"
ZONE, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    """The rehearsal's Cloudflare beside the small provider, found in a folder and started from it."""
    folder = tmp_path_factory.mktemp("providers")
    script = folder / "terraform-provider-cloudflare_v5.0.0"
    lines = [
        f"#!{sys.executable}",
        "import sys",
        f"sys.path.insert(0, {str(ROOT)!r})",
        "from tests.rehearsal.parity.terraform.fake_provider import main",
        "main()",
    ]
    script.write_text("\n".join(lines) + "\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVIDERS", str(folder))
        found = plugin.find("cloudflare")
    assert found is not None
    assert found == script
    with plugin.running(found) as provider:
        yield Comparison("cloudflare", provider)


def test_agreement_is_not_a_difference(comparison: Comparison) -> None:
    assert comparison.covers(DNSSEC)
    assert not comparison.configuration_errors
    assert comparison.validation(DNSSEC, "as declared", {"zoneId": ZONE, "status": "active"}) is None
    assert comparison.validation(DNSSEC, "unknown", {"zoneId": UNKNOWN, "status": Secret("active")}) is None
    assert comparison.validation(DNSSEC, "status", {"zoneId": ZONE, "status": "on"}) is None


def test_refusal_by_the_rehearsal_alone_is_a_difference(comparison: Comparison) -> None:
    found = comparison.validation(DNSSEC, "zoneId", {"status": "active"})
    assert found is not None
    assert found.provider == "accepts"
    assert "zoneId" in found.rehearsal


def test_refusal_by_a_rule_of_the_api_is_not_a_difference(comparison: Comparison) -> None:
    assert comparison.rehearsal.check(urn(DNSSEC), {"zoneId": "no id"}).failures
    assert comparison.validation(DNSSEC, "zoneId", {"zoneId": "no id"}) is None


def test_both_replace_for_another_zone_and_not_for_another_status(comparison: Comparison) -> None:
    old = {"zoneId": ZONE, "status": "active"}
    assert comparison.replacement(DNSSEC, "zoneId", old, old | {"zoneId": OTHER}) is None
    assert comparison.replacement(DNSSEC, "status", old, old | {"status": "disabled"}) is None


def test_a_property_that_the_provider_lacks_is_left_out_of_the_configuration(comparison: Comparison) -> None:
    with pytest.raises(UnmappedError, match="dnssecPresigned"):
        comparison.config(DNSSEC, {"zoneId": ZONE, "dnssecPresigned": True})


def test_unknown_values_of_a_planned_state_become_those_of_an_applied_one() -> None:
    fields = {
        "name": Field("name", "string", 0, None, False, False, True),
        "types": Field("types", ["list", "string"], 0, None, False, False, True),
        "tags": Field("tags", ["map", "string"], 0, None, False, False, True),
        "config": Field("config", None, 2, Block({}), True, False, True),
    }
    planned = dict.fromkeys(fields, UNKNOWN)
    # Null in place of an empty collection would be planned as a change.
    assert settled(Block(fields), planned) == {"name": "assigned", "types": [], "tags": {}, "config": []}


def test_refusal_by_the_provider_of_known_values_is_not_a_difference(comparison: Comparison) -> None:
    inputs = {"zoneId": UNKNOWN, "status": "off"}
    assert comparison.refused_when_known(DNSSEC, {"zoneId": UNKNOWN, "status": "active"}, inputs)
    assert not comparison.refused_when_known(DNSSEC, inputs, inputs)


def test_a_probe_is_each_value_of_an_attribute_and_none() -> None:
    found = {(probe.path, probe.how): probe.inputs for probe in probes(DNSSEC, {"zoneId": ZONE})}
    assert found["zoneId", "absent"] == {}
    assert found["status", "is 'no-such-value'"] == {"zoneId": ZONE, "status": "no-such-value"}
    assert found["dnssecPresigned", "is 'True'"] == {"zoneId": ZONE, "dnssecPresigned": True}


def test_random_values_are_those_of_their_seed() -> None:
    resources = [(DNSSEC, {"zoneId": ZONE}), (DNSSEC, {"zoneId": OTHER, "status": "active"})]

    def drawn(seed: int) -> list[str]:
        return [str(draw.mutation) for draw in islice(draws(seed, resources), 50)]

    assert drawn(1) == drawn(1) != drawn(2)
    for draw in islice(draws(1, resources), 50):
        changed = {
            name for name in draw.mutation.inputs if draw.mutation.inputs[name] != draw.declared.get(name)
        }
        removed = draw.declared.keys() - draw.mutation.inputs.keys()
        assert changed | removed == {draw.mutation.path}


def test_a_text_in_place_of_a_boolean_cannot_be_converted() -> None:
    attribute = mapped_type(DNSSEC)
    assert attribute is not None
    block = Block({"dnssec_presigned": Field("dnssec_presigned", "bool", 0, None, False, False, False)})
    assert block.convert(attribute.attributes.values(), {"dnssecPresigned": "true"}) == {
        "dnssec_presigned": True
    }
    with pytest.raises(UnmappedError, match="is not a boolean"):
        block.convert(attribute.attributes.values(), {"dnssecPresigned": "maybe"})


def test_values_keep_their_form_on_the_wire() -> None:
    value = {"a": None, "b": [1, "x", True], "c": UNKNOWN, "d": {"e": 0.5}}
    assert decode(encode(value)) == value


def test_a_value_of_any_type_is_sent_after_its_type() -> None:
    assert decode(encode({"value": Dynamic("on")})) == {"value": [b'"string"', "on"]}
    held = configuration("cloudflare", {}, {("cloudflare_zone_setting", "a"): {"value": Dynamic("on")}})
    assert held["resource"]["cloudflare_zone_setting"]["a"]["value"] == "on"


def test_a_text_in_place_of_a_number_cannot_be_converted() -> None:
    attribute = mapped_type("cloudflare:index/dnsRecord:DnsRecord")
    assert attribute is not None
    block = Block({"ttl": Field("ttl", "number", 0, None, False, False, False)})
    assert block.convert(attribute.attributes.values(), {"ttl": "1"}) == {"ttl": 1}
    with pytest.raises(UnmappedError, match="is not a number"):
        block.convert(attribute.attributes.values(), {"ttl": "no-such-value"})


def test_a_configuration_for_the_cli_quotes_templates_and_refers_to_unknown_values() -> None:
    zone: dict[str, Any] = {"name": "${x}", "account": UNKNOWN, "z": []}
    held = configuration("cloudflare", {"api_token": "t"}, {("cloudflare_zone", "a"): zone})
    assert held["resource"]["cloudflare_zone"]["a"] == {
        "provider": "cloudflare",
        "name": "$${x}",
        "account": "${terraform_data.unknown.output}",
    }
    assert held["terraform"]["required_providers"] == {"cloudflare": {"source": "cloudflare/cloudflare"}}


def test_the_loopback_api_returns_what_it_was_sent() -> None:
    api = loopback_api.LoopbackApi()
    _, created = api.respond("POST", "/zones/z/dns_records", {"name": "www", "ttl": 1})
    path = f"/zones/z/dns_records/{created['id']}"
    assert api.respond("GET", path, None) == (200, created)
    assert api.respond("PATCH", path, {"ttl": 300})[1] == {**created, "ttl": 300}
    api.respond("DELETE", path, None)
    assert api.respond("GET", path, None) == (404, None)


def test_the_loopback_api_returns_a_setting_at_the_path_of_its_post() -> None:
    api = loopback_api.LoopbackApi()
    _, setting = api.respond("POST", "/zones/z/cache/tiered", {"value": "on"})
    assert api.respond("GET", "/zones/z/cache/tiered", None) == (200, setting)
