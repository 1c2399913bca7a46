"""Checks of whole histories: valid on a correct service, invalid on each planted fault."""

from __future__ import annotations

import random

import pytest

from rehearsal.drills.history import Completion, History, RecordedOperation
from rehearsal.drills.runner import check, merged
from rehearsal.drills.workload import Client
from tests.rehearsal.drills.service_double import FAULTS, ServiceDouble


def history_of(service: ServiceDouble) -> History:
    """The history of one client that does each operation several times and reads everything back."""
    history = History()
    target = service.target()
    administrator = Client(1, target, History(), random.Random(1), 0.0)
    client = Client(0, target, history, random.Random(2), 0.0)
    assert client.sign_up()
    assert client.deposit(administrator)
    for operation in administrator.history:
        history.add(operation)
    for _ in range(4):
        client.create()
        client.get()
        client.order()
        client.event()
        client.balance()
    client.read_everything()
    return history


def test_every_check_of_a_correct_service_is_valid() -> None:
    results = check(history_of(ServiceDouble()), 0.0)
    assert {result.name: result.valid for result in results if not result.valid} == {}
    assert sum(result.lost + result.duplicated for result in results) == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_reported(fault: str) -> None:
    results = check(history_of(ServiceDouble(fault)), 0.0)
    invalid = {result.name for result in results if result.valid is False}
    expected = {
        "acknowledge before write": "set-full: content",
        "lost append": "set-full: content",
        "double delivery": "set-full: content",
        "charged twice": "bank",
        "event lost": "set-full: events",
        "job never done": "total-queue: jobs",
    }
    assert expected[fault] in invalid


def test_events_that_a_restore_removed_are_named_rather_than_counted() -> None:
    service, history = ServiceDouble(), History()
    client = Client(0, service.target(), history, random.Random(2), 0.0)
    assert client.sign_up()
    for _ in range(4):
        client.event()
    first, second, *later = client.events
    service.events -= {first, second}
    assert client.read_everything()
    (read,) = history.of("list-events")
    assert read.result == later
    assert client.read_everything()
    assert history.of("list-events")[-1].result == later


def test_content_that_a_restore_removed_is_not_waited_for() -> None:
    service = ServiceDouble()
    client = Client(0, service.target(), History(), random.Random(2), 0.0)
    assert client.sign_up()
    client.create()
    service.contents[client.account].clear()
    assert client.unfinished() == 0


def test_a_job_that_was_acknowledged_before_a_restore_may_be_done() -> None:
    history = History(
        [
            operation("a", 0, Completion.INFO, "1"),
            operation("b", 4, Completion.OK, "2"),
            *(RecordedOperation(0, "get", id_, 5, 6, Completion.OK, "ready") for id_ in "12"),
        ]
    )
    (queue,) = [each for each in check(history, 0.0) if each.name == "total-queue: jobs"]
    assert queue.problems == []


def operation(value: str, at: float, outcome: Completion, result: str | None = None) -> RecordedOperation:
    return RecordedOperation(0, "create", value, at, at + 0.5, outcome, result)


def test_a_write_and_its_retries_are_one_operation() -> None:
    history = History(
        [
            operation("a", 0, Completion.INFO),
            operation("a", 1, Completion.OK, "1"),
            operation("a", 2, Completion.OK, "1"),
            operation("b", 0, Completion.FAIL),
            operation("c", 0, Completion.INFO),
        ]
    )
    found = {o.value: (o.outcome, o.invoked, o.completed) for o in merged(history, "create")}
    assert found == {
        "a": (Completion.OK, 0, 1.5),
        "b": (Completion.FAIL, 0, 0.5),
        "c": (Completion.INFO, 0, 0.5),
    }
