"""Amounts of a cost change: each follows from the price list; resources without a price are listed."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest

from policies.model.property_tree import UNKNOWN, Node
from policies.model.stack import Resource, Stack
from policies.pricing.cost_estimate import Costs, monthly
from policies.pricing.price_list import price_list

HOURS = 730


def costs_of(*given: tuple[str, dict[str, Any]]) -> Costs:
    return monthly(
        Stack.of(
            [
                Resource(f"urn:pulumi:test::kingdom::{type_}::{index}", type_, str(index), Node(inputs))
                for index, (type_, inputs) in enumerate(given)
            ]
        )
    )


def pool(**changes: Any) -> tuple[str, dict[str, Any]]:
    inputs: dict[str, Any] = {
        "location": "europe-west1",
        "autoscaling": {"totalMinNodeCount": 3, "totalMaxNodeCount": 9},
        "nodeConfig": {
            "machineType": "n2d-standard-4",
            "bootDisk": {"sizeGb": 100, "diskType": "pd-balanced"},
        },
    }
    return "gcp:container/nodePool:NodePool", inputs | changes


def test_every_price_has_a_dated_source_on_the_web() -> None:
    listed = price_list()
    for price in listed.prices:
        source = listed.sources[price.source]
        assert date.fromisoformat(source["date"]) <= date(2026, 11, 25)
        assert source["where"].startswith("https://")
        assert price.usd > 0
        assert price.unit
        assert price.region
    assert len({(price.id, price.region) for price in listed.prices}) == len(listed.prices)


def test_every_source_is_of_a_price() -> None:
    listed = price_list()
    assert {price.source for price in listed.prices} == set(listed.sources)


def test_a_node_pool_costs_its_min_and_max_nodes_with_their_disks() -> None:
    costs = costs_of(pool())
    hour = next(item.usd for item in price_list().prices if item.id == "gce/n2d-standard-4/on-demand")
    assert math.isclose(costs.minimum, 3 * (hour * HOURS + 100 * 0.1))
    assert math.isclose(costs.maximum, 9 * (hour * HOURS + 100 * 0.1))
    assert not costs.unpriced


def test_nodes_counted_by_the_zone_are_paid_in_every_zone() -> None:
    zonal = {"autoscaling": {"minNodeCount": 1, "maxNodeCount": 3}, "nodeLocations": ["a", "b", "c"]}
    assert costs_of(pool(**zonal)) == costs_of(pool())


def test_spot_nodes_are_cheaper() -> None:
    config: dict[str, Any] = {**pool()[1]["nodeConfig"], "spot": True}
    assert costs_of(pool(nodeConfig=config)).maximum < costs_of(pool()).maximum


def test_an_atlas_tier_is_paid_for_three_members() -> None:
    def atlas(nodes: int) -> tuple[str, dict[str, Any]]:
        region = {
            "regionName": "WESTERN_EUROPE",
            "electableSpecs": {"instanceSize": "M30", "nodeCount": nodes, "diskSizeGb": 40},
            "autoScaling": {"computeMinInstanceSize": "M30", "computeMaxInstanceSize": "M40"},
        }
        inputs = {"replicationSpecs": [{"regionConfigs": [region]}]}
        return "mongodbatlas:index/advancedCluster:AdvancedCluster", inputs

    three, five = costs_of(atlas(3)), costs_of(atlas(5))
    assert math.isclose(three.minimum, 0.54 * HOURS)
    assert math.isclose(three.maximum, 1.04 * HOURS)
    assert math.isclose(five.maximum, three.maximum * 5 / 3)
    assert [line.stand_in for line in three.lines] == ["aws/us-east-1"]
    assert not three.unpriced


@pytest.mark.parametrize(("gib", "tier"), [(1, "M1"), (5, "M2"), (19, "M3"), (36, "M4"), (101, "M5")])
def test_redis_is_paid_by_its_capacity_tier(gib: int, tier: str) -> None:
    given = {"memorySizeGb": gib, "tier": "STANDARD_HA", "region": "us-central1", "replicaCount": 1}
    costs = costs_of(("gcp:redis/instance:Instance", given))
    usd = next(price.usd for price in price_list().prices if price.id == f"redis/STANDARD_HA/{tier}")
    assert math.isclose(costs.maximum, usd * gib * HOURS)
    assert not costs.lines[0].stand_in


def test_a_price_of_another_region_names_the_region() -> None:
    given = {"memorySizeGb": 5, "tier": "BASIC", "region": "europe-west1"}
    assert costs_of(("gcp:redis/instance:Instance", given)).lines[0].stand_in == "us-central1"


def test_five_forwarding_rules_are_paid_together_and_every_further_one_apart() -> None:
    def gateway(ports: int) -> tuple[str, dict[str, Any]]:
        listeners = [{"port": 443 + port} for port in range(ports)]
        return "kubernetes:gateway.networking.k8s.io/v1:Gateway", {"spec": {"listeners": listeners}}

    assert costs_of(gateway(1)).maximum == costs_of(gateway(5)).maximum
    assert math.isclose(costs_of(gateway(7)).maximum, (0.025 + 2 * 0.01) * HOURS)


@pytest.mark.parametrize(
    "given",
    [
        ("gcp:spanner/instance:Instance", {}),
        pool(nodeConfig={"machineType": "x9-standard-4"}),
        pool(nodeConfig={"machineType": "c4d-standard-8", "bootDisk": {"sizeGb": 10}}),
        pool(nodeConfig={"machineType": UNKNOWN}),
        ("gcp:redis/instance:Instance", {"memorySizeGb": UNKNOWN, "tier": "BASIC"}),
        ("gcp:storage/bucket:Bucket", {"location": "EU"}),
    ],
)
def test_resource_without_a_price_is_listed_and_in_no_sum(given: tuple[str, dict[str, Any]]) -> None:
    costs = costs_of(given)
    assert costs.unpriced
    assert not any("Unpriced" in line.what or line.maximum == 0 for line in costs.lines)


def test_a_namespace_or_a_grant_costs_nothing_and_is_not_listed() -> None:
    costs = costs_of(
        ("kubernetes:core/v1:Namespace", {}),
        ("gcp:projects/iAMMember:IAMMember", {}),
        ("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember", {}),
        ("kingdom:cache:Cache", {}),
    )
    assert costs == Costs((), (), costs.dated)


def test_the_order_of_resources_changes_nothing() -> None:
    given = [pool(), ("gcp:container/cluster:Cluster", {"location": "europe-west1"})]
    resources = [
        Resource(f"urn:{index}", *item[:1], str(index), Node(item[1])) for index, item in enumerate(given)
    ]
    assert monthly(Stack.of(resources)) == monthly(Stack.of(resources[::-1]))
