"""HTTP filters of the edge: the configuration that follows from settings and rules."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.host.envoy.cloudflare_zone import Rule
from rehearsal.host.envoy.edge_filters import (
    compression,
    firewall,
    rate_limits,
    response_headers,
)

METHOD = {"name": ":method", "string_match": {"exact": "TRACE"}}
PATH = {"name": ":path", "string_match": {"prefix": "/admin"}}


def rule(action: str = "block", when: Any = None, **declared: Any) -> Rule:
    return Rule("r", {"action": action, **declared}, when if when is not None else [[METHOD]])


def mutations(filter_: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Return the names of changed headers with their values, None for removed ones."""
    found: list[tuple[str, str | None]] = []
    for change in filter_["typed_config"]["mutations"]["response_mutations"]:
        if "remove" in change:
            found.append((change["remove"], None))
        else:
            header = change["append"]["header"]
            found.append((header["key"], header["value"]))
    return found


def test_blocking_rules_deny_requests_that_match_all_conditions_of_an_alternative() -> None:
    notes: list[str] = []
    (filter_,) = firewall([rule(when=[[METHOD, PATH], [PATH]])], notes)
    rbac = filter_["typed_config"]["rules"]
    assert rbac["action"] == "DENY"
    assert rbac["policies"]["r"]["permissions"] == [
        {"and_rules": {"rules": [{"header": METHOD}, {"header": PATH}]}},
        {"and_rules": {"rules": [{"header": PATH}]}},
    ]
    assert notes == []


def test_a_rule_without_a_condition_denies_every_request() -> None:
    (filter_,) = firewall([rule(when=[[]])], [])
    assert filter_["typed_config"]["rules"]["policies"]["r"]["permissions"] == [{"any": True}]


def test_rules_with_a_response_and_of_other_actions_are_not_in_the_firewall() -> None:
    notes: list[str] = []
    responds = rule(actionParameters={"response": {"statusCode": 405}})
    assert firewall([responds, rule("managed_challenge")], notes) == []
    assert notes == ["Cloudflare rule r: the action managed_challenge is not supported on this host"]


def limit(**changes: Any) -> dict[str, Any]:
    return {"characteristics": ["cf.colo.id", "ip.src"], "requestsPerPeriod": 100, "period": 60} | changes


def test_a_rate_limit_counts_by_address_and_states_the_wait() -> None:
    (filter_,) = rate_limits([rule(ratelimit=limit(mitigationTimeout=10))], [])
    config = filter_["typed_config"]
    (descriptor,) = config["descriptors"]
    assert descriptor["entries"] == [{"key": "rule", "value": "r"}, {"key": "remote_address"}]
    assert descriptor["token_bucket"]["max_tokens"] == 100
    (counted,) = config["rate_limits"]
    assert counted["actions"][0]["header_value_match"]["headers"] == [METHOD]
    assert counted["actions"][1] == {"remote_address": {}}
    assert [each["header"] for each in config["response_headers_to_add"]] == [
        {"key": "retry-after", "value": "10"}
    ]


def test_a_rate_limit_can_count_by_a_header() -> None:
    named = limit(characteristics=['http.request.headers["X-Key"]'])
    (filter_,) = rate_limits([rule(when=[[]], ratelimit=named)], [])
    (counted,) = filter_["typed_config"]["rate_limits"]
    assert counted["actions"][0]["header_value_match"]["headers"] == [
        {"name": ":path", "present_match": True}
    ]
    assert counted["actions"][1] == {"request_headers": {"header_name": "x-key", "descriptor_key": "x-key"}}


@pytest.mark.parametrize(
    ("changes", "noted"),
    [
        ({"ratelimit": limit(characteristics=["http.request.cookies"])}, True),
        ({"action": "log", "ratelimit": limit()}, False),
    ],
)
def test_rate_limits_that_cannot_be_enforced_have_no_filter(changes: dict[str, Any], noted: bool) -> None:
    notes: list[str] = []
    assert rate_limits([rule(**{"action": "block"} | changes)], notes) == []
    assert bool(notes) is noted


def test_hsts_and_transformed_headers_are_set_on_every_response() -> None:
    hsts = {"enabled": True, "max_age": 3600, "include_subdomains": True, "preload": True, "nosniff": True}
    settings = {"security_header": {"strict_transport_security": hsts}}
    changes = {"X-Frame-Options": {"operation": "set", "value": "DENY"}, "server": {"operation": "remove"}}
    transform = rule("rewrite", when=[[]], actionParameters={"headers": changes})
    notes: list[str] = []
    assert mutations(response_headers(settings, [transform], notes)) == [
        ("strict-transport-security", "max-age=3600; includeSubDomains; preload"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("server", None),
    ]
    assert notes == []


def test_headers_may_be_declared_as_a_list() -> None:
    changes = [{"name": "X-One", "operation": "set", "value": 1}]
    transform = rule("rewrite", when=[[]], actionParameters={"headers": changes})
    assert mutations(response_headers({}, [transform], [])) == [("x-one", "1")]


def test_conditional_transforms_are_noted_and_disabled_hsts_is_not_sent() -> None:
    notes: list[str] = []
    transform = rule("rewrite", actionParameters={"headers": {"x-one": {"operation": "remove"}}})
    settings = {"security_header": {"strict_transport_security": {"enabled": False, "max_age": 3600}}}
    assert mutations(response_headers(settings, [transform], notes)) == []
    assert notes == ["Cloudflare rule r: conditional header transforms are not supported on this host"]


@pytest.mark.parametrize(("value", "names"), [("on", ["brotli"]), ("off", []), (None, [])])
def test_brotli_follows_the_setting_of_the_zone(value: str | None, names: list[str]) -> None:
    assert [item["name"] for item in compression({"brotli": value})] == names
