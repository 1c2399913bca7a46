"""One setting is changed in a stack: the plan differs in exactly the values derived from it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from infra.settings.shutdown_timing import PROBE_FAILURES
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.pulumi.properties import UNKNOWN, unwrap
from tests.infra.audits.paths import leaves
from tests.infra.rehearsal import configuration, merge, name_of, operation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Plan = dict[str, Any]


@cache
def planned(key: str = "", value: int = 0) -> tuple[ResourceState, ...]:
    """Return the plan of prod with one changed setting of its workload: `api.maxReplicas` and the like."""
    values = configuration("prod")
    if key:
        tree: Any = value
        for part in reversed(key.split(".")):
            tree = {part: tree}
        merge(values, {"kingdom:workload": tree})
    with TemporaryDirectory() as folder:
        return tuple(operation("prod", Path(folder), values).preview().snapshot.resources)


def inputs(key: str = "", value: int = 0) -> Plan:
    """Every scalar input of the plan by resource and path."""
    found: Plan = {}
    for item in planned(key, value):
        if item.custom:
            for path, leaf in leaves(unwrap(item.inputs)):
                found.setdefault(f"{item.type.rpartition(':')[2]} {name_of(item.urn)} {path}", []).append(
                    leaf
                )
    return found


def moved(key: str, value: int) -> dict[str, tuple[Any, Any]]:
    """Return the differences from the unchanged stack; values unknown in both are equal."""
    before, after = inputs(), inputs(key, value)
    assert before.keys() == after.keys()
    return {path: (before[path], after[path]) for path in before if before[path] != after[path]}


HARD = [
    f"{kind}.{what}" for kind in ("limits", "requests") for what in ("cpu", "ephemeral-storage", "memory")
]
QUOTA = {f'ResourceQuota namespace spec.hard["{key}"]' for key in HARD} | {
    "ResourceQuota namespace spec.hard.pods"
}
POOL = "ConfigMap configuration data.KINGDOM_MONGODB_POOL"
REDIS = "Instance cache memorySizeGb"
GRACE = {
    f"Deployment {role} spec.template.spec.terminationGracePeriodSeconds": role for role in ("api", "worker")
}
READINESS = {
    f"Deployment {role} spec.template.spec.containers[].readinessProbe.periodSeconds"
    for role in ("api", "worker")
}
CHECK = "HealthCheckPolicy gateway-health spec.default.checkIntervalSec"
DRAIN = "ConfigMap configuration data.KINGDOM_DRAIN_SECONDS"
TIMEOUT = "GCPBackendPolicy gateway-backend spec.default.timeoutSec"
DRAINING = {
    "GCPBackendPolicy gateway-backend spec.default.connectionDraining.drainingTimeoutSec",
    "LoadBalancer edge-balancer sessionAffinityAttributes.drainDuration",
}


@pytest.mark.parametrize(
    ("key", "value", "more", "fewer"),
    [
        (
            "api.maxReplicas",
            200,
            QUOTA
            | {
                REDIS,
                "NodePool cluster-on-demand autoscaling.totalMaxNodeCount",
                "HorizontalPodAutoscaler api-scaling spec.maxReplicas",
            },
            {POOL},
        ),
        (
            "worker.maxReplicas",
            80,
            QUOTA
            | {
                "NodePool cluster-spot autoscaling.totalMaxNodeCount",
                "HorizontalPodAutoscaler worker-scaling spec.maxReplicas",
            },
            {POOL},
        ),
        ("drainSeconds", 30, {*GRACE, *READINESS, CHECK, DRAIN, *DRAINING}, set()),
        ("requestSeconds", 60, {*GRACE, TIMEOUT, *DRAINING}, set()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_setting_changes_exactly_the_values_derived_from_it(
    key: str, value: int, more: set[str], fewer: set[str]
) -> None:
    found = moved(key, value)
    rises = {path for path, (before, after) in found.items() if number(after) > number(before)}
    assert rises == more
    assert found.keys() - rises == fewer


@pytest.mark.parametrize(("drain", "finish"), [(15, 30), (30, 30), (15, 60)])
def test_the_steps_of_a_stop_add_up(drain: int, finish: int) -> None:
    plan = inputs("drainSeconds", drain) if drain != 15 else inputs("requestSeconds", finish)
    assert (number(plan[DRAIN]), number(plan[TIMEOUT])) == (drain, finish)
    # The load balancer retains connections to a replica for both steps of its stop...
    assert {number(plan[path]) for path in DRAINING} == {drain + finish}
    # ...which end before the grace period of the kubelet...
    assert all(number(plan[path]) > drain + finish for path in GRACE)
    # ...and begin with enough time for the probes to detect that it is not ready.
    for path in (*READINESS, CHECK):
        assert number(plan[path]) * (PROBE_FAILURES + 1) <= drain


def test_the_workload_is_planned_before_there_is_a_cluster() -> None:
    """Without a cluster, the provider's kubeconfig is unknown; every object is still planned."""
    plan = planned()
    (provider,) = [item for item in plan if item.type == "pulumi:providers:kubernetes"]
    assert provider.inputs["kubeconfig"] == UNKNOWN
    objects = [item for item in plan if item.type.startswith("kubernetes:")]
    assert len(objects) >= 35
    assert all(item.provider.startswith(f"{provider.urn}::") for item in objects)
    assert not [item for item in objects if item.inputs["metadata"].get("name") == UNKNOWN]


def number(found: Any) -> int:
    """The one number at a path, without its unit."""
    (value,) = set(found)
    return int(str(value).rstrip("Mim"))
