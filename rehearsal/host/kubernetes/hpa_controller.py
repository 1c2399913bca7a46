"""HorizontalPodAutoscalers at work: measure, decide, remember."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rehearsal.host.component import READY, Context, Outcome
from rehearsal.host.desired_state import Desired
from rehearsal.host.kubernetes.hpa_algorithm import (
    Behavior,
    History,
    Sample,
    combined,
    decide,
    replicas_for_average,
    replicas_for_shared,
    replicas_for_utilization,
    replicas_for_value,
)
from rehearsal.host.kubernetes.pod_metrics import Counters, Series, Source, UndeclaredError, scrape
from rehearsal.host.kubernetes.pods import Pod
from rehearsal.host.kubernetes.quantities import quantity, written
from rehearsal.host.processes.atomic_files import read_json, write_atomic
from rehearsal.host.processes.resource_usage import Usage, together
from rehearsal.host.status import AutoscalerStatus

if TYPE_CHECKING:
    from rehearsal.host.kubernetes.controllers import Workloads

# --horizontal-pod-autoscaler-sync-period of the controller manager.
PERIOD_SECONDS = 15.0
# --horizontal-pod-autoscaler-cpu-initialization-period: until then CPU may be that of the start.
_INITIALIZATION_SECONDS = 300.0
# --horizontal-pod-autoscaler-initial-readiness-delay: one that gets unready so early never was ready.
_INITIAL_READINESS_SECONDS = 30.0


@dataclass
class Look:
    """What is known about one pod at one moment: its usage (None: not measured) and what it reports."""

    pod: Pod
    usage: Usage | None
    series: dict[Source, list[Series]]


@dataclass
class Remembered:
    """What an autoscaler carries from one round to the next."""

    history: History = field(default_factory=History)
    said: list[str] = field(default_factory=list)


class Scaling:
    """Every declared HPA, once a period; the replicas that they decide on survive a restart."""

    def __init__(self, context: Context, workloads: Workloads) -> None:
        self._context = context
        self._workloads = workloads
        self._file = context.home.machine / "replicas.json"
        self._counters: dict[str, Counters] = {}
        self._remembered: dict[str, Remembered] = {}
        try:
            self._replicas: dict[str, int] = dict(read_json(self._file))
        except FileNotFoundError:
            self._replicas = {}

    def replicas(self, desired: Desired) -> int:
        declared = desired.spec.get("replicas")
        scaler = self._scaler_of(desired)
        if scaler is None:
            return 1 if declared is None else int(declared)
        current = self._replicas.get(desired.urn, 1 if declared is None else int(declared))
        least, most = _bounds(scaler)
        return min(max(current, least), most) if current else 0

    def _scaler_of(self, desired: Desired) -> Desired | None:
        for scaler in self._context.store.of_kind("HorizontalPodAutoscaler", desired.namespace):
            target = scaler.spec.get("scaleTargetRef") or {}
            if target.get("kind") == desired.kind and target.get("name") == desired.name:
                return scaler
        return None

    def _target_of(self, scaler: Desired) -> Desired | None:
        target = scaler.spec.get("scaleTargetRef") or {}
        return self._context.store.find(str(target.get("kind")), scaler.namespace, str(target.get("name")))

    async def outcome(self, scaler: Desired) -> Outcome:
        """Ready when its target has as many pods ready as it demands, so that `up` ends with them."""
        target = self._target_of(scaler)
        if target is None or target.kind != "Deployment":
            return READY
        return await self._workloads.outcome(target)

    def status(self) -> list[AutoscalerStatus]:
        found = []
        for scaler in self._context.store.of_kind("HorizontalPodAutoscaler"):
            target = self._target_of(scaler)
            least, most = _bounds(scaler)
            found.append(
                AutoscalerStatus(
                    name=f"{scaler.namespace}/{scaler.name}",
                    current=len(self._workloads.of(target)) if target else 0,
                    desired=self.replicas(target) if target else 0,
                    minimum=least,
                    maximum=most,
                    metrics=self._remember(scaler).said,
                )
            )
        return found

    def _remember(self, scaler: Desired) -> Remembered:
        return self._remembered.setdefault(scaler.urn, Remembered())

    async def run(self, changed: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            scalers = self._context.store.of_kind("HorizontalPodAutoscaler")
            self._forget_gone()
            for scaler in scalers:
                target = self._target_of(scaler)
                if target is not None and target.kind == "Deployment":
                    await self._round(scaler, target, changed)

    async def _round(self, scaler: Desired, target: Desired, changed: Callable[[], None]) -> None:
        metrics = scaler.spec.get("metrics") or []
        sources = [self._source(metric, scaler) for metric in metrics]
        looks = await self._look(target, {source for source in sources if isinstance(source, Source)})
        current = self.replicas(target)
        behavior = Behavior.of(scaler.spec.get("behavior") or {})
        remembered = self._remember(scaler)
        said: list[str] = []
        proposals = [
            self._propose(metric, source, looks, current, behavior, said)
            for metric, source in zip(metrics, sources, strict=True)
        ]
        remembered.said = said
        now = time.monotonic()
        history = remembered.history
        if not history.recommendations:
            # As the controller does when it meets an autoscaler first: what there is, was recommended.
            history.recommendations.append((now, current))
        proposal = combined(current, proposals)
        if proposal is None:
            return
        wanted = decide(now, current, proposal, _bounds(scaler), behavior, history)
        if wanted != current:
            history.record(now, current, wanted)
            self._replicas[target.urn] = wanted
            write_atomic(self._file, json.dumps(self._replicas), durable=False)
            changed()

    def _source(self, metric: dict[str, Any], scaler: Desired) -> Source | str | None:
        """Where a metric that the pods report is read, or why nowhere; None for CPU and memory."""
        kind = str(metric["type"])
        if kind in {"Resource", "ContainerResource"}:
            return None
        name = str(metric[kind[0].lower() + kind[1:]]["metric"]["name"])
        try:
            return Source.of(name, scaler.namespace, self._context.store)
        except UndeclaredError as error:
            return str(error)

    async def _look(self, target: Desired, sources: set[Source]) -> list[Look]:
        pods = [pod for pod in self._workloads.of(target) if not pod.finished]

        async def look(pod: Pod) -> Look:
            series = {source: await _read(pod, source) for source in sources}
            return Look(pod, together([process.usage() for process in pod.processes()]), series)

        return list(await asyncio.gather(*(look(pod) for pod in pods)))

    def _forget_gone(self) -> None:
        alive = {pod.record.name for pod in self._workloads.pods()}
        self._counters = {name: counters for name, counters in self._counters.items() if name in alive}

    def _propose(
        self,
        metric: dict[str, Any],
        source: Source | str | None,
        looks: list[Look],
        current: int,
        behavior: Behavior,
        said: list[str],
    ) -> int | None:
        kind = str(metric["type"])
        declared = metric[kind[0].lower() + kind[1:]]
        target = declared["target"]
        tolerance = behavior.tolerance
        if source is None:
            name = str(declared["name"])
            samples = [_resource_sample(look, name) for look in looks]
            if target["type"] == "Utilization":
                said.append(f"{name}: {_share(samples)} of requests, target {target['averageUtilization']} %")
                return replicas_for_utilization(
                    current, samples, int(target["averageUtilization"]), tolerance
                )
            average = float(quantity(target["averageValue"]))
            said.append(f"{name}: {_mean(samples)} a pod, target {target['averageValue']}")
            return replicas_for_average(current, samples, average, tolerance)
        name = str(declared["metric"]["name"])
        if isinstance(source, str):
            said.append(f"{name}: not measured: {source}")
            return None
        selector = (declared["metric"].get("selector") or {}).get("matchLabels") or {}
        samples = []
        for look in looks:
            counters = self._counters.setdefault(look.pod.record.name, Counters())
            value = counters.value(source, selector, look.series[source])
            samples.append(Sample(value, unready=not look.pod.processes()))
        if kind == "Pods":
            said.append(f"{name}: {_mean(samples)} a pod, target {target['averageValue']}")
            return replicas_for_average(current, samples, float(quantity(target["averageValue"])), tolerance)
        # Object and External: the pods' own metrics summed up stand for what a monitoring system would say.
        values = [sample.value for sample in samples if sample.value is not None]
        said.append(f"{name}: {sum(values):g} in all" if values else f"{name}: not measured")
        if not values:
            return None
        if target.get("averageValue") is not None:
            return replicas_for_shared(
                current, sum(values), float(quantity(target["averageValue"])), tolerance
            )
        ready = sum(look.pod.ready for look in looks)
        mean = sum(values) / len(values)
        return replicas_for_value(current, ready, mean, float(quantity(target["value"])), tolerance)


async def _read(pod: Pod, source: Source) -> list[Series]:
    if any(pod.labels.get(key) != value for key, value in source.selector):
        return []
    port = next(iter(pod.record.ports.values()), None) if source.port is None else pod.host_port(source.port)
    return [] if port is None else await scrape(port, source.path)


def _bounds(scaler: Desired) -> tuple[int, int]:
    return int(scaler.spec.get("minReplicas") or 1), int(scaler.spec.get("maxReplicas") or 1)


def _resource_sample(look: Look, name: str) -> Sample:
    requests = [
        ((item.get("resources") or {}).get("requests") or {}).get(name) for item in look.pod.containers
    ]
    known = [float(quantity(value)) for value in requests if value is not None]
    request = sum(known) if len(known) == len(requests) else None
    if not look.pod.processes():
        return Sample(None, request, unready=True)
    if look.usage is None:
        return Sample(None, request)
    if name != "cpu":
        return Sample(float(look.usage.memory), request)
    return Sample(look.usage.cpu, request, not _cpu_counts(look.pod, look.usage, time.time()))


def _cpu_counts(pod: Pod, usage: Usage, now: float) -> bool:
    """Whether the CPU of a pod says something about its load (`groupPods` of the replica calculator)."""
    record = pod.record
    if record.created + _INITIALIZATION_SECONDS > now:
        # Not before a whole window has been measured since it got ready: the one before was its start.
        return pod.ready and usage.taken >= record.turned + usage.window
    return pod.ready or record.created + _INITIAL_READINESS_SECONDS <= record.turned


def _share(samples: list[Sample]) -> str:
    known = [s for s in samples if s.value is not None and s.request]
    requested = sum(s.request or 0.0 for s in known)
    return f"{sum(s.value or 0.0 for s in known) * 100 / requested:.0f} %" if requested else "not measured"


def _mean(samples: list[Sample]) -> str:
    known = [s.value for s in samples if s.value is not None]
    return written(quantity(f"{sum(known) / len(known):.3f}")) if known else "not measured"
