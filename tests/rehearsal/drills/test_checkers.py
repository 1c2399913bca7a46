"""Checkers report planted faults, and accept histories that only resemble one."""

from __future__ import annotations

from typing import Any

from rehearsal.drills.checkers import (
    bank,
    monotonic_states,
    one_effect_per_key,
    read_your_writes,
    set_full,
    total_queue,
    writes_in_flight,
)
from rehearsal.drills.history import Completion, History, RecordedOperation

OK, FAIL, INFO = Completion.OK, Completion.FAIL, Completion.INFO


def op(
    function: str,
    value: Any,
    at: float,
    outcome: Completion = OK,
    result: Any = None,
    *,
    process: int = 0,
    seconds: float = 0.5,
) -> RecordedOperation:
    return RecordedOperation(process, function, value, at, at + seconds, outcome, result)


# -- set-full ---------------------------------------------------------------------------------------------


def test_set_full_accepts_elements_that_stay() -> None:
    history = History(
        [op("add", "a", 0), op("read", None, 1, result=["a"]), op("read", None, 2, result=["a"])]
    )
    assert set_full(history, "add", "read").valid is True


def test_set_full_reports_an_acknowledgement_before_the_write() -> None:
    history = History([op("add", "a", 0), op("read", None, 1, result=[])])
    found = set_full(history, "add", "read")
    assert (found.valid, found.lost) == (False, 1)


def test_set_full_reports_an_append_that_was_lost_after_it_was_read() -> None:
    history = History(
        [op("add", "a", 0, INFO), op("read", None, 1, result=["a"]), op("read", None, 2, result=[])]
    )
    assert set_full(history, "add", "read").lost == 1


def test_set_full_accepts_an_element_that_only_the_last_read_shows() -> None:
    for outcome in (OK, INFO):
        history = History([op("add", "a", 0, outcome), op("read", None, 1, result=["a"])])
        found = set_full(history, "add", "read", staleness=2.0)
        assert (found.valid, found.checked) == (True, 1)


def test_set_full_reports_an_element_that_no_read_could_show() -> None:
    history = History([op("add", "a", 0), op("read", None, 1, result=[])])
    assert set_full(history, "add", "read", staleness=2.0).valid is None


def test_set_full_reports_a_stale_read() -> None:
    history = History([op("add", "a", 0), op("read", None, 1, result=[]), op("read", None, 2, result=["a"])])
    found = set_full(history, "add", "read")
    assert (found.valid, found.lost) == (False, 0)


def test_a_documented_staleness_is_not_a_fault() -> None:
    reads = [op("read", None, 1, result=[]), op("read", None, 5, result=["a"])]
    assert set_full(History([op("add", "a", 0), *reads]), "add", "read", staleness=2).valid is True
    late = [op("read", None, 3, result=[]), op("read", None, 5, result=["a"])]
    assert set_full(History([op("add", "a", 0), *late]), "add", "read", staleness=2).valid is False
    moved = [op("deposit", ("x", 100), 0), balance(1, 0)]
    assert bank(History(moved), "read", "deposit", "spend", staleness=2).valid is True
    assert bank(History(moved), "read", "deposit", "spend").valid is False


def test_set_full_reports_a_duplicate() -> None:
    history = History([op("add", "a", 0), op("read", None, 1, result=["a", "a"])])
    assert set_full(history, "add", "read").duplicated == 1


def test_set_full_accepts_a_concurrent_read() -> None:
    history = History(
        [op("add", "a", 0, seconds=5), op("read", None, 1, result=[]), op("read", None, 6, result=["a"])]
    )
    assert set_full(history, "add", "read").valid is True


def test_set_full_counts_a_time_out_neither_as_done_nor_as_lost() -> None:
    history = History([op("add", "a", 0, INFO), op("add", "b", 0), op("read", None, 1, result=["b"])])
    assert set_full(history, "add", "read").valid is True


def test_set_full_does_not_know_without_a_later_read() -> None:
    assert set_full(History([op("add", "a", 0)]), "add", "read").valid is None
    assert set_full(History([op("read", None, 0, result=[])]), "add", "read").valid is None


def test_set_full_reads_only_the_elements_of_the_process() -> None:
    history = History(
        [op("add", "a", 0), op("read", None, 1, result=[], process=1), op("read", None, 1, result=["a"])]
    )
    assert set_full(history, "add", "read").valid is True


