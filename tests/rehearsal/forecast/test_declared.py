"""The capacity that a planned stack declares, read from its resources."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from policies.api import UNKNOWN, Stack
from rehearsal.forecast.declared import DeclaredPlatform, UndeclaredError, Workload, read
from tests.policies.model.objects import declared, resource
from tests.rehearsal.forecast.factories import platform

POOL = "gcp:container/nodePool:NodePool"
ATLAS = "mongodbatlas:index/advancedCluster:AdvancedCluster"
RULESET = "cloudflare:index/ruleset:Ruleset"
LIMIT = {"requestsPerPeriod": 100, "period": 10}
V1 = 'starts_with(http.request.uri.path, "/v1/")'


def node_pool(name: str, machine: str, low: int, high: int, **config: Any) -> dict[str, Any]:
    return {
        "name": name,
        "location": "europe-west1",
        "autoscaling": {"totalMinNodeCount": low, "totalMaxNodeCount": high},
        "nodeConfig": {
            "machineType": machine, "labels": {"kingdom.studio/pool": name},
            "diskSizeGb": 100, "diskType": "pd-balanced", **config,
        },
    }  # fmt: skip


def deployment(pool: str, cpu: str | None, limit: str | None) -> dict[str, Any]:
    resources = {"requests": {"cpu": cpu, "memory": "768Mi"}, "limits": {"cpu": limit}}
    container = {
        "name": "main",
        "resources": {
            key: {name: each for name, each in values.items() if each} for key, values in resources.items()
        },
    }
    spec = {"nodeSelector": {"kingdom.studio/pool": pool}, "containers": [container]}
    return {"template": {"spec": spec}}


def atlas(size: str, lowest: str | None = None) -> dict[str, Any]:
    scaling = {} if lowest is None else {"computeMinInstanceSize": lowest}
    region = {
        "regionName": "WESTERN_EUROPE",
        "electableSpecs": {"instanceSize": size, "nodeCount": 3},
        "autoScaling": scaling,
    }
    return {"replicationSpecs": [{"regionConfigs": [region]}]}


GIVEN: dict[str, Any] = {
    "on-demand": (POOL, node_pool("on-demand", "e2-standard-8", 3, 20)),
    "spot": (POOL, node_pool("spot", "e2-standard-4", 2, 9, spot=True)),
    "api": ("apps/v1:Deployment", deployment("on-demand", "500m", "1")),
    "api-scaler": ("autoscaling/v2:HorizontalPodAutoscaler", {"minReplicas": 5, "maxReplicas": 100}),
    "worker": ("apps/v1:Deployment", deployment("spot", "250m", "2")),
    "worker-scaler": ("autoscaling/v2:HorizontalPodAutoscaler", {"maxReplicas": 40}),
    "database": (ATLAS, atlas("M30", "M20")),
    "config": (
        "core/v1:ConfigMap",
        {"KINGDOM_MONGODB_POOL": "25", "KINGDOM_REDIS_URL": "rediss://a", "KINGDOM_LIMITS_REDIS_URL": "rediss://b"},
    ),
    "edge": (RULESET, {"rules": [{"expression": V1, "ratelimit": LIMIT}]}),
}  # fmt: skip


def stack(**changes: Any) -> Stack:
    """The stack with some resources changed; None leaves one out."""
    resources = []
    for name, found in (deepcopy(GIVEN) | changes).items():
        if found is None:
            continue
        type_, inputs = found
        if type_ in {POOL, ATLAS, RULESET}:
            resources.append(resource(type_, inputs, name))
        elif type_ == "core/v1:ConfigMap":
            resources.append(declared(type_, name=name, data=inputs))
        else:
            resources.append(declared(type_, inputs, name.removesuffix("-scaler")))
    return Stack.of(resources)


def capacity(**changes: Any) -> DeclaredPlatform:
    return read("prod", stack(**changes))


def test_workloads_have_their_sizes_and_the_pool_that_they_select() -> None:
    found = capacity()
    api, worker = found.api, found.worker
    assert (api.min_replicas, api.max_replicas) == (5, 100)
    assert (api.cpu_request, api.cpu_limit, api.memory_request) == (0.5, 1.0, 768 * 2**20)
    assert (worker.min_replicas, worker.max_replicas, worker.cpu_request) == (1, 40, 0.25)
    assert (api.pool.name, api.pool.min_nodes, api.pool.max_nodes) == ("on-demand", 3, 20)
    assert (worker.pool.name, worker.pool.min_nodes, worker.pool.max_nodes) == ("spot", 2, 9)
    # 8 cores less those reserved for the node: 7.91.
    assert api.pool.cpu == pytest.approx(7.91)
    assert api.pods_per_node == 15


def test_node_costs_an_hour_of_its_machine_and_disk_and_the_rest_is_fixed() -> None:
    found = capacity()
    # List prices of europe-west1: the machine, and 100 GiB of disk at 0.1 USD a month and GiB.
    assert found.api.pool.usd == pytest.approx(0.29486184 + 100 * 0.1 / 730, rel=1e-4)
    assert found.worker.pool.usd == pytest.approx(0.071408 + 100 * 0.1 / 730, rel=1e-4)
    # The database at its lowest tier, whatever the number of nodes.
    assert found.fixed_usd == pytest.approx(0.2)
    more = capacity(spot=(POOL, node_pool("spot", "e2-standard-4", 9, 30, spot=True)))
    assert more.fixed_usd == found.fixed_usd
    assert more.worker.pool.usd == pytest.approx(found.worker.pool.usd)


@pytest.mark.parametrize(
    ("cpu", "per_node"), [("500m", 15), ("7910m", 1), ("7911m", 1), ("3955m", 2), ("3956m", 1)]
)
def test_pods_on_a_node_are_whole_and_at_least_one(cpu: str, per_node: int) -> None:
    found = capacity(api=("apps/v1:Deployment", deployment("on-demand", cpu, "8")))
    assert found.api.pods_per_node == per_node


def test_autoscaler_without_a_lower_bound_has_one_replica() -> None:
    given = platform().api
    assert Workload("x", {"maxReplicas": 3}, 1, 1, 1, given.pool).min_replicas == 1
    assert Workload("x", {"minReplicas": None, "maxReplicas": 3}, 1, 1, 1, given.pool).min_replicas == 1


@pytest.mark.parametrize(
    ("declared_as", "connections"),
    [(atlas("M30", "M20"), 3000), (atlas("M50"), 16_000), (atlas("M10"), 1500)],
)  # fmt: skip
def test_connections_are_those_of_the_lowest_tier(declared_as: dict[str, Any], connections: int) -> None:
    found = capacity(database=(ATLAS, declared_as))
    assert found.connections == connections
    # 25 of the pool and 2 of the driver's monitoring.
    assert (found.pool, found.connections_per_pod) == (25, 27)


def test_redis_of_each_use_is_separate_where_the_configuration_names_one() -> None:
    assert capacity().separate_redis == {"limits"}
    shared = ("core/v1:ConfigMap", {"KINGDOM_MONGODB_POOL": "9", "KINGDOM_REDIS_URL": "rediss://a"})
    assert capacity(config=shared).separate_redis == frozenset()


@pytest.mark.parametrize(
    ("rules", "rate"),
    [
        ([], None),
        ([{"expression": V1, "ratelimit": LIMIT}], 10.0),
        # A limit of one operation does not limit the others.
        ([{"expression": 'http.request.uri.path eq "/v1/sessions"', "ratelimit": LIMIT}], None),
        ([{"expression": V1}], None),
        (
            [
                {"expression": V1, "ratelimit": LIMIT},
                {"expression": V1, "ratelimit": {"requestsPerPeriod": 120, "period": 60}},
            ],
            2.0,
        ),
    ],
)
def test_strictest_rate_limit_of_the_whole_api_counts(
    rules: list[dict[str, Any]], rate: float | None
) -> None:
    assert capacity(edge=(RULESET, {"rules": rules})).client_rate == rate


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"api-scaler": None}, r"^the stack declares no HorizontalPodAutoscaler 'api'$"),
        ({"worker": None}, r"^the stack declares no Deployment 'worker'$"),
        ({"database": None}, r"^the stack declares no Atlas cluster$"),
        (
            {"database": (ATLAS, atlas("M30", "M5"))},
            r"^the connections of the Atlas tier 'M5' are not known here; known: M10, M20, M30, ",
        ),
        (
            {"config": ("core/v1:ConfigMap", {"OTHER": "1"})},
            r"^no ConfigMap of the stack sets KINGDOM_MONGODB_POOL$",
        ),
        (
            {"config": ("core/v1:ConfigMap", {"KINGDOM_MONGODB_POOL": "many"})},
            r"^a size of prod is not known yet or malformed: .*'many'",
        ),
        ({"spot": None}, r"^no node pool of prod has the labels that the Deployment 'worker' selects$"),
        (
            {"api": ("apps/v1:Deployment", deployment("on-demand", None, "1"))},
            r"^the Deployment 'api' has no CPU request and limit, or no replicas$",
        ),
        (
            {"api": ("apps/v1:Deployment", deployment("on-demand", "500m", None))},
            r"^the Deployment 'api' has no CPU request and limit, or no replicas$",
        ),
        (
            {"api-scaler": ("autoscaling/v2:HorizontalPodAutoscaler", {"minReplicas": 5, "maxReplicas": 4})},
            r"^the Deployment 'api' has no CPU request and limit, or no replicas$",
        ),
        (
            {"api-scaler": ("autoscaling/v2:HorizontalPodAutoscaler", {"maxReplicas": UNKNOWN})},
            r"^a size of prod is not known yet or malformed: ",
        ),
    ],
)  # fmt: skip
def test_stack_that_cannot_be_forecast_is_refused_with_the_missing_part(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UndeclaredError, match=message):
        capacity(**changes)


def test_equal_bounds_of_an_autoscaler_are_replicas() -> None:
    fixed = ("autoscaling/v2:HorizontalPodAutoscaler", {"minReplicas": 4, "maxReplicas": 4})
    assert capacity(**{"api-scaler": fixed}).api.max_replicas == 4
