"""The machine as the only node, and a scheduler that places pods on it by their requests.

Follows the scheduler's NodeResourcesFit plugin: the requests of all pods on the node must not exceed its
allocatable resources, independent of actual usage.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import psutil

from rehearsal.host.kubernetes.events import EventLog
from rehearsal.host.kubernetes.quantities import quantity

_RESOURCES = ("cpu", "memory")


@dataclass(frozen=True)
class Node:
    """Allocatable resources: `cpu` in cores, `memory` in bytes."""

    cpu: Decimal
    memory: Decimal

    @classmethod
    def this_machine(cls) -> Node:
        """Return a node with all processors and memory of this machine."""
        return cls(Decimal(os.cpu_count() or 1), Decimal(psutil.virtual_memory().total))

    def rejection(self, spec: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> str:
        """Return the scheduler's message why a pod does not fit beside `others`; "" if it fits."""
        placed = list(others)
        free = {"cpu": self.cpu, "memory": self.memory}
        short = [
            name
            for name in _RESOURCES
            if pod_request(spec, name) > free[name] - sum(pod_request(other, name) for other in placed)
            and pod_request(spec, name) > 0
        ]
        if not short:
            return ""
        reasons = ", ".join(f"1 Insufficient {name}" for name in short)
        return (
            f"0/1 nodes are available: {reasons}. preemption: 0/1 nodes are available: "
            "1 No preemption victims found for incoming pod."
        )


def pod_request(spec: Mapping[str, Any], resource: str) -> Decimal:
    """Return the request of a pod for a resource, as `resourcehelpers.PodRequests` computes it.

    It is the pod-level request if set; otherwise the sum of containers and sidecars, or the highest request
    during initialization.
    """
    own = ((spec.get("resources") or {}).get("requests") or {}).get(resource)
    if own is not None:
        return quantity(own)
    total = sum((_request(item, resource) for item in spec.get("containers") or []), Decimal(0))
    peak = sidecars = Decimal(0)
    for item in spec.get("initContainers") or []:
        if item.get("restartPolicy") == "Always":
            sidecars += _request(item, resource)
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + _request(item, resource))
    return max(total + sidecars, peak)


def _request(container: Mapping[str, Any], resource: str) -> Decimal:
    value = ((container.get("resources") or {}).get("requests") or {}).get(resource)
    return Decimal(0) if value is None else quantity(value)


class SchedulablePod(Protocol):
    """Fields of a pod that the scheduler reads."""

    @property
    def label(self) -> str:
        """Return the name in events, such as `Pod kingdom/api-1`."""
        ...

    @property
    def spec(self) -> dict[str, Any]:
        """Pod spec with requests."""
        ...

    @property
    def occupies_node(self) -> bool:
        """Whether it was scheduled and has not finished."""
        ...


class Scheduler:
    """Place pods on the node if their requests fit; record an event for those that do not."""

    def __init__(self, node: Node, pods: Callable[[], Iterable[SchedulablePod]], events: EventLog) -> None:
        self._node = node
        self._pods = pods
        self._events = events
        self._rejections: dict[str, str] = {}

    def place(self, pod: SchedulablePod) -> str:
        """Place a pod; return why it cannot be scheduled, "" if placed.

        A new reason is recorded as an event.
        """
        others = [other.spec for other in self._pods() if other is not pod and other.occupies_node]
        rejection = self._node.rejection(pod.spec, others)
        if rejection and self._rejections.get(pod.label) != rejection:
            self._events.record(pod.label, "Warning", "FailedScheduling", rejection)
        if rejection:
            self._rejections[pod.label] = rejection
        else:
            self._rejections.pop(pod.label, None)
        return rejection
