"""Histories retain the order of invocation, also when they are written to a file and read again."""

from __future__ import annotations

from pathlib import Path

from rehearsal.drills.history import Completion, History, RecordedOperation


def operation(function: str, at: float, outcome: Completion = Completion.OK) -> RecordedOperation:
    return RecordedOperation(0, function, ["x", 1], at, at + 0.5, outcome, {"id": "1"}, 201)


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    history = History([operation("create", 0), operation("get", 1, Completion.INFO)])
    history.write(tmp_path / "history.jsonl")
    assert list(History.read(tmp_path / "history.jsonl")) == list(history)


def test_operations_of_a_function_are_ordered_by_invocation() -> None:
    history = History([operation("get", 2), operation("create", 1), operation("get", 0)])
    assert [item.invoked for item in history.of("get")] == [0, 2]
    assert history.of("get")[0].seconds == 0.5
