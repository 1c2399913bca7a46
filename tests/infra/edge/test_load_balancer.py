"""Failover between origins: the monitor, the order of origins, their shares, and sticky sessions."""

from __future__ import annotations

from typing import Any

import pytest

from infra.edge.load_balancer import shares
from infra.settings.loader import parse
from infra.settings.platform import EdgeSettings
from tests.infra.rehearsal import Declared, configuration, rehearse


def test_sessions_stick_to_an_origin_as_long_as_to_a_replica(declared: Declared) -> None:
    balancer = declared.one("LoadBalancer")
    policy = declared.one("GCPTrafficDistributionPolicy")["spec"]["default"]
    assert balancer["sessionAffinity"] == "cookie"
    assert f"{balancer['sessionAffinityTtl']:g}s" == policy["sessionAffinity"]["cookie"]["ttl"]


def test_origins_are_monitored_over_tls(declared: Declared) -> None:
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


def test_failover_uses_standby_origins_in_their_order(with_standby: Declared) -> None:
    pools = {
        name: with_standby.state("LoadBalancerPool", name).id for name in with_standby.of("LoadBalancerPool")
    }
    balancer = with_standby.one("LoadBalancer")
    assert balancer["steeringPolicy"] == "off"
    assert balancer["defaultPools"] == [pools[f"edge-balancer-{key}"] for key in ("main", "belgium", "iowa")]
    assert balancer["fallbackPool"] == pools["edge-balancer-main"]
    assert balancer["adaptiveRouting"] == {"failoverAcrossPools": True}


def edge(**weights: int) -> EdgeSettings:
    """Settings of prod with standby origins of these weights, in percent."""
    values: dict[str, Any] = configuration("prod")
    values["kingdom:edge"]["standby"] = {
        key: {"hostname": f"{key}.kingdom.studio", "weightPercent": weight} for key, weight in weights.items()
    }
    return parse("prod", values).edge


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({}, {"main": 1.0}),
        ({"iowa": 0}, {"main": 1.0, "iowa": 0.0}),
        ({"iowa": 20}, {"main": 0.8, "iowa": 0.2}),
        ({"iowa": 60, "belgium": 30}, {"main": 0.1, "iowa": 0.6, "belgium": 0.3}),
    ],
)
def test_the_main_origin_gets_the_remaining_share(
    weights: dict[str, int], expected: dict[str, float]
) -> None:
    assert shares(edge(**weights)) == expected


def test_an_origin_with_a_share_gets_it_by_the_id_of_its_pool(varied: Declared) -> None:
    pools = {key: varied.state("LoadBalancerPool", f"edge-balancer-{key}").id for key in ("main", "iowa")}
    balancer = varied.one("LoadBalancer")
    assert balancer["steeringPolicy"] == "random"
    assert balancer["randomSteering"]["poolWeights"] == {pools["main"]: 0.8, pools["iowa"]: 0.2}
    assert balancer["randomSteering"]["defaultWeight"] == 0


def test_a_lost_origin_is_reported_to_the_paging_address(varied: Declared) -> None:
    policy = varied.one("NotificationPolicy")
    assert policy["mechanisms"]["emails"] == [{"id": configuration("prod")["kingdom:observability"]["page"]}]
    pools = {varied.state("LoadBalancerPool", f"edge-balancer-{key}").id for key in ("main", "iowa")}
    assert set(policy["filters"]["poolIds"]) == pools


def test_sessions_move_once_a_replica_has_had_time_to_finish(declared: Declared) -> None:
    settings = configuration(declared.stack)["kingdom:workload"]
    attributes = declared.one("LoadBalancer")["sessionAffinityAttributes"]
    assert attributes["drainDuration"] == settings["drainSeconds"] + settings["requestSeconds"]
