"""Deployments, Jobs and CronJobs as pods, and pods as the endpoints of Services."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

from rehearsal.host.component import READY, Context, Outcome
from rehearsal.host.desired_state import Desired
from rehearsal.host.errors import MachineError
from rehearsal.host.kubernetes import jobs
from rehearsal.host.kubernetes import pods as records
from rehearsal.host.kubernetes.admission import (
    RefusedError,
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
from rehearsal.host.kubernetes.rollout import Progress, Replica, Strategy, step
from rehearsal.host.status import AutoscalerStatus

# How long a refusal by a quota may last before waiting for it to go away is given up.
_REFUSED_SECONDS = 10.0
# The default of progressDeadlineSeconds.
_PROGRESS_SECONDS = 600.0
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # as Kubernetes: no vowels, no words by accident


class Workloads:
    """All pods of the machine, and the controllers that make and end them."""

    types = frozenset({"Deployment", "Job", "CronJob", "HorizontalPodAutoscaler"})

    def __init__(self, context: Context, changed: Callable[[], None]) -> None:
        self._context = context
        self._changed = changed
        self._pods: dict[str, Pod] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}
        self._refused: dict[str, tuple[float, str]] = {}
        self._wakes: dict[str, float] = {}
        self._progress: dict[str, Progress] = {}
        self.events = EventLog()
        self._scheduler = Scheduler(Node.this_machine(), self.pods, self.events)
        self._autoscalers = HorizontalPodAutoscalers(context, self, self.events)

    # -- what there is ------------------------------------------------------------------------------------

    def load(self) -> None:
        """Go on with the pods of an earlier supervisor."""
        for record in records.load(self._context.home.pods):
            pod = Pod(self._context, record, self._changed, self._scheduler.place)
            self._pods[record.name] = pod
            pod.start()

    def of(self, desired: Desired) -> list[Pod]:
        """The pods of an object that are not on their way out, the oldest first."""
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
        """The ready pods of a Service, each with the port of this machine where it listens."""
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

    def is_gone(self, desired: Desired) -> bool:
        """Whether nothing of a deleted object is left."""
        return not any(pod.record.owner == owner(desired) for pod in self._pods.values())

    # -- admission ----------------------------------------------------------------------------------------

    def admit_object(self, desired: Desired) -> None:
        """Raises MachineError when a quota allows no more objects of this kind."""
        try:
            check_count(desired, self._context.store)
        except RefusedError as error:
            raise MachineError(str(error)) from error

    def await_progress(self) -> None:
        """A client waits from now on: how long a rollout stood still before does not count against it."""
        self._progress.clear()

    def create(self, desired: Desired, template: dict[str, Any], revision: str, prefix: str) -> Pod:
        """A new pod, admitted as the API server would. Raises RefusedError."""
        store, namespace = self._context.store, desired.namespace
        name = f"{prefix}-{''.join(secrets.choice(_ALPHABET) for _ in range(5))}"
        ranges = store.of_kind("LimitRange", namespace)
        spec = with_defaults(template.get("spec") or {}, ranges)
        check_limits(name, spec, ranges)
        # Pods on their way out still hold what they were given.
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
        """Desired replicas: the Deployment's own number, or its autoscaler's last decision, or one."""
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
        progress = self._progress.setdefault(desired.urn, Progress(time.monotonic()))
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
            except RefusedError as error:
                self.refuse(desired, error)
                break
        if not plan.create:
            self._refused.pop(desired.urn, None)

    def refuse(self, desired: Desired, error: RefusedError) -> None:
        """Remember a refusal, and try again in a while: room may come."""
        since, _ = self._refused.get(desired.urn, (time.monotonic(), ""))
        self._refused[desired.urn] = (since, str(error))
        asyncio.get_running_loop().call_later(1.0, self._changed)

    def wake_at(self, key: str, when: float) -> None:
        """Look again at a wall-clock time, once per key."""
        if self._wakes.get(key) != when:
            self._wakes[key] = when
            asyncio.get_running_loop().call_later(max(0.0, when - time.time()) + 0.01, self._changed)

    async def outcome(self, desired: Desired) -> Outcome:
        if (desired.metadata.get("annotations") or {}).get("pulumi.com/skipAwait") == "true":
            return READY
        match desired.kind:
            case "Deployment":
                return self._deployed(desired)
            case "Job":
                return jobs.outcome(desired, self)
            case "HorizontalPodAutoscaler":
                return await self._autoscalers.outcome(desired)
            case _:
                return READY

    def _deployed(self, desired: Desired) -> Outcome:
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
        # Two pods that fail do so for the same reason, as a rule.
        reasons += [reason for pod in [pod for pod in new if not pod.ready][:2] for reason in pod.trouble()]
        deadline = float(desired.spec.get("progressDeadlineSeconds") or _PROGRESS_SECONDS)
        progress = self._progress.get(desired.urn)
        stuck = progress is not None and time.monotonic() - progress.since > deadline
        if stuck:
            reasons.insert(0, f"its rollout got no further for {deadline:g} s (progressDeadlineSeconds)")
        failed = (
            stuck
            or any(pod.crashes() for pod in new)
            or (bool(refused) and time.monotonic() - since > _REFUSED_SECONDS)
        )
        return Outcome(ready=False, reasons=reasons, failed=failed)

    async def autoscale(self) -> None:
        """The autoscaler's loop; returns when it is cancelled."""
        await self._autoscalers.run(self._changed)

    # -- looks --------------------------------------------------------------------------------------------

    def autoscalers(self) -> list[AutoscalerStatus]:
        return self._autoscalers.status()

    def autoscaler_trace(self, name: str) -> dict[str, Any] | None:
        """The recorded syncs of the autoscaler NAMESPACE/NAME; None when there is none of that name."""
        return self._autoscalers.trace(name)

    def problems(self) -> list[str]:
        """Pods that are not well, and refusals."""
        found = [
            f"pod {pod.record.namespace}/{pod.record.name}: {pod.message}"
            for pod in self._pods.values()
            if pod.message and not pod.terminating
        ]
        return found + [text for _, text in self._refused.values()]

    def notes(self) -> list[str]:
        """Effects of the declared objects that Kubernetes has and one machine has not."""
        store = self._context.store
        notices = [
            (("NetworkPolicy",), "network policies are stored, not enforced: processes share one network"),
            (("PodDisruptionBudget",), "disruption budgets are stored: one machine has no node to drain"),
            (("VerticalPodAutoscaler",), "vertical autoscaling gives no recommendations here"),
            (
                ("StatefulSet", "DaemonSet", "ReplicaSet", "Pod"),
                "runs no StatefulSet, DaemonSet, bare ReplicaSet or Pod",
            ),
            (("ServiceAccount",), "service accounts are stored: there is no API server to speak to"),
        ]
        notes = [text for kinds, text in notices if any(store.of_kind(kind) for kind in kinds)]
        if self._pods:
            notes.append(
                "containers are plain processes: user ids, read-only roots, capabilities and the limits of "
                "CPU and memory are not enforced (requests count for quotas and autoscaling)"
            )
            notes.append(
                "all pods share one machine: spread over nodes and zones, and their loss, are not rehearsed"
            )
        return notes

    # -- end ----------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """End the processes of all pods, but keep the pods: the next start brings them back."""
        for pod in self._pods.values():
            pod.detach()
        processes = [process for pod in self._pods.values() for process in pod.processes()]
        await asyncio.gather(*(self._context.processes.stop(p.spec.name) for p in processes))


def owner(desired: Desired) -> str:
    """How a pod names the object that it belongs to."""
    return f"{desired.urn} {desired.id}"
