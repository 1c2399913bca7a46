"""Numbers that follow from replicas and requests: quotas, node pools, connections and memory of Redis."""

from __future__ import annotations

from typing import Any

import pytest

from infra.settings import Settings
from infra.settings.load_test import RunSettings
from infra.settings.loader import parse
from infra.settings.platform import PoolSettings
from infra.settings.service import ResourceSettings, RoleSettings
from infra.settings.sizing import (
    ATLAS_CONNECTIONS,
    MAX_PODS_PER_NODE,
    MONITORS,
    Nodes,
    Sizing,
    cross_field_errors,
    load_test_nodes,
    mongodb_pool,
    nodes,
    peak,
    peak_resources,
    pods_per_node,
    redis_gb,
    separate_redis_gb,
    surge,
    total,
)
from infra.settings.types import AtlasSize, RedisUse
from tests.infra.rehearsal import STACKS, Declared, configuration, merge
from tests.infra.settings.problems import setting_problems

# Of an n2d-standard-4 (4 CPUs, 16 GiB) pods get 3420m and 12,500 MiB.
MACHINE = PoolSettings.model_validate({"machineType": "n2d-standard-4", "diskGb": 50})
SMALL = {"cpuMilli": 500, "cpuLimitMilli": 1000, "memoryMi": 1024, "scratchMi": 64}


def resources(**changes: int) -> ResourceSettings:
    return ResourceSettings.model_validate(SMALL | changes)


def role(minimum: int, maximum: int, percent: int = 10, **changes: int) -> RoleSettings:
    """A role with these replicas and surge, of pods of 500m and 1 GiB."""
    return RoleSettings.model_validate(
        {
            "minReplicas": minimum,
            "maxReplicas": maximum,
            "surgePercent": percent,
            "cpuPercent": 65,
            "memoryPercent": 75,
            "signals": {"requests": {"gauge": "kingdom_http_requests_per_second", "targetMilli": 1000}},
            "resources": SMALL | changes,
        }
    )


def prod(change: dict[str, Any] | None = None) -> Settings:
    """Settings of prod with a change."""
    values: dict[str, Any] = configuration("prod")
    merge(values, change or {})
    return parse("prod", values)


@pytest.mark.parametrize(
    ("maximum", "percent", "expected"), [(100, 10, 10), (101, 10, 11), (3, 25, 1), (1, 1, 1), (4, 100, 4)]
)
def test_a_surge_is_rounded_up_as_kubernetes_does(maximum: int, percent: int, expected: int) -> None:
    assert surge(role(1, maximum, percent)) == expected
    assert peak(role(1, maximum, percent)) == maximum + expected


def test_the_quota_holds_a_rollout_whose_old_pods_still_terminate() -> None:
    scaled_out = role(2, 20, 10)
    assert peak_resources(scaled_out).pods == 22
    assert peak_resources(scaled_out, rolling=True).pods == 24
    assert peak_resources(scaled_out, rolling=True).memory_mi == 24 * 1024


def test_totals_are_the_products_of_a_pod() -> None:
    found = total(3, resources())
    assert found.hard() == {
        "pods": "3",
        "requests.cpu": "1500m",
        "limits.cpu": "3000m",
        "requests.memory": "3072Mi",
        "limits.memory": "3072Mi",
        "requests.ephemeral-storage": "192Mi",
        "limits.ephemeral-storage": "192Mi",
    }
    assert (found + found).hard() == total(6, resources()).hard()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 6),  # CPU is the scarcer one: 3420 / 500
        ({"cpuMilli": 100, "memoryMi": 4000}, 3),  # memory is
        ({"cpuMilli": 10, "memoryMi": 32}, MAX_PODS_PER_NODE),
        ({"cpuMilli": 3420, "cpuLimitMilli": 3420}, 1),
        ({"cpuMilli": 3421, "cpuLimitMilli": 3421}, 0),
    ],
)
def test_a_node_holds_what_its_scarcer_resource_allows(changes: dict[str, int], expected: int) -> None:
    assert pods_per_node(resources(**changes), MACHINE) == expected


