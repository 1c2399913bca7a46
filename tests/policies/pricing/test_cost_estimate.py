"""The monthly cost of each kind of resource at its minimum and maximum scale."""

from __future__ import annotations

from typing import Any

import pytest

from policies.model.property_tree import UNKNOWN
from policies.model.stack import Stack
from policies.pricing.cost_estimate import Costs, Line, monthly
from policies.pricing.price_list import price_list
from policies.testing import ResourceFixture, resources_of

REGION = "europe-west1"


def costs(*given: ResourceFixture) -> Costs:
    return monthly(Stack.of(resources_of(given)))


def usd(name: str, region: str = REGION) -> float:
    found = price_list().find(name, region)
    assert found is not None, name
    return found.usd


def line(found: Costs, text: str) -> Line:
    (one,) = [each for each in found.lines if text in each.what]
    return one


def redis(**props: Any) -> ResourceFixture:
    return ResourceFixture(
        "gcp:redis/instance:Instance", {"tier": "STANDARD_HA", "region": REGION, "memorySizeGb": 5} | props
    )


@pytest.mark.parametrize(
    ("gib", "tier"),
    [(1, "M1"), (4, "M1"), (5, "M2"), (10, "M2"), (11, "M3"), (35, "M3"), (36, "M4"), (100, "M4")],
)
def test_redis_costs_the_price_per_gib_of_its_capacity_tier(gib: int, tier: str) -> None:
    found = costs(redis(memorySizeGb=gib))
    (only,) = found.lines
    assert f"({tier})" in only.what
    assert only.minimum == only.maximum == pytest.approx(usd(f"redis/STANDARD_HA/{tier}") * gib * 730)


@pytest.mark.parametrize(("replicas", "lines"), [(1, 1), (2, 2)])
def test_each_read_replica_is_a_separate_cost_item(replicas: int, lines: int) -> None:
    found = costs(redis(replicaCount=replicas))
    assert len(found.lines) == lines
    if lines > 1:
        assert line(found, "1 further read replica").maximum == pytest.approx(usd("redis/BASIC/M2") * 5 * 730)


def test_an_unknown_size_is_listed_and_costs_nothing() -> None:
    found = costs(redis(memorySizeGb=UNKNOWN))
    assert found.maximum == 0
    assert [each.why for each in found.unpriced] == ["Redis: its size is not known"]


def pool(minimum: int, maximum: int, *, spot: bool = False) -> ResourceFixture:
    return ResourceFixture(
        "gcp:container/nodePool:NodePool",
        {
            "location": REGION,
            "autoscaling": {"totalMinNodeCount": minimum, "totalMaxNodeCount": maximum},
            "nodeConfig": {
                "machineType": "n2d-standard-4",
                "spot": spot,
                "bootDisk": {"sizeGb": 100, "diskType": "pd-balanced"},
            },
        },
        "pool",
    )


@pytest.mark.parametrize(("spot", "kind"), [(False, "on-demand"), (True, "spot")])
def test_cost_of_nodes_and_disks_at_minimum_and_maximum(spot: bool, kind: str) -> None:
    found = costs(pool(2, 6, spot=spot))
    nodes, disks = line(found, f"nodes n2d-standard-4, {kind}"), line(found, "GiB pd-balanced a node")
    hourly = usd(f"gce/n2d-standard-4/{kind}") * 730
    assert (nodes.minimum, nodes.maximum) == pytest.approx((2 * hourly, 6 * hourly))
    monthly_disk = usd("disk/pd-balanced") * 100
    assert (disks.minimum, disks.maximum) == pytest.approx((2 * monthly_disk, 6 * monthly_disk))


def atlas(nodes: int = 3, disk: int = 80, provider: str = "NONE") -> ResourceFixture:
    return ResourceFixture(
        "mongodbatlas:index/advancedCluster:AdvancedCluster",
        {
            "encryptionAtRestProvider": provider,
            "replicationSpecs": [
                {
                    "regionConfigs": [
                        {
                            "regionName": "WESTERN_EUROPE",
                            "electableSpecs": {
                                "instanceSize": "M40",
                                "nodeCount": nodes,
                                "diskSizeGb": disk,
                            },
                            "autoScaling": {
                                "computeMinInstanceSize": "M40",
                                "computeMaxInstanceSize": "M80",
                            },
                        }
                    ]
                }
            ],
        },
    )


def test_cost_of_atlas_at_its_minimum_and_maximum_tier() -> None:
    (only,) = costs(atlas()).lines
    assert only.minimum == pytest.approx(usd("atlas/M40", "WESTERN_EUROPE") * 730)
    assert only.maximum == pytest.approx(usd("atlas/M80", "WESTERN_EUROPE") * 730)
    (five,) = costs(atlas(nodes=5)).lines
    assert five.minimum == pytest.approx(only.minimum * 5 / 3)


@pytest.mark.parametrize(("disk", "further"), [(80, 0), (81, 1), (200, 120)])
def test_disk_above_the_size_of_the_tier_costs_by_the_gb(disk: int, further: int) -> None:
    found = [each for each in costs(atlas(disk=disk)).lines if "of disk" in each.what]
    expected = usd("atlas/disk", "WESTERN_EUROPE") * further * 730
    assert sum(each.maximum for each in found) == pytest.approx(expected)
    assert bool(found) is bool(further)


