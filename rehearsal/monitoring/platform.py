"""Observation of a platform on this machine: targets, usage, autoscaling and rollouts.

Usage and autoscaling have the metric names of Google Kubernetes Engine, so the same queries apply to both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rehearsal.host.client import Machine
from rehearsal.host.errors import MachineError
from rehearsal.host.kubernetes.quantities import quantity
from rehearsal.host.paths import Home
from rehearsal.host.status import AutoscalerStatus, HostStatus, ProcessStatus
from rehearsal.monitoring.promql.evaluator import NAME, Labels
from rehearsal.monitoring.store import Event
from rehearsal.pulumi.properties import differences, format_path

_CONTAINER: Final = "k8s_container"
EMULATED: Final = frozenset(
    {
        "kubernetes_io:container_cpu_limit_utilization",
        "kubernetes_io:container_memory_limit_utilization",
        "kubernetes_io:container_restart_count",
        "kube_horizontalpodautoscaler_status_current_replicas",
        "kube_horizontalpodautoscaler_status_desired_replicas",
        "kube_horizontalpodautoscaler_spec_max_replicas",
    }
)


@dataclass(frozen=True)
class ScrapeTarget:
    """A container that exports metrics on a port of this machine."""

    name: str
    port: int
    labels: Mapping[str, str]


@dataclass(frozen=True)
class PlatformState:
    """The state of the platform at one moment."""

    targets: Sequence[ScrapeTarget] = ()
    gauges: Mapping[Labels, float] = field(default_factory=dict)
    status: HostStatus | None = None
    events: Sequence[Event] = ()


@dataclass
class _PodInfo:
    role: str
    revision: str
    created: float
    template: dict[str, Any]
    cpu_limit: float
    memory_limit: float


class LocalPlatform:
    """The machine of one stack; `folder` is its `.rehearsal/<stack>`."""

    def __init__(self, folder: Path, stack: str) -> None:
        self._folder = folder
        self._stack = stack
        self._home = Home(folder.absolute())
        self._pods: dict[str, _PodInfo] = {}
        self._revisions: dict[str, _PodInfo] = {}
        self._decisions: dict[str, tuple[int, int]] = {}

    def observe(self, at: float) -> PlatformState | None:
        """Return the current state; None while the platform is not running."""
        machine = Machine.find(self._folder)
        if machine is None:
            return None
        try:
            status = machine.status()
        except MachineError:
            return None
        return self.observation(status, at)

    def observation(self, status: HostStatus, at: float) -> PlatformState:
        """Return the targets, metrics and events of a status."""
        targets: list[ScrapeTarget] = []
        gauges: dict[Labels, float] = {}
        events: list[Event] = []
        running = {process.name for process in status.processes}
        self._pods = {key: pod for key, pod in self._pods.items() if key in running}
        for process in status.processes:
            if process.kind != "pod" or process.name.count("/") != 3:
                continue
            _, namespace, name, container = process.name.split("/")
            pod = self._pod(process.name, namespace, name, container)
            if pod is None:
                continue
            gauges.update(_usage(process, namespace, name, container, pod))
            events += self._rollout(pod, at)
            if process.port is not None and process.pid is not None:
                labels = {
                    "cluster": self._stack,
                    "namespace": namespace,
                    "job": pod.role,
                    "instance": f"{name}:{process.port}",
                    "pod": name,
                    "container": container,
                    "top_level_controller_name": pod.role,
                }
                targets.append(ScrapeTarget(process.name, process.port, labels))
        for autoscaler in status.autoscalers:
            gauges.update(_replicas(autoscaler))
            events += self._decision(autoscaler, at)
        return PlatformState(targets, gauges, status, events)

    def _pod(self, process: str, namespace: str, name: str, container: str) -> _PodInfo | None:
        if process not in self._pods:
            found = self._read_pod(f"{namespace}_{name}", container)
            if found is None:
                return None
            self._pods[process] = found
        return self._pods[process]

    def _read_pod(self, key: str, container: str) -> _PodInfo | None:
        try:
            record = json.loads((self._home.pods / key / "pod.json").read_text())
        except (OSError, ValueError):
            return None
        spec = record["template"].get("spec") or {}
        containers: dict[str, dict[str, Any]] = {item["name"]: item for item in spec.get("containers") or []}
        item = containers.get(container) or {}
        limits = (item.get("resources") or {}).get("limits") or {}
        labels = (record["template"].get("metadata") or {}).get("labels") or {}
        return _PodInfo(
            role=str(labels.get("app.kubernetes.io/component") or record["owner"].rsplit("/", 1)[-1]),
            revision=record["revision"],
            created=float(record["created"]),
            template=record["template"],
            cpu_limit=float(quantity(limits["cpu"])) if "cpu" in limits else 0.0,
            memory_limit=float(quantity(limits["memory"])) if "memory" in limits else 0.0,
        )

    def _rollout(self, pod: _PodInfo, at: float) -> list[Event]:
        """Record an event when the first pod of a newer revision of a role appears."""
        before = self._revisions.get(pod.role)
        if before is not None and pod.created <= before.created:
            return []
        self._revisions[pod.role] = pod
        if before is None or before.revision == pod.revision:
            return []
        changes = sorted(format_path(path) for path in differences(before.template, pod.template))
        detail = {"role": pod.role, "revision": pod.revision, "changes": changes}
        return [Event(at, "deployment", f"{pod.role}: new revision", detail)]

    def _decision(self, autoscaler: AutoscalerStatus, at: float) -> list[Event]:
        """Record an event when an autoscaler requests another number of replicas."""
        now = (autoscaler.current, autoscaler.desired)
        before = self._decisions.get(autoscaler.name)
        self._decisions[autoscaler.name] = now
        if before is None or before[1] == now[1]:
            return []
        role = autoscaler.name.rpartition("/")[2]
        detail = {"role": role, "outcome": autoscaler.outcome, "metrics": list(autoscaler.metrics)}
        return [Event(at, "scaling", f"{role}: {before[1]} to {now[1]} replicas", detail)]


def _labels(name: str, **labels: str) -> Labels:
    return tuple(sorted({NAME: name, **labels}.items()))


def _usage(
    process: ProcessStatus, namespace: str, name: str, container: str, pod: _PodInfo
) -> dict[Labels, float]:
    labels = {
        "monitored_resource": _CONTAINER,
        "namespace_name": namespace,
        "pod_name": name,
        "container_name": container,
    }
    prefix = "kubernetes_io:container"
    found = {_labels(f"{prefix}_restart_count", **labels): float(process.restarts)}
    if process.pid is not None and pod.cpu_limit:
        found[_labels(f"{prefix}_cpu_limit_utilization", **labels)] = process.cpu / pod.cpu_limit
    if process.pid is not None and pod.memory_limit:
        kind = {"memory_type": "non-evictable"}
        found[_labels(f"{prefix}_memory_limit_utilization", **labels, **kind)] = (
            process.memory / pod.memory_limit
        )
    return found


def _replicas(autoscaler: AutoscalerStatus) -> dict[Labels, float]:
    namespace, _, name = autoscaler.name.partition("/")
    labels = {"namespace": namespace, "horizontalpodautoscaler": name}
    prefix = "kube_horizontalpodautoscaler"
    return {
        _labels(f"{prefix}_status_current_replicas", **labels): float(autoscaler.current),
        _labels(f"{prefix}_status_desired_replicas", **labels): float(autoscaler.desired),
        _labels(f"{prefix}_spec_max_replicas", **labels): float(autoscaler.maximum),
    }