# -- total-queue ------------------------------------------------------------------------------------------


def test_total_queue_reports_lost_and_repeated_jobs() -> None:
    history = History(
        [
            op("enqueue", "a", 0),
            op("enqueue", "b", 0),
            op("enqueue", "c", 0, INFO),
            op("done", "a", 9, result=0),
            op("done", "b", 9, result=2),
            op("done", "c", 9, result=0),
        ]
    )
    found = total_queue(history, "enqueue", "done")
    assert (found.valid, found.lost, found.duplicated) == (False, 1, 1)


def test_total_queue_reports_a_job_that_was_never_enqueued() -> None:
    history = History([op("enqueue", "a", 0), op("done", "a", 1, result=1), op("done", "x", 1, result=1)])
    assert total_queue(history, "enqueue", "done").valid is False


def test_total_queue_counts_the_last_look_at_a_job() -> None:
    history = History([op("enqueue", "a", 0), op("done", "a", 1, result=0), op("done", "a", 2, result=1)])
    assert total_queue(history, "enqueue", "done").valid is True


# -- bank -------------------------------------------------------------------------------------------------


def balance(at: float, amount: int) -> RecordedOperation:
    return op("read", "x", at, result={"balance": amount})


def test_bank_reports_money_that_was_lost_or_made() -> None:
    moved = [op("deposit", ("x", 100), 0), op("spend", ("x", 30), 1)]
    assert bank(History([*moved, balance(2, 70)]), "read", "deposit", "spend").valid is True
    assert bank(History([*moved, balance(2, 100)]), "read", "deposit", "spend").valid is False
    assert bank(History([*moved, balance(2, 40)]), "read", "deposit", "spend").valid is False


def test_bank_allows_either_result_of_an_unknown_operation() -> None:
    moved = [op("deposit", ("x", 100), 0), op("spend", ("x", 30), 1, INFO)]
    for amount, valid in ((100, True), (70, True), (85, True), (69, False), (101, False)):
        found = bank(History([*moved, balance(2, amount)]), "read", "deposit", "spend")
        assert found.valid is valid, amount


def test_bank_allows_an_overlapping_operation_but_not_a_negative_balance() -> None:
    moved = [op("deposit", ("x", 100), 0), op("spend", ("x", 30), 1, seconds=5)]
    assert bank(History([*moved, balance(2, 100)]), "read", "deposit", "spend").valid is True
    assert bank(History([balance(2, -1)]), "read", "deposit", "spend").valid is False


# -- idempotency and sessions -----------------------------------------------------------------------------


def test_a_key_with_two_effects_is_reported() -> None:
    twice = History([op("create", "key", 0, result="1"), op("create", "key", 1, result="2")])
    assert one_effect_per_key(twice, "create").duplicated == 1
    once = History([op("create", "key", 0, INFO), op("create", "key", 1, result="2")])
    assert one_effect_per_key(once, "create").valid is True
    shared = History([op("create", "one", 0, result="1"), op("create", "other", 1, result="1")])
    assert one_effect_per_key(shared, "create").valid is False


def test_a_write_that_its_process_cannot_read_is_reported() -> None:
    written = op("create", "key", 0, result="1")
    assert read_your_writes(History([written, op("get", "1", 1, FAIL)]), "create", "get").valid is False
    assert read_your_writes(History([written, op("get", "1", 1)]), "create", "get").valid is True
    unknown = History([written, op("get", "1", 1, INFO), op("get", "1", 1, FAIL, process=1)])
    assert read_your_writes(unknown, "create", "get").valid is None


def test_a_state_that_is_reverted_is_reported() -> None:
    order = ("queued", "ready")
    back = History([op("get", "1", 0, result="ready"), op("get", "1", 1, result="queued")])
    assert monotonic_states(back, "get", order).valid is False
    other = History([op("get", "1", 0, result="ready"), op("get", "1", 1, result="queued", process=1)])
    assert monotonic_states(other, "get", order).valid is True


def test_a_drill_without_a_write_in_flight_is_inconclusive() -> None:
    history = History([op("create", "a", 0), op("create", "b", 10, seconds=2)])
    assert writes_in_flight(history, ["create"], 5, 9).valid is None
    assert writes_in_flight(history, ["create"], 5, 11).valid is True
