"""What is recorded of the stack while an operation runs: in memory always, on disk when it is for real."""

from __future__ import annotations

import threading
from dataclasses import replace

from rehearsal.engine.state import PendingOperation, ResourceState, Snapshot, in_order
from rehearsal.engine.store import Journal


class Ledger:
    """The current records by key, beginning with a snapshot's. Thread-safe.

    With a journal every change is on disk before the call returns; without one (a preview) nothing is
    written, and records may hold unknowns.
    """

    def __init__(self, snapshot: Snapshot, journal: Journal | None) -> None:
        self._records = {resource.key: resource for resource in snapshot.resources}
        self._pending = {(item.type, item.resource.urn): item for item in snapshot.pending}
        self._journal = journal
        self._lock = threading.Lock()

    def live(self, urn: str) -> ResourceState | None:
        with self._lock:
            return self._records.get((urn, ""))

    def all(self) -> list[ResourceState]:
        with self._lock:
            return list(self._records.values())

    def pending(self) -> list[PendingOperation]:
        with self._lock:
            return list(self._pending.values())

    def is_pending(self, operation: str, urn: str) -> bool:
        with self._lock:
            return (operation, urn) in self._pending

    def begin(self, operation: str, resource: ResourceState) -> None:
        """Records that `operation` is about to be asked of the provider."""
        if self._journal:
            self._journal.begin(operation, resource)
            with self._lock:
                self._pending[(operation, resource.urn)] = PendingOperation(operation, resource)

    def abandon(self, operation: str, resource: ResourceState) -> None:
        """Records that `operation` came to nothing: the provider refused it."""
        if self._journal:
            self._journal.end(operation, resource)
        with self._lock:
            self._pending.pop((operation, resource.urn), None)

    def put(
        self, resource: ResourceState, *, ends: str = "", retires: ResourceState | None = None
    ) -> ResourceState:
        """Records `resource` as it now is; an equal record is left alone.

        `retires` is the resource it replaces: in the same stroke that one is moved aside, to be deleted once
        all that used it has moved on.
        """
        # Aliases matter while a program runs; Pulumi's snapshots leave them out, and so do these.
        resource = replace(resource, aliases=())
        with self._lock:
            previous = self._records.get(resource.key)
            ended = self._pending.pop((ends, resource.urn), None)
        retired = replace(retires, delete=True) if retires else None
        if previous is not None and ended is None and retired is None:
            same = replace(resource, created=previous.created, modified=previous.modified)
            if same == previous:
                return previous
        if self._journal:
            resource = resource.stamped(None if retired else previous)
            self._journal.put(resource, ends=ends, also=retired)
        with self._lock:
            self._records[resource.key] = resource
            if retired:
                self._records[retired.key] = retired
        return resource

    def drop(self, resource: ResourceState, *, ends: str = "") -> None:
        if self._journal:
            self._journal.drop(resource, ends=ends)
        with self._lock:
            self._records.pop(resource.key, None)
            self._pending.pop((ends, resource.urn), None)

    def snapshot(self) -> Snapshot:
        with self._lock:
            return Snapshot(in_order(self._records.values()), tuple(self._pending.values()))
