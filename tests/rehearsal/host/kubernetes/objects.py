"""Declared objects and pods without processes, for tests of the controllers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.kubernetes.pods import PodRecord
from rehearsal.host.paths import Home
from rehearsal.host.processes.ports import Ports

NAMESPACE = "kingdom"


def declared(
    kind: str, spec: dict[str, Any] | None = None, name: str = "it", *, api: str = "v1", **inputs: Any
) -> Desired:
    """Return a Kubernetes object; `inputs` are its other top-level fields."""
    metadata = {"name": name, "namespace": NAMESPACE} | inputs.pop("metadata", {})
    content = {"apiVersion": api, "kind": kind, "metadata": metadata} | inputs
    if spec is not None:
        content["spec"] = spec
    type_ = f"kubernetes:{api}:{kind}"
    return Desired(f"urn:pulumi:local::k::{type_}::{name}", type_, f"{NAMESPACE}/{name}", content)


def store_of(folder: Path, *objects: Desired) -> DesiredStore:
    """Return a store in `folder` with these objects."""
    folder.mkdir(parents=True, exist_ok=True)
    store = DesiredStore(folder)
    for item in objects:
        store.put(item)
    return store


def context_of(folder: Path, *objects: Desired, processes: Any = None) -> Any:
    """Return the context of a host whose home is `folder`."""
    home = Home(folder / "home")
    home.make()
    return SimpleNamespace(
        home=home,
        store=store_of(home.objects, *objects),
        ports=Ports(home.ports),
        processes=processes,
        project=folder,
        authority=SimpleNamespace(bundle=folder / "bundle.pem"),
    )


@dataclass
class FakePod:
    """A pod without processes, whose readiness and phase are set by the test."""

    context: Any
    record: PodRecord
    changed: Callable[[], None] = lambda: None
    schedule: Any = None
    message: str = ""
    terminating: bool = False
    old_enough: bool = True
    restarts: int = 0
    reasons: list[str] = field(default_factory=list)
    graces: list[float | None] = field(default_factory=list)

    @property
    def spec(self) -> dict[str, Any]:
        return self.record.template.get("spec") or {}

    @property
    def labels(self) -> dict[str, str]:
        return (self.record.template.get("metadata") or {}).get("labels") or {}

    @property
    def ready(self) -> bool:
        return self.record.ready and not self.terminating

    @property
    def finished(self) -> bool:
        return self.record.phase in {"Succeeded", "Failed"}

    def available(self, min_ready_seconds: float) -> bool:
        return self.ready and (self.old_enough or not min_ready_seconds)

    def host_port(self, port: str | int) -> int | None:
        return self.record.ports.get(str(port))

    def processes(self) -> list[Any]:
        return [SimpleNamespace(restarts=self.restarts)]

    def crashes(self) -> bool:
        return not self.ready and self.restarts >= 5

    def trouble(self) -> list[str]:
        return self.reasons

    def start(self) -> None:
        self.record.scheduled = True

    async def end(self, *, grace: float | None = None) -> None:
        self.graces.append(grace)


def record(
    name: str, revision: str = "a", *, owner: str = "owner", created: float = 0.0, **more: Any
) -> PodRecord:
    """Return the record of a pod; `more` are its other fields."""
    template = more.pop("template", {})
    return PodRecord(name, NAMESPACE, owner, revision, template, created, **more)
