"""The HorizontalPodAutoscaler controller of this machine: observes, decides, writes the scale."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rehearsal.host.component import READY, Context, Readiness
from rehearsal.host.desired_state import Desired
from rehearsal.host.kubernetes.events import EventLog
from rehearsal.host.kubernetes.hpa.algorithm import reconcile
from rehearsal.host.kubernetes.hpa.description import metric_lines, outcome_line
from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerSpec,
    AutoscalerState,
    ControllerConfig,
    Observation,
    Reading,
    Scale,
    ScalingDecision,
    UnavailableMetric,
)
from rehearsal.host.kubernetes.hpa.observation import (
    PodSample,
    pod_state,
    pods_reading,
    resource_reading,
    selector_string,
    shared_reading,
)
from rehearsal.host.kubernetes.hpa.trace import recorded_step, started_trace
from rehearsal.host.kubernetes.pod_metrics import (
    Counters,
    MetricSample,
    MetricSource,
    UndeclaredMetricError,
    scrape,
)
from rehearsal.host.kubernetes.pods import Pod
from rehearsal.host.kubernetes.references import selects
from rehearsal.host.processes.atomic_files import read_json, write_atomic
from rehearsal.host.status import AutoscalerStatus

if TYPE_CHECKING:
    from rehearsal.host.kubernetes.controllers import Workloads

# --horizontal-pod-autoscaler-sync-period of the controller manager.
SYNC_SECONDS = 15.0
# Interval in seconds at which added and changed autoscalers are detected; upstream uses watch events.
_NOTICE_SECONDS = 0.5
# Four hours of syncs are retained for `kingdom status --record`.
_MAX_STEPS = 960

_Step = tuple[float, dict[str, Any]]


@dataclass
class _Autoscaler:
    """One autoscaler: the spec it was last synced with, its state, its last decision and its trace."""

    spec: AutoscalerSpec
    inputs: Mapping[str, Any]
    state: AutoscalerState = field(default_factory=AutoscalerState)
    decision: ScalingDecision | None = None
    next_sync: float = 0.0
    selector_read: bool = False
    steps: deque[_Step] = field(default_factory=lambda: deque(maxlen=_MAX_STEPS))


class HorizontalPodAutoscalers:
    """Every declared HorizontalPodAutoscaler; the replica counts that they write survive a restart."""

    def __init__(self, context: Context, workloads: Workloads, events: EventLog) -> None:
        self._context = context
        self._workloads = workloads
        self._events = events
        self._config = ControllerConfig()
        self._file = context.home.machine / "replicas.json"
        self._counters: dict[str, Counters] = {}
        self._known: dict[str, _Autoscaler] = {}
        try:
            self._replicas: dict[str, int] = dict(read_json(self._file))
        except FileNotFoundError:
            self._replicas = {}

    # -- the scale subresource ----------------------------------------------------------------------------

    def replicas(self, desired: Desired) -> int:
        """Return `spec.replicas` of a Deployment: its autoscaler's last value, the declared one, or one."""
        declared = desired.spec.get("replicas")
        default = 1 if declared is None else int(declared)
        return default if self._autoscaler_of(desired) is None else self._replicas.get(desired.urn, default)

    def _write_scale(self, target: Desired, replicas: int, changed: Callable[[], None]) -> None:
        self._replicas[target.urn] = replicas
        write_atomic(self._file, json.dumps(self._replicas), durable=False)
        changed()

    def _autoscaler_of(self, desired: Desired) -> Desired | None:
        for autoscaler in self._context.store.of_kind("HorizontalPodAutoscaler", desired.namespace):
            target = autoscaler.spec.get("scaleTargetRef") or {}
            if target.get("kind") == desired.kind and target.get("name") == desired.name:
                return autoscaler
        return None

    def _target_of(self, autoscaler: Desired) -> Desired | None:
        target = autoscaler.spec.get("scaleTargetRef") or {}
        if target.get("kind") != "Deployment":
            return None
        return self._context.store.find("Deployment", autoscaler.namespace, str(target.get("name")))

    async def readiness(self, autoscaler: Desired) -> Readiness:
        """Return ready once it was synced and its target has the desired pods; `up` waits for this."""
        target = self._target_of(autoscaler)
        if target is None:
            return READY
        if self._entry(autoscaler).decision is None:
            return Readiness(ready=False, reasons=["the autoscaler was not synced yet"])
        return await self._workloads.readiness(target)

    # -- syncs --------------------------------------------------------------------------------------------

    def _entry(self, autoscaler: Desired) -> _Autoscaler:
        known = self._known.get(autoscaler.urn)
        if known is None:
            known = _Autoscaler(AutoscalerSpec.parse(autoscaler.spec), autoscaler.inputs)
            self._known[autoscaler.urn] = known
        elif known.inputs != autoscaler.inputs:
            # A changed spec is synced at once (HPAGeneration, on by default since 1.37).
            known.spec, known.inputs = AutoscalerSpec.parse(autoscaler.spec), autoscaler.inputs
            known.next_sync = 0.0
        return known

    async def run(self, changed: Callable[[], None]) -> None:
        """Sync every autoscaler when it is added or changed and every 15 seconds, until cancelled."""
        while True:
            autoscalers = self._context.store.of_kind("HorizontalPodAutoscaler")
            self._forget({autoscaler.urn for autoscaler in autoscalers})
            for autoscaler in autoscalers:
                entry = self._entry(autoscaler)
                if time.monotonic() >= entry.next_sync:
                    entry.next_sync = time.monotonic() + SYNC_SECONDS
                    await self._sync(autoscaler, entry, changed)
            await asyncio.sleep(_NOTICE_SECONDS)

    def _forget(self, declared: set[str]) -> None:
        for urn in self._known.keys() - declared:
            del self._known[urn]
        alive = {pod.record.name for pod in self._workloads.pods()}
        self._counters = {name: counters for name, counters in self._counters.items() if name in alive}

    async def _sync(self, autoscaler: Desired, entry: _Autoscaler, changed: Callable[[], None]) -> None:
        observed = await self._observe(autoscaler, entry.spec)
        now, target = time.time(), self._target_of(autoscaler)

        def rescale(replicas: int) -> None:
            assert target is not None
            self._write_scale(target, replicas, changed)

        entry.steps.append((now, recorded_step(entry.spec, observed, now)))
        entry.decision = reconcile(entry.spec, entry.state, observed, now, self._config, rescale)
        entry.selector_read |= entry.decision.selector_read
        for event in entry.decision.events:
            self._events.record(autoscaler.label, event.type, event.reason, event.message)

    async def _observe(self, autoscaler: Desired, spec: AutoscalerSpec) -> Observation:
        target = self._target_of(autoscaler)
        if target is None:
            reference = autoscaler.spec.get("scaleTargetRef") or {}
            return Observation(
                f'deployments/scale.apps "{reference.get("name")}" not found', namespace=autoscaler.namespace
            )
        selector = target.spec.get("selector") or {}
        pods = self._selected(target.namespace, selector)
        samples = await self._samples(pods, spec, autoscaler)
        return Observation(
            Scale(
                self.replicas(target),
                sum(not pod.finished for pod in self._workloads.of(target)),
                selector_string(selector),
            ),
            [pod_state(pod) for pod in pods],
            [self._reading(metric, autoscaler, samples) for metric in spec.metrics],
            self._selecting(autoscaler, pods),
            autoscaler.namespace,
        )

    def _selected(self, namespace: str, selector: Mapping[str, Any]) -> list[Pod]:
        """Return all pods that a selector matches, including terminating ones."""
        return [
            pod
            for pod in self._workloads.pods()
            if pod.record.namespace == namespace and selects(selector, pod.labels)
        ]

    def _selecting(self, autoscaler: Desired, pods: list[Pod]) -> list[tuple[str, str]]:
        """Return the autoscalers whose targets select any of these pods (`HPAsMatchingPods`).

        Another autoscaler counts once one of its syncs has read its selector, as upstream registers
        selectors.
        """
        found = []
        for other in self._context.store.of_kind("HorizontalPodAutoscaler", autoscaler.namespace):
            if other.urn != autoscaler.urn and not self._entry(other).selector_read:
                continue
            target = self._target_of(other)
            selector = (target.spec.get("selector") or {}) if target else {}
            if any(selects(selector, pod.labels) for pod in pods):
                found.append((other.name, other.namespace))
        return found

    # -- metrics ------------------------------------------------------------------------------------------

    async def _samples(self, pods: list[Pod], spec: AutoscalerSpec, autoscaler: Desired) -> list[PodSample]:
        found = (self._source(metric, autoscaler) for metric in spec.metrics)
        sources = {source for source in found if isinstance(source, MetricSource)}

        async def sample(pod: Pod) -> PodSample:
            return PodSample.of(pod, {source: await _read(pod, source) for source in sources})

        return list(await asyncio.gather(*(sample(pod) for pod in pods if not pod.finished)))

    def _source(self, metric: Mapping[str, Any], autoscaler: Desired) -> MetricSource | str | None:
        """Return the source of a pod metric, or why there is none; None for CPU and memory."""
        kind = str(metric["type"])
        if kind not in {"Pods", "Object", "External"}:
            return None
        name = str(metric[kind.lower()]["metric"]["name"])
        try:
            return MetricSource.of(name, autoscaler.namespace, self._context.store)
        except UndeclaredMetricError as error:
            return str(error)

    def _reading(self, metric: Mapping[str, Any], autoscaler: Desired, samples: list[PodSample]) -> Reading:
        source, kind = self._source(metric, autoscaler), str(metric["type"])
        if isinstance(source, str):
            return UnavailableMetric(source)
        if source is None:
            declared = metric.get(kind[0].lower() + kind[1:]) or {}
            return resource_reading(samples, str(declared.get("name")), str(declared.get("container") or ""))
        selector = (metric[kind.lower()]["metric"].get("selector") or {}).get("matchLabels") or {}
        if kind == "Pods":
            return pods_reading(samples, source, selector, self._counters, time.time())
        return shared_reading(samples, source, selector, self._counters, kind)

    # -- status ------------------------------------------------------------------------------------

    def status(self) -> list[AutoscalerStatus]:
        """Return the status of every autoscaler with its conditions and metric values."""
        return [self._status(item) for item in self._context.store.of_kind("HorizontalPodAutoscaler")]

    def _status(self, autoscaler: Desired) -> AutoscalerStatus:
        entry, target = self._entry(autoscaler), self._target_of(autoscaler)
        state, decision = entry.state, entry.decision
        return AutoscalerStatus(
            name=f"{autoscaler.namespace}/{autoscaler.name}",
            current=len(self._workloads.of(target)) if target else 0,
            desired=self.replicas(target) if target else 0,
            minimum=entry.spec.min_replicas,
            maximum=entry.spec.max_replicas,
            metrics=metric_lines(entry.spec, state, decision) if decision else [],
            outcome=outcome_line(entry.spec, state, decision) if decision else "not synced yet",
            conditions=[asdict(condition) for condition in state.conditions],
        )

    def trace(self, name: str) -> dict[str, Any] | None:
        """Return the syncs of the autoscaler `NAMESPACE/NAME` as a trace.

        None if there is no such autoscaler.
        """
        for autoscaler in self._context.store.of_kind("HorizontalPodAutoscaler"):
            if f"{autoscaler.namespace}/{autoscaler.name}" == name:
                entry = self._entry(autoscaler)
                return started_trace(name, autoscaler.spec, SYNC_SECONDS, list(entry.steps))
        return None


async def _read(pod: Pod, source: MetricSource) -> list[MetricSample]:
    if any(pod.labels.get(key) != value for key, value in source.selector):
        return []
    port = next(iter(pod.record.ports.values()), None) if source.port is None else pod.host_port(source.port)
    return [] if port is None else await scrape(port, source.path)
