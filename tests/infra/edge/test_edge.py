"""The Cloudflare zone: failover between origins, one ruleset a phase, no bypass of the edge."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from app.auth.roles import MAX_UPLOAD_BYTES
from infra.edge.load_balancer import shares
from infra.settings.loader import parse
from tests.infra.rehearsal import Declared, configuration, rehearse
from tests.infra.settings.test_settings import setting_problems


def test_there_is_one_ruleset_a_phase_and_every_rule_keeps_its_ref(declared: Declared) -> None:
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


def test_what_the_gateway_routes_passes_the_firewall(declared: Declared) -> None:
    rules = {rule["ref"]: rule for rule in declared.one("Ruleset", "edge-rules-firewall")["rules"]}
    for match in declared.one("HTTPRoute")["spec"]["rules"][0]["matches"]:
        assert f'"{match["path"]["value"]}"' in rules["unrouted"]["expression"]
    assert f'"{declared.one("LoadBalancerMonitor")["path"]}"' in rules["unrouted"]["expression"]


def test_a_response_is_cached_by_its_own_cache_control(declared: Declared) -> None:
    for rule in declared.one("Ruleset", "edge-rules-cache")["rules"]:
        assert rule["actionParameters"]["edgeTtl"] == {"mode": "bypass_by_default"}
        assert rule["actionParameters"]["browserTtl"] == {"mode": "respect_origin"}


def test_sessions_stick_to_an_origin_as_long_as_to_a_replica(declared: Declared) -> None:
    balancer = declared.one("LoadBalancer")
    policy = declared.one("GCPTrafficDistributionPolicy")["spec"]["default"]
    assert balancer["sessionAffinity"] == "cookie"
    assert f"{balancer['sessionAffinityTtl']:g}s" == policy["sessionAffinity"]["cookie"]["ttl"]


def test_origins_are_watched_over_tls_by_what_users_see(declared: Declared) -> None:
    monitor = declared.one("LoadBalancerMonitor")
    assert (monitor["type"], monitor["allowInsecure"]) == ("https", False)
    # Two failures in a row, and their time-outs: recovery stays below the five minutes of REL1.
    assert monitor["consecutiveDown"] * (monitor["interval"] + monitor["timeout"]) < 300


@pytest.fixture(scope="module")
def with_standby(tmp_path_factory: pytest.TempPathFactory) -> Declared:
    values = configuration("prod")
    values["kingdom:edge"]["standby"] = {
        "belgium": {"hostname": "origin-be.kingdom.studio", "weightPercent": 0},
        "iowa": {"hostname": "origin-us.kingdom.studio", "weightPercent": 0},
    }
    return rehearse("prod", tmp_path_factory.mktemp("standby"), values)


def test_standby_origins_take_over_in_their_order(with_standby: Declared) -> None:
    pools = {
        name: with_standby.state("LoadBalancerPool", name).id for name in with_standby.of("LoadBalancerPool")
    }
    balancer = with_standby.one("LoadBalancer")
    assert balancer["steeringPolicy"] == "off"
    assert balancer["defaultPools"] == [pools[f"edge-balancer-{key}"] for key in ("main", "belgium", "iowa")]
    assert balancer["fallbackPool"] == pools["edge-balancer-main"]
    assert balancer["adaptiveRouting"] == {"failoverAcrossPools": True}


def test_standby_origins_may_take_a_share(tmp_path: Path) -> None:
    values: dict[str, Any] = configuration("prod")
    values["kingdom:edge"]["standby"] = {
        "iowa": {"hostname": "origin-us.kingdom.studio", "weightPercent": 20}
    }
    assert shares(parse("prod", values).edge) == {"main": 0.8, "iowa": 0.2}
    balancer = rehearse("prod", tmp_path, values).one("LoadBalancer")
    assert balancer["steeringPolicy"] == "random"
    assert sorted(balancer["randomSteering"]["poolWeights"].values()) == [0.2, 0.8]


def test_standby_origins_cannot_take_everything() -> None:
    values = configuration("prod")
    values["kingdom:edge"]["standby"] = {
        key: {"hostname": f"{key}.kingdom.studio", "weightPercent": 50} for key in ("one", "two")
    }
    assert "leave the main one at least 10 %" in "".join(setting_problems(values).values())


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
        assert len(ranges) <= 10  # what one rule of Cloud Armor takes
        assert all(ipaddress.ip_network(item).num_addresses > 1 for item in ranges)
    assert declared.one("GCPBackendPolicy")["spec"]["default"]["securityPolicy"] == policy["name"]


def test_no_body_larger_than_an_upload_reaches_a_replica(declared: Declared) -> None:
    rules = {rule["priority"]: rule for rule in declared.one("SecurityPolicy")["rules"]}
    limit = int(rules[600]["match"]["expr"]["expression"].rpartition("> ")[2])
    assert MAX_UPLOAD_BYTES < limit < MAX_UPLOAD_BYTES * 1.1


def test_the_service_believes_only_the_edge_about_who_the_client_is(declared: Declared) -> None:
    trusted = declared.one("ConfigMap", "configuration")["data"]["KINGDOM_TRUSTED_PROXIES"].split(",")
    networks = [ipaddress.ip_network(item) for item in trusted]
    assert len(networks) > 20
    assert all(network.prefixlen >= 8 for network in networks)


def test_cache_reserve_follows_its_setting(declared: Declared) -> None:
    wanted = "on" if configuration(declared.stack)["kingdom:edge"]["cacheReserve"] else "off"
    assert declared.one("ZoneCacheReserve")["value"] == wanted
