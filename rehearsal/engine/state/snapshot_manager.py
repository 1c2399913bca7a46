"""Snapshot manager: records of the stack during an operation, in memory and in the journal."""

from __future__ import annotations

import threading
from collections.abc import Container
from dataclasses import replace

from rehearsal.engine.state.journal import Journal
from rehearsal.engine.state.resource_records import Entry, Kind, Records
from rehearsal.engine.state.resource_state import PendingOperation, ResourceState, Snapshot
from rehearsal.pulumi.urn import make_urn, name_of


class SnapshotManager:
    """Current records by key, initialized from a snapshot. Thread-safe.

    With a journal, every change is on disk before the call returns, or StateError is raised. Without one, in
    a preview, nothing is written, and records may hold unknowns.
    """

    def __init__(self, snapshot: Snapshot, journal: Journal | None) -> None:
        self._records = Records(snapshot)
        self._journal = journal
        self._lock = threading.Lock()

    def live(self, urn: str) -> ResourceState | None:
        with self._lock:
            return self._records.resources.get((urn, ""))

    def by_id(self, urn: str, id_: str) -> ResourceState | None:
        """Return the record of `urn` with that id, live or retired, or else the live one."""
        with self._lock:
            live = self._records.resources.get((urn, ""))
            if live is not None and live.id == id_:
                return live
            return self._records.resources.get((urn, id_), live)

    def uses_id_of(self, retired: ResourceState) -> bool:
        """Return whether the live record of the same URN is the resource that `retired` was.

        Ids are derived from inputs, and some types have one id for all resources: a replacement, or its
        reversal, may yield the id of the retired resource, which must not be deleted then.
        """
        live = self.live(retired.urn)
        return live is not None and (live.id, live.provider) == (retired.id, retired.provider)

    def all(self) -> list[ResourceState]:
        with self._lock:
            return list(self._records.resources.values())

    def dependents(self, urn: str) -> tuple[ResourceState, ...]:
        """Return the live records that refer to `urn`, directly or through others, each after its targets."""
        with self._lock:
            return self._records.dependents(urn)

    def pending(self) -> list[PendingOperation]:
        with self._lock:
            return list(self._records.pending.values())

    def is_pending(self, operation: str, urn: str) -> PendingOperation | None:
        """Return the operation on the live resource `urn` that has no recorded end."""
        with self._lock:
            return self._records.pending.get((operation, urn, ""))

    def begin(self, operation: str, resource: ResourceState) -> None:
        """Record the start of `operation` before the provider is called."""
        self._do(Entry(Kind.BEGIN, resource, operation))

    def end(self, operation: str, resource: ResourceState) -> None:
        """Record the end of `operation` without a change."""
        with self._lock:
            known = (operation, *resource.key) in self._records.pending
        if known:
            self._do(Entry(Kind.END, resource, operation))

    def put(
        self, resource: ResourceState, *, ends: str = "", retires: ResourceState | None = None
    ) -> ResourceState:
        """Record the current state of `resource`; an equal record is not written again.

        `retires` is the resource it replaces, which is marked for deletion in the same atomic write, even if
        both have the same id (`uses_id_of`).
        """
        with self._lock:
            previous = self._records.resources.get(resource.key)
            over = self._over(resource, "creating", "updating") if ends else []
        if previous is not None and not over and retires is None:
            same = replace(resource, created=previous.created, modified=previous.modified)
            if same == previous:
                return previous
        if self._journal is not None:
            resource = resource.stamped(None if retires or ends == "creating" else previous)
        aside = [Entry(Kind.PUT, replace(retires, delete=True))] if retires else []
        self._do(*aside, Entry(Kind.PUT, resource), *over)
        return resource

    def drop(self, resource: ResourceState, *, awaits_replacement: bool = False) -> None:
        """Record the deletion of `resource` and the end of its pending operations.

        With `awaits_replacement` its record stays, so that references to it remain valid.
        """
        with self._lock:
            over = self._over(resource, "deleting", "updating")
        if awaits_replacement:
            self._do(Entry(Kind.PUT, replace(resource, pending_replacement=True)), *over)
        else:
            self._do(Entry(Kind.DROP, resource), *over)

    def rename(self, old: ResourceState, urn: str, parent: str) -> ResourceState:
        """Rename `old` to `urn` and update all references."""
        renamed = replace(old.with_renamed(old.urn, urn), parent=parent)
        self._do(Entry(Kind.RENAME, renamed, old=old.urn))
        return renamed

    def follow_renamed(self, parents: Container[str]) -> None:
        """Rename the children of `parents`, which were renamed themselves, and their children in turn.

        A URN has the types of all parents. Registered children have the new URN already; the others are
        records that the operation does not include (``NormalizeURNReferences`` in
        ``pkg/resource/deploy/snapshot.go``).
        """
        renamed: dict[str, str] = {}
        for item in self.snapshot().resources:
            parent = renamed.get(item.parent, item.parent)
            if item.urn in renamed or not (item.parent in renamed or parent in parents):
                continue
            stack, project = item.urn.removeprefix("urn:pulumi:").split("::")[:2]
            urn = make_urn(stack, project, item.type, name_of(item.urn), parent)
            if item.delete and self.live(item.urn) is not None:
                continue  # a replaced resource has the URN of its replacement
            if urn != item.urn and self.live(urn) is None:
                record = self.by_id(item.urn, item.id)
                assert record is not None
                self.rename(record, urn, parent)
                renamed[item.urn] = urn

    def snapshot(self) -> Snapshot:
        with self._lock:
            return self._records.snapshot()

    def _over(self, resource: ResourceState, *operations: str) -> list[Entry]:
        return [
            Entry(Kind.END, resource, operation)
            for operation in operations
            if (operation, *resource.key) in self._records.pending
        ]

    def _do(self, *entries: Entry) -> None:
        if self._journal is not None:
            self._journal.append(*entries)
        with self._lock:
            self._records.apply(entries)
