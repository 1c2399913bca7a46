"""Records during an operation: what each change leaves in memory and in the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rehearsal.engine.state.resource_records import Entry, Kind
from rehearsal.engine.state.resource_state import PendingOperation, ResourceState, Snapshot
from rehearsal.engine.state.snapshot_manager import SnapshotManager

TYPE = "toy:index:Thing"


def urn(name: str) -> str:
    return f"urn:pulumi:test::toys::{TYPE}::{name}"


def state(name: str, id_: str = "1", **more: Any) -> ResourceState:
    return ResourceState(urn(name), TYPE, True, id=id_, **more)


class Journal:
    """Journal in memory."""

    def __init__(self) -> None:
        self.writes: list[tuple[Entry, ...]] = []

    def append(self, *entries: Entry) -> None:
        self.writes.append(entries)

    @property
    def kinds(self) -> list[list[Kind]]:
        return [[entry.kind for entry in entries] for entries in self.writes]


@pytest.fixture
def journal() -> Journal:
    return Journal()


def manager(journal: Any, *resources: ResourceState, pending: tuple[PendingOperation, ...] = ()) -> Any:
    return SnapshotManager(Snapshot(resources, pending), journal)


def test_equal_record_is_not_written_again(journal: Journal) -> None:
    records = manager(journal, state("a", created="then", modified="then"))
    assert records.put(state("a")).modified == "then"
    assert journal.writes == []
    changed = records.put(state("a", protect=True))
    assert journal.kinds == [[Kind.PUT]]
    assert changed.created == "then"
    assert changed.modified > "2"
    assert records.live(urn("a")) == changed


def test_preview_changes_records_without_a_journal_or_a_time() -> None:
    records = manager(None)
    assert records.put(state("a")) == state("a")
    assert records.all() == [state("a")]


def test_end_of_an_operation_is_written_with_its_result(journal: Journal) -> None:
    records = manager(journal)
    records.begin("creating", state("a", ""))
    assert records.is_pending("creating", urn("a")).resource == state("a", "")
    assert records.is_pending("updating", urn("a")) is None
    records.put(state("a"), ends="creating")
    assert journal.kinds == [[Kind.BEGIN], [Kind.PUT, Kind.END]]
    assert records.pending() == []


def test_equal_record_is_written_if_it_ends_an_operation(journal: Journal) -> None:
    records = manager(journal, state("a"), pending=(PendingOperation("updating", state("a")),))
    records.put(state("a"), ends="updating")
    assert journal.kinds == [[Kind.PUT, Kind.END]]


def test_end_without_a_begin_is_not_written(journal: Journal) -> None:
    records = manager(journal, state("a"))
    records.end("creating", state("a"))
    assert journal.writes == []
    records.begin("deleting", state("a"))
    records.end("deleting", state("a"))
    assert journal.kinds == [[Kind.BEGIN], [Kind.END]]


def test_replaced_resource_is_retired_in_the_same_write(journal: Journal) -> None:
    records = manager(journal, state("a", "old", created="then"))
    new = records.put(state("a", "new"), ends="creating", retires=records.live(urn("a")))
    assert journal.kinds == [[Kind.PUT, Kind.PUT]]
    assert new.created != "then"
    assert records.live(urn("a")) == new
    assert records.by_id(urn("a"), "old").delete
    assert records.by_id(urn("a"), "new") == new
    assert records.by_id(urn("a"), "other") == new
    assert records.by_id(urn("b"), "old") is None


def test_replacement_with_the_same_id_retires_the_former_record(journal: Journal) -> None:
    records = manager(journal, state("a", "same"))
    records.put(state("a", "same", protect=True), retires=state("a", "same"))
    assert [(item.id, item.delete) for item in records.all()] == [("same", False), ("same", True)]


@pytest.mark.parametrize(
    ("live", "used"),
    [
        (state("a", "one"), True),
        (state("a", "two"), False),
        (state("a", "one", provider="p::2"), False),  # another resource with the same id
        (state("b", "one"), False),
    ],
)
def test_id_of_a_retired_record_may_be_in_use_again(
    journal: Journal, live: ResourceState, *, used: bool
) -> None:
    retired = state("a", "one", delete=True)
    assert manager(journal, live, retired).uses_id_of(retired) is used


def test_deleted_resource_ends_its_operations(journal: Journal) -> None:
    pending = tuple(PendingOperation(operation, state("a")) for operation in ("deleting", "updating"))
    records = manager(journal, state("a"), pending=pending)
    records.drop(state("a"))
    assert journal.kinds == [[Kind.DROP, Kind.END, Kind.END]]
    assert records.snapshot() == Snapshot()


def test_record_of_a_resource_that_is_created_again_stays(journal: Journal) -> None:
    records = manager(journal, state("a"))
    records.drop(state("a"), awaits_replacement=True)
    assert records.live(urn("a")) == replace(state("a"), pending_replacement=True)


def test_rename_updates_references_and_dependents(journal: Journal) -> None:
    records = manager(journal, state("a"), state("b", dependencies=(urn("a"),)))
    assert [item.urn for item in records.dependents(urn("a"))] == [urn("b")]
    renamed = records.rename(state("a"), urn("new"), urn("parent"))
    assert (renamed.urn, renamed.parent) == (urn("new"), urn("parent"))
    assert records.live(urn("a")) is None
    assert records.live(urn("b")).dependencies == (urn("new"),)
    assert [item.urn for item in records.dependents(urn("new"))] == [urn("b")]
    assert journal.writes[0][0].old == urn("a")


def test_records_follow_a_renamed_parent_unless_the_new_urn_exists(journal: Journal) -> None:
    parent = ResourceState("urn:pulumi:test::toys::my:index:Team::two", "my:index:Team", False)

    def child(name: str, kind: str = "my:index:Group", **more: Any) -> ResourceState:
        full = f"urn:pulumi:test::toys::{kind}${TYPE}::{name}"
        return ResourceState(full, TYPE, True, "1", parent=parent.urn, **more)

    retired = child("b", delete=True)
    records = manager(journal, parent, child("a"), retired, child("c"), child("c", "my:index:Team"))
    records.follow_renamed(())
    assert not journal.writes
    records.follow_renamed({parent.urn})
    found = [(item.urn.split("::")[2:], item.delete) for item in records.all() if item.parent]
    team, group = f"my:index:Team${TYPE}", f"my:index:Group${TYPE}"
    assert sorted(found) == [
        ([group, "c"], False),
        ([team, "a"], False),
        ([team, "b"], True),
        ([team, "c"], False),
    ]
    assert journal.kinds == [[Kind.RENAME], [Kind.RENAME]]
