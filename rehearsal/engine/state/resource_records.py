"""The records of a stack while they change: one meaning of every change, in memory and on replay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rehearsal.engine.state.resource_state import PendingOperation, ResourceState, Snapshot, in_order


class Kind(StrEnum):
    """What an entry does with its resource."""

    BEGIN = "begin"  # an operation on it is about to be asked of the provider
    END = "end"  # that operation is over
    PUT = "put"  # this is its record now
    DROP = "drop"  # it has no record any more
    RENAME = "rename"  # it takes over from the record at another URN, and so do all references to that


@dataclass(frozen=True)
class Entry:
    """One change. `operation` belongs to BEGIN and END, `old` is the URN before a RENAME."""

    kind: Kind
    resource: ResourceState
    operation: str = ""
    old: str = ""


class Records:
    """Resources and pending operations by key. Not thread-safe: the ledger guards it."""

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
