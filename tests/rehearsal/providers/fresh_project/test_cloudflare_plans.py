"""Resources, settings and numbers that the plan of a Cloudflare zone does not include."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from rehearsal.providers.fresh_project.cloudflare_plans import PLANS, entitlements, refused
from rehearsal.providers.schema import ListOf, ObjectType, Type, resource_type
from rehearsal.pulumi.properties import UNKNOWN

RULESET = "cloudflare:index/ruleset:Ruleset"
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
CUSTOM, RATES = {"phase": "http_request_firewall_custom"}, {"phase": "http_ratelimit"}
CACHE, ORIGIN = {"phase": "http_request_cache_settings"}, {"phase": "http_request_origin"}


def steps_exist(declared: Type, steps: list[str]) -> bool:
    """Whether a path leads through the properties of a type."""
    if not steps:
        return True
    if isinstance(declared, ListOf):
        return steps[0] == "*" and steps_exist(declared.element, steps[1:])
    if isinstance(declared, ObjectType):
        field = declared.fields.get(steps[0])
        return field is not None and steps_exist(field.type, steps[1:])
    return False


def test_every_entitlement_is_of_the_sdk_and_has_a_source() -> None:
    found = [item for items in entitlements().values() for item in items]
    assert len(found) > 80
    for item in found:
        declared = resource_type(item["type"])
        assert declared is not None, item
        assert steps_exist(declared.inputs, item["path"].split(".") if "path" in item else []), item
        assert item.get("where", {}).keys() <= declared.inputs.fields.keys(), item
        assert item["source"].startswith("https://developers.cloudflare.com/"), item
        assert item.get("plan", "pro") in PLANS[1:], item
        for bounds in ("max", "min"):
            assert item.get(bounds, {}).keys() <= set(PLANS), item


def rules(*items: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"rules": list(items), **more}


def rate(**more: Any) -> dict[str, Any]:
    return rules({"action": "block", "ratelimit": {"period": 10, **more}}, **RATES)


def settings(**parameters: Any) -> dict[str, Any]:
    return {"action": "set_cache_settings", "actionParameters": parameters}


@pytest.mark.parametrize(
    ("type_", "inputs", "plan"),
    [
        ("cloudflare:index/regionalTieredCache:RegionalTieredCache", {"value": "off"}, "enterprise"),
        ("cloudflare:index/keylessCertificate:KeylessCertificate", {}, "enterprise"),
        ("cloudflare:index/customSsl:CustomSsl", {}, "business"),
        ("cloudflare:index/waitingRoom:WaitingRoom", {}, "business"),
        ("cloudflare:index/zoneLockdown:ZoneLockdown", {}, "pro"),
        ("cloudflare:index/logpushJob:LogpushJob", {"zoneId": "z"}, "enterprise"),
        ("cloudflare:index/list:List", {"kind": "asn"}, "enterprise"),
        ("cloudflare:index/zone:Zone", {"type": "partial"}, "business"),
        ("cloudflare:index/loadBalancer:LoadBalancer", {"popPools": {"LAX": ["p"]}}, "enterprise"),
        ("cloudflare:index/loadBalancer:LoadBalancer", rules({}, {}), "enterprise"),
        (SETTING, {"settingId": "true_client_ip_header", "value": "off"}, "enterprise"),
        (SETTING, {"settingId": "polish", "value": "lossy"}, "pro"),
        (SETTING, {"settingId": "http2", "value": "off"}, "pro"),
        (SETTING, {"settingId": "ssl", "value": "origin_pull"}, "enterprise"),
        (SETTING, {"settingId": "max_upload", "value": "200"}, "business"),
        (RECORD, {"ttl": 30}, "enterprise"),
        (RECORD, {"comment": "x" * 101}, "pro"),
        (RECORD, {"tags": ["team:media"]}, "pro"),
        (RULESET, rules({"action": "log"}, **CUSTOM), "enterprise"),
        (RULESET, rules({"expression": 'http.host matches "a"'}, **CUSTOM), "business"),
        (RULESET, rules(*[{}] * 6, **CUSTOM), "pro"),
        (RULESET, rules(*[{}] * 21, **CUSTOM), "business"),
        (RULESET, {"accountId": "a"} | CUSTOM, "enterprise"),
        (RULESET, rules(*[{}] * 3, **RATES), "business"),
        (RULESET, rate(period=60), "pro"),
        (RULESET, rate(period=120), "business"),
        (RULESET, rate(mitigationTimeout=86400), "business"),
        (RULESET, rate(mitigationTimeout=0), "enterprise"),
        (RULESET, rate(countingExpression="true"), "business"),
        (RULESET, rate(characteristics=["ip.src", "cf.colo.id", "http.request.uri.path"]), "enterprise"),
        (RULESET, rules(settings(edgeTtl={"default": 3600}), **CACHE), "pro"),
        (RULESET, rules(settings(edgeTtl={"default": 60}), **CACHE), "business"),
        (RULESET, rules(settings(edgeTtl={"statusCodeTtls": [{"value": 1}]}), **CACHE), "enterprise"),
        (RULESET, rules(settings(cacheKey={"customKey": {"user": {"geo": True}}}), **CACHE), "enterprise"),
        (RULESET, rules({"actionParameters": {"hostHeader": "a"}}, **ORIGIN), "enterprise"),
        (RULESET, rules({"actionParameters": {"origin": {"host": "a"}}}, **ORIGIN), "enterprise"),
    ],
)
def test_lower_plan_refuses_what_a_higher_one_includes(type_: str, inputs: dict[str, Any], plan: str) -> None:
    lowest = PLANS.index(plan)
    assert all(list(refused(name, type_, inputs)) for name in PLANS[:lowest])
    assert not any(list(refused(name, type_, inputs)) for name in PLANS[lowest:])


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        (SETTING, {"settingId": "brotli", "value": "off"}),
        (SETTING, {"settingId": UNKNOWN, "value": UNKNOWN}),
        (SETTING, {"settingId": "http2", "value": "on"}),
        (SETTING, {"settingId": "max_upload", "value": "100"}),
        (RECORD, {"ttl": 1, "comment": "x" * 100, "tags": []}),
        (RECORD, {"ttl": UNKNOWN}),
        ("cloudflare:index/logpushJob:LogpushJob", {"accountId": "a"}),
        ("cloudflare:index/list:List", {"kind": "ip"}),
        ("cloudflare:index/tieredCache:TieredCache", {"value": "on"}),
        (RULESET, rules({"action": "block", "expression": 'http.host eq "a"'}, **CUSTOM)),
        (RULESET, rate(period=10, mitigationTimeout=10, characteristics=["ip.src", "cf.colo.id"])),
        (RULESET, rules(settings(cacheKey={"cacheDeceptionArmor": True}), **CACHE)),
        (RULESET, rules({"actionParameters": {"origin": {"port": 8443}}}, **ORIGIN)),
    ],
)
def test_the_free_plan_includes_the_rest(type_: str, inputs: dict[str, Any]) -> None:
    assert list(refused("free", type_, inputs)) == []


def test_refusal_names_the_path_the_plan_and_the_source() -> None:
    [(reason, remedy)] = refused("pro", RULESET, rules({"action": "log"}, **CUSTOM))
    assert reason.startswith("rules[0].action needs the plan enterprise, and the zone has pro (https://")
    assert remedy == "Declare it on the plan enterprise"
    [(reason, remedy)] = refused("free", RULESET, rules(*[{}] * 6, **CUSTOM))
    assert reason.startswith("rules has 6 items; the plan free allows at most 5 (https://")
