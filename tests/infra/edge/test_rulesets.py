"""Rulesets of the zone: refused requests, managed rules, rate limits, caching and response headers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.edge.rulesets import METHODS, cache_rule, firewall, headers, managed, rate_rule
from infra.settings.platform import RateRule
from tests.infra.rehearsal import Declared, configuration
from tests.support.cloudflare import holds


def test_each_phase_has_one_ruleset_and_each_rule_a_ref_of_its_own(declared: Declared) -> None:
    rulesets = declared.of("Ruleset")
    zone = [item for item in rulesets.values() if "phase" in item]
    phases = [item["phase"] for item in zone]
    assert sorted(set(phases)) == sorted(phases)
    assert {
        "http_request_firewall_custom",
        "http_request_firewall_managed",
        "http_ratelimit",
        "http_request_cache_settings",
        "http_response_headers_transform",
    } == set(phases)
    for ruleset in zone:
        refs = [rule["ref"] for rule in ruleset["rules"]]
        assert len(set(refs)) == len(refs)


def test_paths_of_the_gateway_and_of_the_monitor_pass_the_firewall(declared: Declared) -> None:
    rules = {rule["ref"]: rule for rule in declared.one("Ruleset", "edge-rules-firewall")["rules"]}
    for match in declared.one("HTTPRoute")["spec"]["rules"][0]["matches"]:
        assert f'"{match["path"]["value"]}"' in rules["unrouted"]["expression"]
    assert f'"{declared.one("LoadBalancerMonitor")["path"]}"' in rules["unrouted"]["expression"]


def test_a_response_is_cached_by_its_own_cache_control(declared: Declared) -> None:
    for rule in declared.one("Ruleset", "edge-rules-cache")["rules"]:
        assert rule["actionParameters"]["edgeTtl"] == {"mode": "bypass_by_default"}
        assert rule["actionParameters"]["browserTtl"] == {"mode": "respect_origin"}


def refused_by(method: str, path: str) -> list[str]:
    """Refs of the firewall rules that refuse a request."""
    found: list[str] = []
    for rule in firewall():
        assert rule["action"] == "block"
        if holds(str(rule["expression"]), {":method": method, ":path": path}):
            found.append(str(rule["ref"]))
    return found


@pytest.mark.parametrize(
    ("method", "path", "refused"),
    [
        ("GET", "/v1/accounts", []),
        ("POST", "/v1/sessions?next=1", []),
        ("GET", "/docs", []),
        ("GET", "/openapi.json", []),
        ("OPTIONS", "/v1/accounts", []),
        ("TRACE", "/v1/accounts", ["methods"]),
        ("CONNECT", "/v1/accounts", ["methods"]),
        ("GET", "/", ["unrouted"]),
        ("GET", "/v1x", ["unrouted"]),
        ("GET", "/v10/accounts", ["unrouted"]),
        ("GET", "/docsx", ["unrouted"]),
        ("GET", "/metrics", ["unrouted"]),
        ("GET", "/readyz", ["unrouted"]),
        ("GET", "/livez", ["unrouted"]),
        ("GET", "/.git/config", ["unrouted"]),
        ("GET", "/index.php?path=/v1/", ["unrouted"]),
        ("TRACK", "/wp-login.php", ["methods", "unrouted"]),
    ],
)
def test_only_methods_and_paths_of_the_api_pass_the_firewall(
    method: str, path: str, refused: list[str]
) -> None:
    assert refused_by(method, path) == refused


def test_a_refused_method_gets_a_problem_document_that_lists_the_allowed_ones() -> None:
    (rule,) = [rule for rule in firewall() if rule["ref"] == "methods"]
    parameters: Any = rule["action_parameters"]
    response = parameters["response"]
    problem = json.loads(response["content"])
    assert response["status_code"] == problem["status"] == 405
    assert all(method in problem["detail"] for method in METHODS)


def test_owasp_blocks_at_its_medium_score_on_the_first_paranoia_level() -> None:
    parameters: dict[str, Any] = {str(rule["ref"]): rule["action_parameters"] for rule in managed()}
    overrides = parameters["owasp"]["overrides"]
    assert [rule["score_threshold"] for rule in overrides["rules"]] == [40]
    assert [rule["action"] for rule in overrides["rules"]] == ["block"]
    assert {(each["category"], each["enabled"]) for each in overrides["categories"]} == {
        (f"paranoia-level-{level}", False) for level in (2, 3, 4)
    }


def test_rate_limits_are_those_of_the_settings(declared: Declared) -> None:
    settings = configuration(declared.stack)["kingdom:edge"]["rates"]
    rules = {rule["ref"]: rule for rule in declared.one("Ruleset", "edge-rules-rates")["rules"]}
    assert {
        ref: (rule["ratelimit"]["requestsPerPeriod"], rule["ratelimit"]["period"])
        for ref, rule in rules.items()
    } == {ref: (each["requests"], each["periodSeconds"]) for ref, each in settings.items()}


def test_a_rate_limit_counts_each_address_below_its_path_and_blocks_it_for_a_while() -> None:
    settings = {"path": "/v1/sessions", "requests": 20, "periodSeconds": 60, "blockSeconds": 600}
    rule: Any = rate_rule("sessions", RateRule.model_validate(settings))
    assert rule["action"] == "block"
    assert rule["ratelimit"] == {
        "characteristics": ["ip.src", "cf.colo.id"],
        "period": 60,
        "requests_per_period": 20,
        "mitigation_timeout": 600,
    }
    assert holds(rule["expression"], {":method": "POST", ":path": "/v1/sessions"})
    assert not holds(rule["expression"], {":method": "GET", ":path": "/v1/content"})


def test_only_responses_below_the_configured_paths_are_cached() -> None:
    rule: Any = cache_rule("media", "/v1/media/")
    assert rule["action_parameters"]["cache"] is True
    assert holds(rule["expression"], {":method": "GET", ":path": "/v1/media/1?width=100"})
    assert not holds(rule["expression"], {":method": "GET", ":path": "/v1/accounts/me"})


def test_every_response_hides_the_software_behind_the_edge() -> None:
    rule: Any = headers()
    assert holds(rule["expression"], {":method": "GET", ":path": "/"})
    changed = rule["action_parameters"]["headers"]
    removed = {name for name, change in changed.items() if change["operation"] == "remove"}
    # `endpoint-load-metrics` is the load report of a replica to the load balancer.
    assert removed == {"x-powered-by", "x-envoy-upstream-service-time", "endpoint-load-metrics"}
    assert changed["x-frame-options"] == {"operation": "set", "value": "DENY"}