def test_customer_managed_keys_add_a_share_of_the_cluster_price() -> None:
    found = costs(atlas(provider="GCP"))
    cluster, key = line(found, "members"), line(found, "encryption under a customer's key")
    share = usd("atlas/customer-key", "global")
    assert (key.minimum, key.maximum) == pytest.approx((cluster.minimum * share, cluster.maximum * share))


@pytest.mark.parametrize(
    ("provider", "enabled", "what"),
    [
        ("NONE", True, "Atlas: 15% for auditing"),
        ("GCP", True, "Atlas: 15% for encryption under a customer's key and auditing"),
        ("NONE", False, None),
    ],
)
def test_auditing_adds_the_share_of_a_customers_key_once(
    provider: str, enabled: bool, what: str | None
) -> None:
    auditing = ResourceFixture("mongodbatlas:index/auditing:Auditing", {"enabled": enabled}, "audit")
    found = costs(atlas(provider=provider), auditing)
    assert [each.what for each in found.lines if "%" in each.what] == ([what] if what else [])
    assert not found.unpriced


ZONE = ResourceFixture("cloudflare:index/tieredCache:TieredCache", {"value": "on"}, "tiers")


@pytest.mark.parametrize(("plan", "monthly_usd"), [("free", 0), ("pro", 25), ("business", 250)])
def test_plan_of_the_zone_costs_a_monthly_price(plan: str, monthly_usd: float) -> None:
    found = costs(ZONE, ResourceFixture("kingdom:edge:Edge", {"plan": plan}, "edge"))
    assert (found.minimum, found.maximum) == (monthly_usd, monthly_usd)
    assert not found.unpriced


def test_plan_without_a_list_price_or_not_declared_is_listed() -> None:
    by_contract = costs(ZONE, ResourceFixture("kingdom:edge:Edge", {"plan": "enterprise"}, "edge"))
    assert [each.why for each in by_contract.unpriced] == ["Cloudflare's Enterprise plan: paid by contract"]
    assert [each.why for each in costs(ZONE).unpriced] == ["Cloudflare: the zone's plan is not declared here"]


def gateway(*ports: int, name: str = "g") -> ResourceFixture:
    spec = {"listeners": [{"port": port} for port in ports]}
    return ResourceFixture(
        "kubernetes:gateway.networking.k8s.io/v1:Gateway",
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": name},
            "spec": spec,
        },
        name,
    )


@pytest.mark.parametrize(
    ("ports", "first", "further"),
    [((443,), 1, 0), ((443, 443), 1, 0), ((1, 2, 3, 4, 5), 1, 0), ((1, 2, 3, 4, 5, 6, 7), 1, 2)],
)
def test_the_first_five_forwarding_rules_have_one_price(
    ports: tuple[int, ...], first: int, further: int
) -> None:
    found = [each for each in costs(gateway(*ports)).lines if "forwarding rule" in each.what]
    expected = 730 * (
        usd("load-balancer/first-five", "") * first + usd("load-balancer/further", "") * further
    )
    assert sum(each.maximum for each in found) == pytest.approx(expected)


def test_nat_costs_by_the_node_up_to_32_nodes() -> None:
    nat = ResourceFixture("gcp:compute/routerNat:RouterNat", {"region": REGION}, "nat")
    hourly = usd("nat/gateway") * 730
    some = line(costs(nat, pool(4, 16)), "Cloud NAT")
    assert (some.minimum, some.maximum) == pytest.approx((hourly * 4 / 32, hourly * 16 / 32))
    assert line(costs(nat, pool(4, 64)), "Cloud NAT").maximum == pytest.approx(hourly)


def test_an_internal_address_is_free() -> None:
    kind = "gcp:compute/address:Address"
    assert costs(ResourceFixture(kind, {"addressType": "INTERNAL", "region": REGION})).lines == ()
    assert costs(ResourceFixture(kind, {"addressType": "EXTERNAL", "region": REGION})).maximum > 0


def test_types_without_a_price_are_listed_and_free_types_are_not() -> None:
    unknown = ResourceFixture("gcp:spanner/instance:Instance", {}, "spanner")
    free = ResourceFixture("gcp:projects/iAMMember:IAMMember", {}, "grant")
    by_use = ResourceFixture("gcp:pubsub/topic:Topic", {}, "topic")
    found = costs(unknown, free, by_use)
    assert {each.urn.rpartition("::")[2]: each.why for each in found.unpriced} == {
        "spanner": "no price in the list for gcp:spanner/instance:Instance",
        "topic": "Pub/Sub: paid by the GiB",
    }


def test_the_total_is_the_sum_of_the_cost_items() -> None:
    found = costs(redis(), atlas())
    assert found.minimum == pytest.approx(sum(each.minimum for each in found.lines))
    assert found.minimum < found.maximum
    assert found.dated == price_list().dated


@pytest.mark.parametrize(("region", "stand_in"), [(REGION, ""), ("asia-east9", REGION)])
def test_a_price_of_another_region_is_marked(region: str, stand_in: str) -> None:
    nat = ResourceFixture("gcp:compute/routerNat:RouterNat", {"region": region}, "nat")
    assert line(costs(nat, pool(1, 1)), "Cloud NAT").stand_in == stand_in
