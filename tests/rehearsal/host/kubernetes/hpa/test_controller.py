"""Controller of autoscalers: syncs, the scale it writes, and what is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.desired_state import Desired
from rehearsal.host.kubernetes.events import EventLog
from rehearsal.host.kubernetes.hpa.controller import HorizontalPodAutoscalers
from tests.rehearsal.host.kubernetes.objects import FakePod, context_of, declared, record
from tests.support.backends import until

pytestmark = pytest.mark.anyio
DEPLOYMENT = declared(
    "Deployment", {"replicas": 1, "selector": {"matchLabels": {"app": "api"}}}, "api", api="apps/v1"
)
NAME = "kingdom/api"


def autoscaler(target: str = "api", **spec: Any) -> Desired:
    content = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
        "minReplicas": 3,
        "maxReplicas": 5,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
            }
        ],
    }
    return declared("HorizontalPodAutoscaler", content | spec, "api", api="autoscaling/v2")


class Workloads:
    def __init__(self, *pods: FakePod) -> None:
        self._pods = pods

    def pods(self) -> list[FakePod]:
        return list(self._pods)

    def of(self, desired: Desired) -> list[FakePod]:
        return list(self._pods)


def controller(folder: Path, *objects: Desired, pods: tuple[FakePod, ...] = ()) -> HorizontalPodAutoscalers:
    workloads: Any = Workloads(*pods)
    return HorizontalPodAutoscalers(context_of(folder, *objects), workloads, EventLog())


async def run_until(found: HorizontalPodAutoscalers, done: Callable[[], bool]) -> int:
    """Run the controller until `done`; return how often it reported a change."""
    changes = 0

    def changed() -> None:
        nonlocal changes
        changes += 1

    task = asyncio.create_task(found.run(changed))
    await until(done)
    task.cancel()
    return changes


def synced(found: HorizontalPodAutoscalers) -> bool:
    return all(item.outcome != "not synced yet" for item in found.status())


async def test_scale_is_raised_to_the_minimum_and_survives_a_restart(tmp_path: Path) -> None:
    found = controller(tmp_path, DEPLOYMENT, autoscaler())
    assert found.replicas(DEPLOYMENT) == 1
    assert await run_until(found, lambda: synced(found)) == 1
    assert found.replicas(DEPLOYMENT) == 3
    assert controller(tmp_path, DEPLOYMENT, autoscaler()).replicas(DEPLOYMENT) == 3


async def test_written_scale_counts_as_long_as_there_is_an_autoscaler(tmp_path: Path) -> None:
    found = controller(tmp_path, DEPLOYMENT, autoscaler())
    await run_until(found, lambda: synced(found))
    own = autoscaler()
    found._context.store.remove(own.urn, own.id)
    assert found.replicas(DEPLOYMENT) == 1


async def test_scale_within_the_bounds_is_not_written(tmp_path: Path) -> None:
    found = controller(tmp_path, DEPLOYMENT, autoscaler(minReplicas=1))
    assert await run_until(found, lambda: synced(found)) == 0
    assert found.replicas(DEPLOYMENT) == 1


async def test_missing_target_is_a_condition(tmp_path: Path) -> None:
    found = controller(tmp_path, DEPLOYMENT, autoscaler("other"))
    await run_until(found, lambda: synced(found))
    [status] = found.status()
    assert (status.current, status.desired) == (0, 0)
    conditions = {item["type"]: (item["status"], item["reason"]) for item in status.conditions}
    assert conditions["AbleToScale"] == ("False", "FailedGetScale")


async def test_status_shows_bounds_and_replicas(tmp_path: Path) -> None:
    pods = tuple(FakePod(None, record(f"api-{number}")) for number in range(2))
    found = controller(tmp_path, DEPLOYMENT, autoscaler(), pods=pods)
    [status] = found.status()
    assert (status.name, status.current, status.desired) == (NAME, 2, 1)
    assert (status.minimum, status.maximum) == (3, 5)
    assert (status.metrics, status.outcome) == ([], "not synced yet")


async def test_readiness_waits_for_the_first_sync(tmp_path: Path) -> None:
    found = controller(tmp_path, DEPLOYMENT, autoscaler())
    readiness = await found.readiness(autoscaler())
    assert (readiness.ready, readiness.reasons) == (False, ["the autoscaler was not synced yet"])
    assert (await found.readiness(autoscaler("other"))).ready


async def test_changed_autoscaler_is_synced_at_once(tmp_path: Path) -> None:
    found = controller(tmp_path, DEPLOYMENT, autoscaler())
    await run_until(found, lambda: synced(found))
    found._context.store.put(autoscaler(minReplicas=4))
    await run_until(found, lambda: found.replicas(DEPLOYMENT) == 4)


async def test_trace_has_every_sync(tmp_path: Path) -> None:
    found = controller(tmp_path, DEPLOYMENT, autoscaler())
    await run_until(found, lambda: synced(found))
    trace = found.trace(NAME)
    assert trace is not None
    assert len(trace["steps"]) == 1
    assert found.trace("kingdom/other") is None


async def test_pods_custom_metric_without_a_source_is_unavailable(tmp_path: Path) -> None:
    metric = {
        "metric": {"name": "autoscaling.gke.io|api|requests"},
        "target": {"type": "AverageValue", "averageValue": "1"},
    }
    found = controller(
        tmp_path, DEPLOYMENT, autoscaler(metrics=[{"type": "Pods", "pods": metric}], minReplicas=1)
    )
    await run_until(found, lambda: synced(found))
    [status] = found.status()
    conditions = {item["type"]: item["status"] for item in status.conditions}
    assert conditions["ScalingActive"] == "False"
