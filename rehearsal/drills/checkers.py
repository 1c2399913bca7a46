"""Checkers of histories: set-full, total-queue, bank, one effect per key, session guarantees.

The first three follow `jepsen.checker` and `jepsen.tests.bank`. Each returns a `CheckResult`; `valid` is None
(unknown) when the history is inconclusive, which a drill counts as a failure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearsal.drills.history import Completion, History, RecordedOperation

_SHOWN = 5


@dataclass(frozen=True)
class CheckResult:
    """The result of one checker: `lost` and `duplicated` elements, and up to five problems as text."""

    name: str
    valid: bool | None
    checked: int
    lost: int = 0
    duplicated: int = 0
    problems: list[str] = field(default_factory=list)


def _result(
    name: str, checked: int, problems: Sequence[str], lost: int = 0, duplicated: int = 0
) -> CheckResult:
    if checked == 0:
        return CheckResult(name, None, 0, problems=["nothing was acknowledged that could be checked"])
    return CheckResult(name, not problems, checked, lost, duplicated, list(problems[:_SHOWN]))


# -- set-full ---------------------------------------------------------------------------------------------


def set_full(history: History, add: str, read: str, name: str = "", staleness: float = 0.0) -> CheckResult:
    """Check that every acknowledged element is in every later read of its process.

    `add` operations have the element as `value` and return it; `read` operations return all elements of the
    process. A read is relevant for an element only if it began after the element was known: after its add was
    acknowledged, or after a read that contained it had completed. An element is lost if the last such read
    does not contain it, stale if only an earlier one did not, and never read if there was none. `staleness`
    are seconds for which a read may still show the previous state, as documented for caches.
    """
    name = name or f"set-full: {add}"
    reads: dict[int, list[RecordedOperation]] = defaultdict(list)
    for operation in history.of(read):
        if operation.outcome is Completion.OK:
            reads[operation.process].append(operation)
    lost = duplicated = checked = 0
    problems: list[str] = []
    never = 0
    added: set[tuple[int, Any]] = set()
    for operation in history.of(add):
        element = operation.value
        if operation.outcome is Completion.FAIL or (operation.process, element) in added:
            continue
        added.add((operation.process, element))
        timeline = _Element.of(element, operation, reads[operation.process], staleness)
        if timeline.known is None:
            continue
        if not timeline.after and not timeline.copies:
            never += 1
            continue
        checked += 1
        if timeline.after and not timeline.after[-1]:
            lost += 1
            problems.append(f"{element!r} was acknowledged and is absent from the last read")
        elif not all(timeline.after):
            problems.append(f"{element!r} was acknowledged and absent from a read that began later")
        if timeline.copies > 1:
            duplicated += 1
            problems.append(f"{element!r} was read {timeline.copies} times at once")
    if never:
        problems.append(f"{never} acknowledged elements were never read afterwards")
    return _result(name, checked, problems, lost, duplicated)


@dataclass(frozen=True)
class _Element:
    """When an element was known, whether each later read contains it, and its maximum copies in one read."""

    known: float | None
    after: list[bool]
    copies: int

    @classmethod
    def of(
        cls, element: Any, add: RecordedOperation, reads: Sequence[RecordedOperation], staleness: float
    ) -> _Element:
        seen = [operation.completed for operation in reads if element in operation.result]
        times = ([add.completed] if add.outcome is Completion.OK else []) + seen
        known = min(times, default=None)
        later = [o for o in reads if known is not None and o.invoked > known + staleness]
        copies = max((list(o.result).count(element) for o in reads), default=0)
        return cls(known, [element in o.result for o in later], copies)


# -- total-queue ------------------------------------------------------------------------------------------


def total_queue(history: History, enqueue: str, done: str, name: str = "total-queue") -> CheckResult:
    """Check that every acknowledged job is done exactly once.

    `enqueue` operations have the job as `value`; `done` operations return, for the job in `value`, how often
    its effect was seen (0: not yet). The last `done` of a job counts.
    """
    acknowledged = {o.value for o in history.of(enqueue) if o.outcome is Completion.OK}
    attempted = {o.value for o in history.of(enqueue) if o.outcome is not Completion.FAIL}
    effects = {o.value: int(o.result) for o in history.of(done) if o.outcome is Completion.OK}
    lost = sorted(job for job in acknowledged if effects.get(job, 0) == 0)
    twice = sorted(job for job, count in effects.items() if count > 1)
    unexpected = sorted(job for job, count in effects.items() if count and job not in attempted)
    problems = [f"job {job!r} was acknowledged and never done" for job in lost]
    problems += [f"job {job!r} had {effects[job]} effects" for job in twice]
    problems += [f"job {job!r} was done and never enqueued" for job in unexpected]
    return _result(name, len(acknowledged), problems, len(lost), len(twice))


# -- bank -------------------------------------------------------------------------------------------------


def bank(
    history: History, read: str, deposit: str, spend: str, name: str = "bank", staleness: float = 0.0
) -> CheckResult:
    """Check that balances equal deposits minus purchases at every read.

    `deposit` and `spend` operations have (account, amount) as value; `read` operations have the account and
    return {"balance", "spent"} of one moment, `spent` being the sum over the listed purchases. Operations
    that are info may have taken effect or not, and so may those that overlap the read or ended at most
    `staleness` seconds before it.
    """
    moves: dict[Any, list[tuple[RecordedOperation, int]]] = defaultdict(list)
    for operation in history.of(deposit, spend):
        if operation.outcome is not Completion.FAIL:
            account, amount = operation.value
            sign = 1 if operation.function == deposit else -1
            moves[account].append((operation, sign * int(amount)))
    problems: list[str] = []
    checked = 0
    for operation in history.of(read):
        if operation.outcome is not Completion.OK:
            continue
        checked += 1
        balance = int(operation.result["balance"])
        if balance < 0:
            problems.append(f"the balance of {operation.value!r} was {balance}")
        lowest, highest = _bounds(moves[operation.value], operation, staleness)
        if not lowest <= balance <= highest:
            problems.append(
                f"the balance of {operation.value!r} was {balance}: the acknowledged operations allow "
                f"{lowest} to {highest}"
            )
    return _result(name, checked, problems, lost=len(problems))


def _bounds(
    moves: Iterable[tuple[RecordedOperation, int]], read: RecordedOperation, staleness: float
) -> tuple[int, int]:
    certain = low = high = 0
    for operation, amount in moves:
        if operation.invoked > read.completed:
            continue
        if operation.outcome is Completion.OK and operation.completed + staleness < read.invoked:
            certain += amount
        else:
            low, high = low + min(amount, 0), high + max(amount, 0)
    return certain + low, certain + high


# -- idempotency ------------------------------------------------------------------------------------------


def one_effect_per_key(history: History, function: str, name: str = "idempotency") -> CheckResult:
    """Check that all acknowledged requests with one Idempotency-Key returned the same result.

    The key is the operation's `value`, the id of the created resource its `result`.
    """
    made: dict[Any, set[Any]] = defaultdict(set)
    for operation in history.of(function):
        if operation.outcome is Completion.OK:
            made[operation.value].add(operation.result)
    twice = {key: ids for key, ids in made.items() if len(ids) > 1}
    problems = [
        f"key {key!r} created {len(ids)} resources: {sorted(map(str, ids))}" for key, ids in twice.items()
    ]
    shared = Counter(id_ for ids in made.values() for id_ in ids)
    problems += [f"{id_!r} was returned for {count} keys" for id_, count in shared.items() if count > 1]
    return _result(name, len(made), problems, duplicated=len(twice))


# -- session guarantees -----------------------------------------------------------------------------------


def read_your_writes(history: History, write: str, read: str, name: str = "read your writes") -> CheckResult:
    """Check that later reads of a process return its acknowledged writes.

    The result of a `write` is the id; a `read` has the id as `value` and is fail if it was not found.
    """
    written = {(o.process, o.result): o.completed for o in history.of(write) if o.outcome is Completion.OK}
    problems: list[str] = []
    checked = 0
    for operation in history.of(read):
        known = written.get((operation.process, operation.value))
        if known is None or operation.invoked < known or operation.outcome is Completion.INFO:
            continue
        checked += 1
        if operation.outcome is Completion.FAIL:
            problems.append(f"{operation.value!r} was not found by the process that wrote it")
    return _result(name, checked, problems, lost=len(problems))


def monotonic_states(
    history: History, read: str, order: Sequence[str], name: str = "monotonic reads"
) -> CheckResult:
    """Check that no process sees a resource return to an earlier state.

    A `read` has the id as `value` and returns the state; `order` lists states from early to late.
    """
    rank: Mapping[str, int] = {state: index for index, state in enumerate(order)}
    last: dict[tuple[int, Any], RecordedOperation] = {}
    problems: list[str] = []
    checked = 0
    for operation in history.of(read):
        if operation.outcome is not Completion.OK or operation.result not in rank:
            continue
        key = (operation.process, operation.value)
        before = last.get(key)
        checked += 1
        ordered = before is not None and before.completed < operation.invoked
        if before is not None and ordered and rank[operation.result] < rank[before.result]:
            problems.append(f"{operation.value!r} was {before.result}, then {operation.result}")
        last[key] = operation
    return _result(name, checked, problems)


# -- writes in flight -------------------------------------------------------------------------------


def writes_in_flight(
    history: History, writes: Iterable[str], began: float, ended: float, name: str = "writes at the fault"
) -> CheckResult:
    """Check that at least one write was in flight during the fault; otherwise the drill is inconclusive."""
    wanted: Callable[[RecordedOperation], bool] = lambda o: o.invoked <= ended and o.completed >= began  # noqa: E731
    count = sum(wanted(operation) for operation in history.of(*writes))
    if count == 0:
        return CheckResult(name, None, 0, problems=["no write was in flight at the fault"])
    return CheckResult(name, True, count)
