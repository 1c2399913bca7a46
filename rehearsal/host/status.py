"""Status of a host, as printed by `kingdom status`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class ProcessStatus:
    """One process. `memory` is resident bytes, `cpu` a fraction of one core since the last measurement."""

    name: str
    kind: str
    state: str
    ready: bool
    pid: int | None
    restarts: int
    port: int | None
    memory: int
    cpu: float
    message: str = ""


@dataclass(frozen=True)
class AutoscalerStatus:
    """One HorizontalPodAutoscaler: replicas, bounds, and its last sync.

    `metrics` has a line for each metric with its value, target and replicas; `outcome` states what the sync
    did, or why it changed nothing; `conditions` are those of the API: type, status, reason, message, since.
    """

    name: str
    current: int
    desired: int
    minimum: int
    maximum: int
    metrics: list[str]
    outcome: str = ""
    conditions: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class EventStatus:
    """A Kubernetes event and the number of its occurrences. `last` is in seconds since the epoch."""

    object: str
    type: str
    reason: str
    message: str
    count: int
    last: float


@dataclass(frozen=True)
class HostStatus:
    """Status of the host. `endpoints` maps names to addresses; `notes` list what is not enforced on it."""

    stack: str
    processes: list[ProcessStatus] = field(default_factory=list)
    endpoints: dict[str, str] = field(default_factory=dict)
    autoscalers: list[AutoscalerStatus] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    events: list[EventStatus] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> HostStatus:
        return cls(
            stack=data["stack"],
            processes=[ProcessStatus(**item) for item in data["processes"]],
            endpoints=data["endpoints"],
            autoscalers=[AutoscalerStatus(**item) for item in data["autoscalers"]],
            notes=data["notes"],
            events=[EventStatus(**item) for item in data.get("events", [])],
        )
