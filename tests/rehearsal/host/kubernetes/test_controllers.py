"""Controllers of Deployments: pods created and terminated, readiness, backends of Services."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.desired_state import Desired
from rehearsal.host.errors import MachineError
from rehearsal.host.kubernetes import controllers
from rehearsal.host.kubernetes.controllers import Workloads, owner
from tests.rehearsal.host.kubernetes.objects import NAMESPACE, FakePod, context_of, declared

pytestmark = pytest.mark.anyio
TEMPLATE = {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [{"name": "main"}]}}


def deployment(replicas: int = 2, **spec: Any) -> Desired:
    template = spec.pop("template", TEMPLATE)
    return declared("Deployment", {"replicas": replicas, "template": template, **spec}, "api", api="apps/v1")


@pytest.fixture
def workloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workloads:
    monkeypatch.setattr(controllers, "Pod", FakePod)
    return Workloads(context_of(tmp_path), lambda: None)


async def synced(workloads: Workloads, *objects: Desired) -> list[Any]:
    """Declare `objects`, reconcile once, let terminations finish, and return the pods that remain."""
    for item in objects:
        workloads._context.store.put(item)
    await workloads.sync()
    await asyncio.gather(*workloads._ending.values())
    return list(workloads.pods())


def make_ready(*pods: Any) -> None:
    for pod in pods:
        pod.record.ready, pod.record.phase = True, "Running"


async def test_pods_are_created_up_to_the_replicas_and_started(workloads: Workloads) -> None:
    pods = await synced(workloads, deployment(3))
    assert len({pod.record.name for pod in pods}) == 3
    assert all(pod.record.name.startswith("api-") and pod.record.scheduled for pod in pods)
    assert {pod.record.owner for pod in pods} == {owner(deployment())}
    assert len(await synced(workloads)) == 3


async def test_surplus_and_orphaned_pods_are_terminated(workloads: Workloads) -> None:
    make_ready(*await synced(workloads, deployment(3)))
    assert len(await synced(workloads, deployment(1))) == 1
    desired = deployment(1)
    workloads._context.store.remove(desired.urn, desired.id)
    assert not workloads.is_deleted(desired)
    assert await synced(workloads) == []
    assert workloads.is_deleted(desired)


async def test_another_template_replaces_the_pods(workloads: Workloads) -> None:
    make_ready(*await synced(workloads, deployment(2)))
    changed = deployment(2, template={**TEMPLATE, "spec": {"containers": [{"name": "other"}]}})
    assert workloads.revision(changed) != workloads.revision(deployment(2))
    for _ in range(6):
        make_ready(*await synced(workloads, changed))
    pods = workloads.pods()
    assert {pod.record.revision for pod in pods} == {workloads.revision(changed)}
    assert len(pods) == 2


async def test_readiness_counts_available_pods_of_the_new_revision(workloads: Workloads) -> None:
    pods = await synced(workloads, deployment(2, minReadySeconds=30))
    readiness = await workloads.readiness(deployment(2, minReadySeconds=30))
    assert (readiness.ready, readiness.reasons[0]) == (False, "0 of 2 pods are available")
    make_ready(*pods)
    assert (await workloads.readiness(deployment(2, minReadySeconds=30))).ready
    pods[0].old_enough = False
    readiness = await workloads.readiness(deployment(2, minReadySeconds=30))
    assert readiness.reasons == ["1 of 2 pods are available"]
    assert (await workloads.readiness(deployment(2))).ready


async def test_crash_loop_fails_with_the_reasons_of_two_pods(workloads: Workloads) -> None:
    pods = await synced(workloads, deployment(3))
    for number, pod in enumerate(pods):
        pod.reasons = [f"reason {number}"]
    readiness = await workloads.readiness(deployment(3))
    assert not readiness.failed
    assert len(readiness.reasons) == 3
    pods[2].restarts = 5
    assert (await workloads.readiness(deployment(3))).failed


@pytest.mark.parametrize(("elapsed", "failed"), [(59.0, False), (61.0, True)])
async def test_rollout_without_progress_fails_after_its_deadline(
    workloads: Workloads, monkeypatch: pytest.MonkeyPatch, elapsed: float, failed: bool
) -> None:
    desired = deployment(1, progressDeadlineSeconds=60)
    await synced(workloads, desired)
    now = time.monotonic() + elapsed
    monkeypatch.setattr(controllers.time, "monotonic", lambda: now)
    readiness = await workloads.readiness(desired)
    assert readiness.failed == failed
    assert readiness.reasons[0].startswith("its rollout made no progress for 60 s") == failed
    workloads.await_progress()
    assert not (await workloads.readiness(desired)).failed


async def test_rejected_pod_is_reported_and_fails_after_ten_seconds(
    workloads: Workloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = declared("ResourceQuota", {"hard": {"pods": "1"}}, "pods")
    assert len(await synced(workloads, quota, deployment(2))) == 1
    readiness = await workloads.readiness(deployment(2))
    assert "exceeded quota: pods" in readiness.reasons[1]
    assert not readiness.failed
    assert any("exceeded quota" in problem for problem in workloads.problems())
    now = time.monotonic() + 10.5
    monkeypatch.setattr(controllers.time, "monotonic", lambda: now)
    assert (await workloads.readiness(deployment(2))).failed
    await synced(workloads, deployment(1))
    assert workloads.problems() == []


async def test_terminating_pods_count_against_quotas_until_they_have_ended(workloads: Workloads) -> None:
    [pod] = await synced(workloads, declared("ResourceQuota", {"hard": {"pods": "1"}}), deployment(1))
    workloads.end(pod)
    await workloads.sync()
    assert len(workloads.pods()) == 1
    await asyncio.gather(*workloads._ending.values())
    [other] = await synced(workloads)
    assert other.record.name != pod.record.name


async def test_objects_beyond_a_quota_are_refused(workloads: Workloads) -> None:
    workloads._context.store.put(declared("ResourceQuota", {"hard": {"configmaps": "0"}}))
    with pytest.raises(MachineError, match="exceeded quota"):
        workloads.admit_object(declared("ConfigMap"))


async def test_backends_of_a_service_are_its_ready_pods(workloads: Workloads) -> None:
    pods = await synced(workloads, deployment(2))
    for number, pod in enumerate(pods):
        pod.record.ports = {"8080": 18_001 + number}
    spec = {"selector": {"app": "api"}, "ports": [{"port": 80, "name": "http", "targetPort": 8080}]}
    workloads._context.store.put(declared("Service", spec, "api"))
    make_ready(pods[1])

    def ports(port: int | str | None) -> list[int]:
        return [number for _, number in workloads.backends(NAMESPACE, "api", port)]

    assert ports(80) == ports("http") == ports(None) == [18_002]
    assert ports(81) == []
    assert workloads.backends(NAMESPACE, "other", 80) == []
    pods[1].terminating = True
    assert ports(80) == []


async def test_awaited_objects_may_be_skipped(workloads: Workloads) -> None:
    skipped = declared(
        "Deployment", {"replicas": 9}, metadata={"annotations": {"pulumi.com/skipAwait": "true"}}
    )
    assert (await workloads.readiness(skipped)).ready
    assert (await workloads.readiness(declared("CronJob", {}))).ready


async def test_unsupported_objects_are_noted(workloads: Workloads) -> None:
    assert workloads.notes() == []
    await synced(workloads, declared("StatefulSet", {}, api="apps/v1"), deployment(1))
    notes = " ".join(workloads.notes())
    assert "StatefulSets" in notes
    assert "containers are plain processes" in notes
