"""Controller of autoscalers: syncs, the scale it writes, and what is shown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.component import Readiness
from rehearsal.host.desired_state import Desired
from rehearsal.host.kubernetes.events import EventLog
from rehearsal.host.kubernetes.hpa.controller import HorizontalPodAutoscalers, _read
from rehearsal.host.kubernetes.pod_metrics import MetricSource
from rehearsal.host.processes.resource_usage import Usage
from tests.rehearsal.host.kubernetes.objects import NAMESPACE, FakePod, context_of, declared, record
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
    condition = next(item for item in status.conditions if item["type"] == "AbleToScale")
    assert (condition["status"], condition["reason"]) == ("False", "FailedGetScale")
    assert 'deployments/scale.apps "other" not found' in condition["message"]


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


async def test_counters_of_deleted_pods_are_dropped(tmp_path: Path) -> None:
    found = controller(tmp_path, DEPLOYMENT, pods=(FakePod(None, record("api-0")),))
    counters: Any = {"api-0": object(), "deleted": object()}
    found._counters = counters
    found._forget(set())
    assert list(found._counters) == ["api-0"]


API = {"metadata": {"labels": {"app": "api"}}}


class MeasuredPod(FakePod):
    """A pod whose containers use a constant share of a core."""

    cpu = 0.0

    def container_usage(self) -> dict[str, Usage | None]:
        return {"main": Usage(self.cpu, 0, taken=time.time(), window=15.0)}


def pod_of(name: str, *, port: int = 0, namespace: str = NAMESPACE, template: Any = API, **more: Any) -> Any:
    ports = {"metrics": port} if port else {}
    fields: dict[str, Any] = {"phase": "Running", "ready": True, "template": template, "ports": ports}
    found = record(name, **(fields | more))
    found.namespace = namespace
    return MeasuredPod(None, found)


@asynccontextmanager
async def exposing(text: str) -> AsyncIterator[int]:
    """Serve a Prometheus exposition; return the port."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.0 200 OK\r\n\r\n{text}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def by_metric(kind: str) -> Desired:
    target = {"type": "AverageValue", "averageValue": "10"}
    metric = {"type": kind, kind.lower(): {"metric": {"name": "queue"}, "target": target}}
    return autoscaler(metrics=[metric], minReplicas=1, maxReplicas=20)


async def test_metric_that_pods_expose_scales_their_deployment(tmp_path: Path) -> None:
    async with exposing("queue 15\n") as port:
        pods = (
            pod_of("api-0", port=port),
            pod_of("api-1", port=port),
            pod_of("other", port=port, template={"metadata": {"labels": {"app": "other"}}}),
            pod_of("api-elsewhere", port=port, namespace="elsewhere"),
        )
        found = controller(tmp_path, DEPLOYMENT, by_metric("Pods"), pods=pods)
        await run_until(found, lambda: synced(found))
    assert found.replicas(DEPLOYMENT) == 3
    [status] = found.status()
    assert status.metrics == ["queue: 15 of 10 a pod, 3 replicas"]


async def test_finished_pods_are_neither_measured_nor_counted(tmp_path: Path) -> None:
    async with exposing("queue 10.5\n") as port:
        pods = (
            pod_of("api-0", port=port),
            pod_of("api-1", port=port),
            pod_of("api-2", port=port, phase="Succeeded"),
        )
        found = controller(tmp_path, DEPLOYMENT, by_metric("External"), pods=pods)
        await run_until(found, lambda: synced(found))
    # 21 for two running pods is within the tolerance of 10 each.
    assert found.replicas(DEPLOYMENT) == 2


async def test_utilization_of_a_container_scales_its_deployment(tmp_path: Path) -> None:
    source = {"name": "cpu", "container": "main", "target": {"type": "Utilization", "averageUtilization": 50}}
    metric = {"type": "ContainerResource", "containerResource": source}
    containers = [{"name": "main", "resources": {"requests": {"cpu": "1"}}}]
    pod = pod_of("api-0", template=API | {"spec": {"containers": containers}})
    pod.cpu = 1.5
    found = controller(tmp_path, DEPLOYMENT, autoscaler(metrics=[metric], minReplicas=1), pods=(pod,))
    await run_until(found, lambda: synced(found))
    assert found.replicas(DEPLOYMENT) == 3


async def test_metrics_are_read_from_the_selected_pods_only() -> None:
    async with exposing("queue 7\n") as port:
        pod = pod_of("api-0", port=port)
        selecting = MetricSource("queue", selector=(("app", "api"),))
        assert [item.value for item in await _read(pod, selecting)] == [7.0]
        assert [item.value for item in await _read(pod, MetricSource("queue", port="metrics"))] == [7.0]
        assert await _read(pod, MetricSource("queue", selector=(("app", "other"),))) == []
        assert await _read(pod, MetricSource("queue", port="absent")) == []
        assert await _read(pod_of("api-1"), MetricSource("queue")) == []


async def test_deployment_of_another_name_or_kind_is_not_scaled(tmp_path: Path) -> None:
    found = controller(tmp_path, DEPLOYMENT, autoscaler())
    await run_until(found, lambda: synced(found))
    found._replicas["other"] = 9
    other = declared("Deployment", {}, "other", api="apps/v1")
    found._replicas[other.urn] = 9
    assert found.replicas(other) == 1
    set_of = autoscaler(scaleTargetRef={"kind": "StatefulSet", "name": "api"})
    assert (await controller(tmp_path, DEPLOYMENT, set_of).readiness(set_of)).ready


async def test_readiness_after_a_sync_is_that_of_the_target(tmp_path: Path) -> None:
    class NotReady(Workloads):
        async def readiness(self, desired: Desired) -> Readiness:
            return Readiness(ready=False, reasons=[f"{desired.name} has no pods"])

    workloads: Any = NotReady()
    found = HorizontalPodAutoscalers(context_of(tmp_path, DEPLOYMENT, autoscaler()), workloads, EventLog())
    await run_until(found, lambda: synced(found))
    assert (await found.readiness(autoscaler())).reasons == ["api has no pods"]


async def test_autoscaler_is_synced_once_a_period(tmp_path: Path) -> None:
    found = controller(tmp_path, DEPLOYMENT, autoscaler())
    await run_until(found, lambda: synced(found))
    await run_until(found, lambda: synced(found))
    trace = found.trace(NAME)
    assert trace is not None
    assert len(trace["steps"]) == 1


async def test_pods_of_two_autoscalers_are_not_scaled(tmp_path: Path) -> None:
    second = autoscaler(minReplicas=1)
    second = Desired(
        second.urn + "-2",
        second.type,
        second.id + "-2",
        second.inputs | {"metadata": {"name": "api-2", "namespace": NAMESPACE}},
    )
    pods = (pod_of("api-0"), pod_of("api-1"), pod_of("api-2"))
    first = autoscaler(minReplicas=1)
    found = controller(tmp_path, DEPLOYMENT, first, second, pods=pods)
    await run_until(found, lambda: synced(found))
    reasons = {
        condition["reason"]
        for status in found.status()
        for condition in status.conditions
        if condition["type"] == "ScalingActive"
    }
    assert "AmbiguousSelector" in reasons
