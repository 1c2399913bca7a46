"""Desired objects: written to disk by `apply` before they are reconciled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rehearsal.host.errors import MachineError
from rehearsal.host.paths import slug
from rehearsal.host.processes.atomic_files import read_json, sync_folder, write_atomic


@dataclass(frozen=True)
class Desired:
    """One declared resource: Pulumi URN, type token, ID, and checked inputs as plain JSON."""

    urn: str
    type: str
    id: str
    inputs: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        """Key of the object; during a replacement, old and new share the URN but not the ID."""
        return (self.urn, self.id)

    @cached_property
    def kind(self) -> str:
        """Kubernetes kind (`Deployment`), or the last component of the type token (`Instance`)."""
        return str(self.inputs.get("kind") or self.type.rsplit(":", 1)[-1])

    @cached_property
    def is_kubernetes(self) -> bool:
        return self.type.startswith("kubernetes:")

    @cached_property
    def metadata(self) -> dict[str, Any]:
        return self.inputs.get("metadata") or {}

    @cached_property
    def name(self) -> str:
        """Kubernetes name, or the resource's name in the cloud, or the last component of the URN."""
        name = self.metadata.get("name") if self.is_kubernetes else self.inputs.get("name")
        return str(
            name or (self.id.rsplit("/", 1)[-1] if self.is_kubernetes else self.urn.rsplit("::", 1)[-1])
        )

    @cached_property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace") or "default")

    @cached_property
    def spec(self) -> dict[str, Any]:
        return self.inputs.get("spec") or {}

    @property
    def label(self) -> str:
        """Label in messages, such as `Deployment kingdom/api`."""
        return (
            f"{self.kind} {self.namespace}/{self.name}" if self.is_kubernetes else f"{self.kind} {self.name}"
        )


class DesiredStore:
    """Store of desired objects, one file each. Reads use memory; writes are durable when they return."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._objects: dict[tuple[str, str], Desired] = {}
        for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
            data = read_json(path)
            try:
                desired = Desired(data["urn"], data["type"], data["id"], data["inputs"])
            except (KeyError, TypeError) as error:
                raise MachineError(
                    f"{path} is not a desired object ({error!r}): restore it, or delete it and run "
                    "`kingdom up` again"
                ) from error
            self._objects[desired.key] = desired

    def _path(self, key: tuple[str, str]) -> Path:
        return self._folder / f"{slug(key[0].rsplit('::', 1)[-1])[:60]}.{slug(f'{key}')[-8:]}.json"

    def put(self, desired: Desired) -> None:
        content = {
            "urn": desired.urn,
            "type": desired.type,
            "id": desired.id,
            "inputs": desired.inputs,
        }
        write_atomic(self._path(desired.key), json.dumps(content, indent=1))
        self._objects.pop(desired.key, None)
        self._objects[desired.key] = desired

    def remove(self, urn: str, id_: str) -> Desired | None:
        self._path((urn, id_)).unlink(missing_ok=True)
        sync_folder(self._folder)
        return self._objects.pop((urn, id_), None)

    def get(self, urn: str, id_: str) -> Desired | None:
        return self._objects.get((urn, id_))

    def __iter__(self) -> Iterator[Desired]:
        return iter(list(self._objects.values()))

    def of_type(self, type_: str) -> list[Desired]:
        """Return the objects of a cloud type such as `gcp:redis/instance:Instance`."""
        return [desired for desired in self if desired.type == type_]

    def of_kind(self, kind: str, namespace: str | None = None) -> list[Desired]:
        """Return the Kubernetes objects of `kind`, in `namespace` if given."""
        return [
            desired
            for desired in self
            if desired.is_kubernetes
            and desired.kind == kind
            and (namespace is None or desired.namespace == namespace)
        ]

    def find(self, kind: str, namespace: str, name: str) -> Desired | None:
        return next((item for item in self.of_kind(kind, namespace) if item.name == name), None)
