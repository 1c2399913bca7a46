"""Records of a stack and the changes to them, applied alike in memory and on replay of the journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rehearsal.engine.state.resource_state import PendingOperation, ResourceState, Snapshot, in_order


class Kind(StrEnum):
    """Kind of a change."""

    BEGIN = "begin"  # an operation on the resource starts
    END = "end"  # that operation has ended
    PUT = "put"  # the record of the resource is replaced
    DROP = "drop"  # the record is removed
    RENAME = "rename"  # the record and all references to it get another URN


@dataclass(frozen=True)
class Entry:
    """One change. `operation` belongs to BEGIN and END, `old` is the URN before a RENAME."""

    kind: Kind
    resource: ResourceState
    operation: str = ""
    old: str = ""


class Records:
    """Resources and pending operations by key. Not thread-safe: guarded by the snapshot manager."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.resources = {resource.key: resource for resource in snapshot.resources}
        self.pending = {(item.type, *item.resource.key): item for item in snapshot.pending}

    def apply(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            resource = entry.resource
            match entry.kind:
                case Kind.BEGIN:
                    self.pending[(entry.operation, *resource.key)] = PendingOperation(
                        entry.operation, resource
                    )
                case Kind.END:
                    self.pending.pop((entry.operation, *resource.key), None)
                case Kind.PUT:
                    self.resources[resource.key] = resource
                case Kind.DROP:
                    self.resources.pop(resource.key, None)
                case Kind.RENAME:
                    self._rename(entry.old, resource)

    def _rename(self, old: str, resource: ResourceState) -> None:
        self.resources.pop((old, ""), None)
        self.resources = {
            item.key: item
            for item in (one.with_renamed(old, resource.urn) for one in self.resources.values())
        }
        self.pending = {
            (item.type, *item.resource.key): item
            for item in (one.with_renamed(old, resource.urn) for one in self.pending.values())
        }
        self.resources[resource.key] = resource

    def snapshot(self) -> Snapshot:
        return Snapshot(in_order(self.resources.values()), tuple(self.pending.values()))
