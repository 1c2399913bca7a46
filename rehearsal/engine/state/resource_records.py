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


_Key = tuple[str, str]


class Records:
    """Resources and pending operations by key. Not thread-safe: guarded by the snapshot manager."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.resources = {resource.key: resource for resource in snapshot.resources}
        self.pending = {(item.type, *item.resource.key): item for item in snapshot.pending}
        # Keys of the records that refer to a URN, and of the retired ones with that URN; built when needed.
        self._referrers: dict[str, dict[_Key, None]] | None = None

    def dependents(self, urn: str) -> tuple[ResourceState, ...]:
        """Return the live records that refer to `urn`, directly or through others, each after its targets.

        The time is linear in their number, not in that of all records.
        """
        referrers = self._index()
        found: dict[_Key, ResourceState] = {}
        waiting = [urn]
        while waiting:
            for key in referrers.get(waiting.pop(), ()):
                resource = self.resources[key]
                if key not in found and not resource.delete and resource.urn != urn:
                    found[key] = resource
                    waiting.append(resource.urn)
        return in_order(found.values())

    def _index(self) -> dict[str, dict[_Key, None]]:
        if self._referrers is None:
            self._referrers = {}
            for resource in self.resources.values():
                self._link(resource)
        return self._referrers

    def _link(self, resource: ResourceState) -> None:
        if self._referrers is not None:
            for urn in _linked(resource):
                self._referrers.setdefault(urn, {})[resource.key] = None

    def _unlink(self, key: _Key) -> None:
        if self._referrers is not None and (resource := self.resources.get(key)) is not None:
            for urn in _linked(resource):
                self._referrers.get(urn, {}).pop(key, None)

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
                    self._unlink(resource.key)
                    self.resources[resource.key] = resource
                    self._link(resource)
                case Kind.DROP:
                    self._unlink(resource.key)
                    self.resources.pop(resource.key, None)
                case Kind.RENAME:
                    self._rename(entry.old, resource)

    def _rename(self, old: str, resource: ResourceState) -> None:
        """Rename a record and what refers to it, in time linear in the number of the latter."""
        self._unlink((old, ""))
        self.resources.pop((old, ""), None)
        if any(urn == old for urn, _ in self._index().get(old, ())):  # retired records are renamed too
            self._referrers = None
            renamed = [item.with_renamed(old, resource.urn) for item in self.resources.values()]
            self.resources = {item.key: item for item in renamed}
        for key in list(self._index().get(old, ())):
            item = self.resources[key].with_renamed(old, resource.urn)
            self._unlink(key)
            self.resources[key] = item
            self._link(item)
        self.pending = {
            (item.type, *item.resource.key): item
            for item in (one.with_renamed(old, resource.urn) for one in self.pending.values())
        }
        self.resources[resource.key] = resource
        self._link(resource)

    def snapshot(self) -> Snapshot:
        return Snapshot(in_order(self.resources.values()), tuple(self.pending.values()))


def _linked(resource: ResourceState) -> Iterable[str]:
    yield from resource.references()
    if resource.delete:
        yield resource.urn