def bounds(*roles: RoleSettings, single: int = 0, zones: int = 3) -> Nodes:
    cluster = prod().cluster
    cluster = cluster.model_copy(update={"zones": cluster.zones[:zones]})
    return nodes(roles, MACHINE, cluster, [resources()] * single)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (bounds(role(1, 1)), Nodes(1, 3)),
        (bounds(role(3, 3)), Nodes(3, 3)),  # a node in each zone for three replicas to spread
        (bounds(role(3, 3), zones=2), Nodes(2, 2)),
        (bounds(role(24, 24)), Nodes(4, 6)),  # 6 pods a node; 27 at the peak are 5 nodes, 6 when balanced
        (bounds(role(1, 16)), Nodes(1, 3)),  # 18 pods at the peak fill 3 nodes exactly
        (bounds(role(1, 17)), Nodes(1, 6)),
        (bounds(role(1, 16), single=1), Nodes(1, 6)),  # and one run of the monitor is one more
        (bounds(role(1, 1), role(1, 1)), Nodes(2, 3)),
    ],
)
def test_a_pool_grows_from_the_minimum_to_the_peak_in_whole_zones(found: Nodes, expected: Nodes) -> None:
    assert found == expected


def test_the_pool_of_a_load_test_holds_its_workers_and_the_coordinator() -> None:
    run = RunSettings.model_construct(workers=12, resources=resources(), pool=MACHINE)
    assert load_test_nodes(run) == Nodes(0, 3)  # 13 pods, 6 a node
    assert load_test_nodes(run.model_copy(update={"workers": 11})) == Nodes(0, 2)


def test_the_connection_pools_of_all_pods_fit_the_min_tier(declared: Declared) -> None:
    settings = parse(declared.stack, configuration(declared.stack))
    pool = int(declared.one("ConfigMap", "configuration")["data"]["KINGDOM_MONGODB_POOL"])
    pods = sum(map(peak, settings.workload.roles.values()))
    assert pods * (pool + MONITORS) < ATLAS_CONNECTIONS[AtlasSize(settings.database.min_size)] * 0.8


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        # 110 api and 44 worker pods share 75 % of the connections; 2 of each pod are for monitoring.
        ("M30", 12),
        ("M40", 27),
        ("M50", 75),
        ("M60", 100),
    ],
)
def test_a_pod_gets_its_share_of_three_quarters_of_the_connections(size: str, expected: int) -> None:
    assert mongodb_pool(prod({"kingdom:database": {"minSize": size}})) == expected


def test_redis_holds_working_sets_queues_and_buffers_with_a_third_to_spare() -> None:
    shared = prod({"kingdom:cache": {"minGb": 1}})
    shared = shared.model_copy(update={"cache": shared.cache.model_copy(update={"separate": {}})})
    # 110 replicas of 96 MiB, 2048 MiB of queues, 154 pods of 32 connections of 40 KiB: 12,800.5 MiB.
    assert redis_gb(shared) == 19
    # Queues with an instance of their own are not counted: 10,752.5 MiB.
    apart = shared.cache.model_copy(update={"separate": {RedisUse.QUEUE: 1}})
    assert redis_gb(shared.model_copy(update={"cache": apart})) == 16


def test_a_separate_instance_holds_its_use_and_at_least_the_configured_memory() -> None:
    settings = prod({"kingdom:cache": {"separate": {"limits": 1, "queue": 1}}})
    assert separate_redis_gb(settings, RedisUse.QUEUE) == 4  # 2048 and 192.5 MiB, and half as much again
    assert separate_redis_gb(settings, RedisUse.LIMITS) == 1
    larger = prod({"kingdom:cache": {"separate": {"limits": 5, "queue": 7}}})
    assert {use: separate_redis_gb(larger, use) for use in larger.cache.separate} == {
        RedisUse.LIMITS: 5,
        RedisUse.QUEUE: 7,
    }


