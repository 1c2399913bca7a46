"""Journal of an operation: truncated lines, failed writes and the JSON of entries."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from rehearsal.engine.state.journal import Journal, entry_from_json, entry_to_json
from rehearsal.engine.state.resource_records import Entry, Kind
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.engine.state.secrets import Crypter
from rehearsal.errors import StateError
from rehearsal.pulumi.properties import Secret
from tests.rehearsal.engine.conftest import Stack
from tests.rehearsal.engine.fake_provider import Cloud


def test_a_journal_truncated_at_any_byte_is_readable(stack: Stack, cloud: Cloud, tmp_path: Path) -> None:
    stack.up('Thing("a", value=1)\n')
    journal = stack.folder / "journal.jsonl"
    journals: list[bytes] = []
    fold = type(stack.store).fold

    def record(self: object, snapshot: object) -> None:
        journals.append(journal.read_bytes())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rehearsal.engine.state.store.Store.fold", record)
        stack.update('Thing("a", value=2)\nThing("b", value=3)\n')
    assert fold
    header = journals[0].index(b"\n") + 1
    for end in range(header, len(journals[0]) + 1, 7):
        journal.write_bytes(journals[0][:end])
        snapshot = stack.snapshot()
        assert {item.urn.rpartition("::")[2] for item in snapshot.resources} >= {"a"}
    journal.write_bytes(journals[0][:header])
    stack.up()
    assert stack.names() == {"a", "b"}


CRYPTER = Crypter.create("a passphrase of no consequence", temporary=True)
THING = ResourceState(
    "urn:pulumi:test::toys::toy:index:Thing::a",
    "toy:index:Thing",
    True,
    id="1",
    inputs={"key": Secret("hidden")},
)


@pytest.mark.parametrize(
    "entry",
    [
        Entry(Kind.PUT, THING),
        Entry(Kind.BEGIN, THING, "creating"),
        Entry(Kind.RENAME, THING, old="urn:pulumi:test::toys::toy:index:Thing::former"),
    ],
)
def test_entry_is_restored_from_json(entry: Entry) -> None:
    data = json.loads(json.dumps(entry_to_json(entry, CRYPTER)))
    assert "hidden" not in str(data)
    assert entry_from_json(data, CRYPTER) == entry


@pytest.mark.parametrize("kind", [Kind.DROP, Kind.END])
def test_entry_that_removes_holds_the_key_only(kind: Kind) -> None:
    retired = replace(THING, delete=True)
    data = entry_to_json(Entry(kind, retired, "deleting"), CRYPTER)
    assert "inputs" not in data["resource"]
    assert entry_from_json(data, CRYPTER).resource.key == retired.key
    assert entry_from_json(data, CRYPTER).operation == "deleting"


def test_entries_of_one_change_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"header\n")
    journal = Journal(path, CRYPTER)
    journal.append(Entry(Kind.BEGIN, THING, "creating"))
    journal.append(Entry(Kind.PUT, THING), Entry(Kind.END, THING, "creating"))
    journal.close()
    header, *lines = path.read_text().splitlines()
    assert header == "header"
    assert [[entry["op"] for entry in json.loads(line)] for line in lines] == [["begin"], ["put", "end"]]


def test_failed_write_is_an_error_and_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"header\n")
    journal = Journal(path, CRYPTER)

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("rehearsal.engine.state.journal.os.fsync", full)
        with pytest.raises(StateError, match="cannot be written: No space left on device"):
            journal.append(Entry(Kind.PUT, THING))
    assert path.read_bytes() == b"header\n"
    journal.append(Entry(Kind.PUT, THING))
    journal.close()
    assert path.read_bytes().count(b"\n") == 2


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot be written: No such file"):
        Journal(tmp_path / "absent", CRYPTER)
