"""Pods are placed while their requests fit on this machine, and rejected with the scheduler's messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rehearsal.host.kubernetes.events import EventLog
from rehearsal.host.kubernetes.node import Node, Scheduler, pod_request

NODE = Node(Decimal(2), Decimal(1024**3))


def spec(cpu: str = "500m", memory: str = "128Mi", **more: Any) -> dict[str, Any]:
    requests = {"cpu": cpu, "memory": memory}
    return {"containers": [{"name": "main", "resources": {"requests": requests}}], **more}


@dataclass
class FakePod:
    label: str
    spec: dict[str, Any] = field(default_factory=spec)
    occupies_node: bool = True


def test_requests_up_to_the_whole_node_fit() -> None:
    assert NODE.rejection(spec(), [spec()] * 3) == ""
    assert NODE.rejection(spec(), [spec()] * 4).startswith("0/1 nodes are available: 1 Insufficient cpu.")
    assert "1 Insufficient cpu, 1 Insufficient memory" in NODE.rejection(spec("3", "2Gi"), [])


def test_a_pod_that_requests_nothing_always_fits() -> None:
    assert NODE.rejection({"containers": [{"name": "main"}]}, [spec()] * 9) == ""


def test_init_containers_and_sidecars_count_as_the_scheduler_counts_them() -> None:
    init = {"name": "init", "resources": {"requests": {"cpu": "1500m"}}}
    sidecar = {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "250m"}}}
    assert pod_request(spec(initContainers=[init]), "cpu") == Decimal("1.5")
    assert pod_request(spec(initContainers=[sidecar]), "cpu") == Decimal("0.75")
    assert pod_request(spec(initContainers=[sidecar, init]), "cpu") == Decimal("1.75")


def test_a_rejected_pod_is_one_event_until_the_reason_changes() -> None:
    events, placed = EventLog(), [FakePod(f"Pod a/{number}") for number in range(4)]
    scheduler = Scheduler(NODE, lambda: placed, events)
    waiting = FakePod("Pod a/waiting", occupies_node=False)
    assert scheduler.place(waiting) == scheduler.place(waiting) != ""
    assert [(event.reason, event.count) for event in events.recent()] == [("FailedScheduling", 1)]
    placed.pop()
    assert scheduler.place(waiting) == ""