@pytest.mark.parametrize("stack", STACKS)
def test_raising_max_replicas_moves_quota_pools_and_connections(stack: str) -> None:
    values: dict[str, Any] = configuration(stack)
    before = Sizing.of(parse(stack, values))
    api = values["kingdom:workload"]["api"]
    api["maxReplicas"] *= 2
    settings = parse(stack, values)
    after = Sizing.of(settings)
    # Besides the peak, the pods that a rollout leaves terminating, and one run of the monitor.
    runs = 0 if settings.observability.monitor is None else 1
    pods = sum(peak(role) + surge(role) for role in settings.workload.roles.values())
    assert after.quota.pods == pods + runs
    assert after.quota.cpu_milli > before.quota.cpu_milli
    assert after.on_demand.maximum >= before.on_demand.maximum
    assert after.mongodb_pool <= before.mongodb_pool
    assert after.redis_gb >= before.redis_gb


def test_doubling_the_replicas_of_production_moves_everything_that_follows() -> None:
    values: dict[str, Any] = configuration("prod")
    before = Sizing.of(parse("prod", values))
    values["kingdom:workload"]["api"]["maxReplicas"] *= 2
    after = Sizing.of(parse("prod", values))
    assert after.quota.memory_mi > before.quota.memory_mi
    assert after.on_demand.maximum > before.on_demand.maximum
    assert after.mongodb_pool < before.mongodb_pool
    assert after.redis_gb > before.redis_gb


def test_replicas_that_no_tier_has_connections_for_are_refused() -> None:
    values: dict[str, Any] = configuration("prod")
    values["kingdom:database"]["minSize"] = "M10"
    values["kingdom:workload"]["api"]["maxReplicas"] = 300
    with pytest.raises(Exception, match=r"kingdom:database.minSize .*\n.*give a larger tier"):
        parse("prod", values)


def test_an_image_from_elsewhere_is_refused() -> None:
    values = configuration("prod")
    values["kingdom:workload"]["image"]["repository"] = "docker.io/library/python"
    assert "must begin with europe-west1-docker.pkg.dev/kingdom-prod/" in "".join(
        setting_problems(values).values()
    )


def test_a_monitor_that_fits_on_no_node_is_refused() -> None:
    values = configuration("prod")
    resources = values["kingdom:observability"]["monitor"]["resources"]
    resources |= {"cpuMilli": 60_000, "cpuLimitMilli": 60_000}
    found = setting_problems(values)["kingdom:cluster.spot.machineType"]
    assert "too small for one pod of monitor, 60000m CPU" in found


def test_a_machine_type_that_is_not_understood_is_reported_for_each_pool() -> None:
    values = configuration("prod")
    values["kingdom:cluster"]["onDemand"]["machineType"] = "m3-ultramem-32"
    found = setting_problems(values)
    assert list(found) == ["kingdom:cluster.onDemand.machineType"]
    assert "machine type m3-ultramem-32 is not supported" in found["kingdom:cluster.onDemand.machineType"]


def test_five_connections_for_each_pod_are_enough() -> None:
    # With a share of 75 % of 3,000 connections, 2,250 / 7 are 321 pods; with one more a pod gets 4.
    def problems(maximum: int) -> list[str]:
        values = configuration("prod")
        values["kingdom:database"]["minSize"] = "M30"
        values["kingdom:workload"]["api"] |= {"maxReplicas": maximum, "surgePercent": 1}
        values["kingdom:workload"]["worker"] |= {"minReplicas": 1, "maxReplicas": 1, "surgePercent": 1}
        return [key for key, _, _ in cross_field_errors(Settings.parse("prod", values))]

    assert problems(315) == []
    assert problems(316) == ["database.minSize"]
