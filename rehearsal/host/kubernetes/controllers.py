"""Controllers of Deployments, Jobs and CronJobs, and the endpoints of Services."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

from rehearsal.host.component import READY, Context, Readiness
from rehearsal.host.desired_state import Desired
from rehearsal.host.errors import MachineError
from rehearsal.host.kubernetes import jobs
from rehearsal.host.kubernetes import pods as records
from rehearsal.host.kubernetes.admission import (
    AdmissionError,
    check_count,
    check_limits,
    check_quotas,
    with_defaults,
)
from rehearsal.host.kubernetes.events import EventLog
from rehearsal.host.kubernetes.hpa.controller import HorizontalPodAutoscalers
from rehearsal.host.kubernetes.node import Node, Scheduler
from rehearsal.host.kubernetes.pods import Pod, PodRecord
from rehearsal.host.kubernetes.references import selects
from rehearsal.host.kubernetes.rollout import Replica, RolloutProgress, Strategy, step
from rehearsal.host.status import AutoscalerStatus

# Seconds to wait for quota capacity before a rejected pod counts as failed.
_REFUSED_SECONDS = 10.0
# The default of progressDeadlineSeconds.
_PROGRESS_SECONDS = 600.0
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # as in Kubernetes: no vowels, so that names do not form words


class Workloads:
    """All pods of the host, and the controllers that create and terminate them."""

    types = frozenset({"Deployment", "Job", "CronJob", "HorizontalPodAutoscaler"})

    def __init__(self, context: Context, changed: Callable[[], None]) -> None:
        self._context = context
        self._changed = changed
        self._pods: dict[str, Pod] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}
        self._refused: dict[str, tuple[float, str]] = {}
        self._wakes: dict[str, float] = {}
        self._progress: dict[str, RolloutProgress] = {}
        self.events = EventLog()
        self._scheduler = Scheduler(Node.this_machine(), self.pods, self.events)
        self._autoscalers = HorizontalPodAutoscalers(context, self, self.events)

    # -- pods ------------------------------------------------------------------------------------

    def load(self) -> None:
        """Adopt the pods of an earlier supervisor."""
        for record in records.load(self._context.home.pods):
            pod = Pod(self._context, record, self._changed, self._scheduler.place)
            self._pods[record.name] = pod
            pod.start()

    def of(self, desired: Desired) -> list[Pod]:
        """Return the pods of an object that are not terminating, the oldest first."""
        owned = (pod for pod in self._pods.values() if pod.record.owner == owner(desired))
        return sorted((pod for pod in owned if not pod.terminating), key=lambda pod: pod.record.created)

    def pods(self) -> list[Pod]:
        return list(self._pods.values())

    def selected(self, namespace: str, selector: dict[str, Any]) -> list[Pod]:
        return [
            pod
            for pod in self._pods.values()
            if pod.record.namespace == namespace and selects(selector, pod.labels) and not pod.terminating
        ]

    def backends(self, namespace: str, service: str, port: int | str | None) -> list[tuple[Pod, int]]:
        """Return the ready pods of a Service with their local ports."""
        found = self._context.store.find("Service", namespace, service)
        if found is None:
            return []
        declared = found.spec.get("ports") or []
        chosen = next((p for p in declared if port in {None, p.get("port"), p.get("name")}), None)
        if chosen is None:
            return []
        target = chosen.get("targetPort", chosen["port"])
        ready = [pod for pod in self.selected(namespace, found.spec.get("selector") or {}) if pod.ready]
        ports = ((pod, pod.host_port(target)) for pod in ready)
        return [(pod, number) for pod, number in ports if number is not None]

    def is_deleted(self, desired: Desired) -> bool:
        """Return whether all pods of a deleted object have exited."""
        return not any(pod.record.owner == owner(desired) for pod in self._pods.values())

    # -- admission ----------------------------------------------------------------------------------------

    def admit_object(self, desired: Desired) -> None:
        """Raise MachineError if a quota allows no more objects of this kind."""
        try:
            check_count(desired, self._context.store)
        except AdmissionError as error:
            raise MachineError(str(error)) from error

    def await_progress(self) -> None:
        """Restart the progress deadline, because a client waits for the rollout from now on."""
        self._progress.clear()

    def create(self, desired: Desired, template: dict[str, Any], revision: str, prefix: str) -> Pod:
        """Create a pod after admission control. Raises AdmissionError."""
        store, namespace = self._context.store, desired.namespace
        name = f"{prefix}-{''.join(secrets.choice(_ALPHABET) for _ in range(5))}"
        ranges = store.of_kind("LimitRange", namespace)
        spec = with_defaults(template.get("spec") or {}, ranges)
        check_limits(name, spec, ranges)
        # Terminating pods still count against quotas.
        others = [
            pod.spec for pod in self._pods.values() if pod.record.namespace == namespace and not pod.finished
        ]
        check_quotas(name, spec, others, store.of_kind("ResourceQuota", namespace))
        record = PodRecord(
            name=name,
            namespace=namespace,
            owner=owner(desired),
            revision=revision,
            template={**template, "spec": spec},
            created=time.time(),
        )
        pod = Pod(self._context, record, self._changed, self._scheduler.place)
        self._pods[name] = pod
        pod.start()
        return pod

    def end(self, pod: Pod, *, grace: float | None = None) -> None:
        """Terminate a pod; it counts until it has ended."""
        if pod.record.name in self._ending:
            return
        pod.terminating = True

        async def go() -> None:
            try:
                await pod.end(grace=grace)
            finally:
                self._pods.pop(pod.record.name, None)
                self._ending.pop(pod.record.name, None)
                self._changed()

        self._ending[pod.record.name] = asyncio.create_task(go(), name=f"end {pod.record.name}")

    # -- controllers --------------------------------------------------------------------------------------

    async def sync(self) -> None:
        store = self._context.store
        owners = {owner(desired) for desired in store if desired.kind in self.types}
        for pod in list(self._pods.values()):
            if pod.record.owner not in owners:
                self.end(pod)
        deployments = store.of_kind("Deployment")
        for urn in self._progress.keys() - {desired.urn for desired in deployments}:
            del self._progress[urn]
        for desired in deployments:
            self._deploy(desired)
        for desired in store.of_kind("Job"):
            jobs.sync_job(desired, self)
        for desired in store.of_kind("CronJob"):
            jobs.sync_cron_job(desired, self)

    def replicas(self, desired: Desired) -> int:
        """Return the desired replicas: the declared number, the autoscaler's last decision, or one."""
        return self._autoscalers.replicas(desired)

    def revision(self, desired: Desired) -> str:
        content = json.dumps(desired.spec.get("template") or {}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:10]

    def _deploy(self, desired: Desired) -> None:
        replicas, revision = self.replicas(desired), self.revision(desired)
        least = float(desired.spec.get("minReadySeconds") or 0)
        now = time.time()
        alive = [pod for pod in self.of(desired) if not pod.finished]
        views = [
            Replica(pod.record.name, pod.record.revision, pod.ready, pod.available(least), pod.record.created)
            for pod in alive
        ]
        progress = self._progress.setdefault(desired.urn, RolloutProgress(time.monotonic()))
        progress.look(replicas, revision, views, time.monotonic())
        for pod in alive:
            if pod.ready and not pod.available(least):
                wait = max(0.05, pod.record.turned + least - now)
                asyncio.get_running_loop().call_later(wait, self._changed)
        ending = sum(pod.terminating and pod.record.owner == owner(desired) for pod in self._pods.values())
        strategy = Strategy.of(desired.spec.get("strategy") or {}, replicas)
        plan = step(replicas, revision, views, ending, strategy)
        for name in plan.end:
            self.end(self._pods[name])
        template = desired.spec.get("template") or {}
        for _ in range(plan.create):
            try:
                self.create(desired, template, revision, f"{desired.name}-{revision}")
                self._refused.pop(desired.urn, None)
            except AdmissionError as error:
                self.refuse(desired, error)
                break
        if not plan.create:
            self._refused.pop(desired.urn, None)

    def refuse(self, desired: Desired, error: AdmissionError) -> None:
        """Record a rejection and schedule a retry, because capacity may become available."""
        since, _ = self._refused.get(desired.urn, (time.monotonic(), ""))
        self._refused[desired.urn] = (since, str(error))
        asyncio.get_running_loop().call_later(1.0, self._changed)

    def wake_at(self, key: str, when: float) -> None:
        """Schedule a reconciliation at a wall-clock time, once per key."""
        if self._wakes.get(key) != when:
            self._wakes[key] = when
            asyncio.get_running_loop().call_later(max(0.0, when - time.time()) + 0.01, self._changed)

    async def readiness(self, desired: Desired) -> Readiness:
        if (desired.metadata.get("annotations") or {}).get("pulumi.com/skipAwait") == "true":
            return READY
        match desired.kind:
            case "Deployment":
                return self._deployed(desired)
            case "Job":
                return jobs.readiness(desired, self)
            case "HorizontalPodAutoscaler":
                return await self._autoscalers.readiness(desired)
            case _:
                return READY

    def _deployed(self, desired: Desired) -> Readiness:
        replicas, revision = self.replicas(desired), self.revision(desired)
        least = float(desired.spec.get("minReadySeconds") or 0)
        owned = self.of(desired)
        new = [pod for pod in owned if pod.record.revision == revision]
        available = [pod for pod in new if pod.available(least)]
        if len(available) >= replicas and len(new) == len(owned):
            return READY
        reasons = [f"{len(available)} of {replicas} pods are available"]
        since, refused = self._refused.get(desired.urn, (time.monotonic(), ""))
        if refused:
            reasons.append(refused)
        # Two pods are enough: failing pods usually fail for the same reason.
        reasons += [reason for pod in [pod for pod in new if not pod.ready][:2] for reason in pod.trouble()]
        deadline = float(desired.spec.get("progressDeadlineSeconds") or _PROGRESS_SECONDS)
        progress = self._progress.get(desired.urn)
        stuck = progress is not None and time.monotonic() - progress.since > deadline
        if stuck:
            reasons.insert(0, f"its rollout made no progress for {deadline:g} s (progressDeadlineSeconds)")
        failed = (
            stuck
            or any(pod.crashes() for pod in new)
            or (bool(refused) and time.monotonic() - since > _REFUSED_SECONDS)
        )
        return Readiness(ready=False, reasons=reasons, failed=failed)

    async def autoscale(self) -> None:
        """Run the autoscaler until cancelled."""
        await self._autoscalers.run(self._changed)

    # -- status --------------------------------------------------------------------------------------------

    def autoscalers(self) -> list[AutoscalerStatus]:
        return self._autoscalers.status()

    def autoscaler_trace(self, name: str) -> dict[str, Any] | None:
        """Return the recorded syncs of the autoscaler NAMESPACE/NAME; None if it does not exist."""
        return self._autoscalers.trace(name)

    def problems(self) -> list[str]:
        """Return pods that are not ready, and rejections."""
        found = [
            f"pod {pod.record.namespace}/{pod.record.name}: {pod.message}"
            for pod in self._pods.values()
            if pod.message and not pod.terminating
        ]
        return found + [text for _, text in self._refused.values()]

    def notes(self) -> list[str]:
        """Return the effects of the declared objects that are not emulated on this host."""
        store = self._context.store
        notices = [
            (("NetworkPolicy",), "network policies are stored, not enforced: processes share one network"),
            (
                ("PodDisruptionBudget",),
                "disruption budgets are stored, not enforced: the only node is never drained",
            ),
            (("VerticalPodAutoscaler",), "vertical autoscalers give no recommendations on this host"),
            (
                ("StatefulSet", "DaemonSet", "ReplicaSet", "Pod"),
                "StatefulSets, DaemonSets, bare ReplicaSets and bare Pods are not run",
            ),
            (("ServiceAccount",), "service accounts are stored, not used: pods cannot reach an API server"),
        ]
        notes = [text for kinds, text in notices if any(store.of_kind(kind) for kind in kinds)]
        if self._pods:
            notes.append(
                "containers are plain processes: user IDs, read-only root file systems, capabilities, "
                "CPU limits and memory limits are not enforced (requests count for quotas and autoscaling)"
            )
            notes.append(
                "all pods run on one node: topology spread and the loss of nodes or zones are not emulated"
            )
        return notes

    # -- shutdown ----------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Stop the processes of all pods; the pods remain stored and are started again on the next start."""
        for pod in self._pods.values():
            pod.detach()
        processes = [process for pod in self._pods.values() for process in pod.processes()]
        await asyncio.gather(*(self._context.processes.stop(p.spec.name) for p in processes))


def owner(desired: Desired) -> str:
    """Return the owner key by which a pod refers to `desired`."""
    return f"{desired.urn} {desired.id}"
