"""Measurements of a fault: errors, the worst second, and the time to recovery."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rehearsal.drills.history import Completion, History, RecordedOperation
from rehearsal.percentiles import percentile

WINDOW_SECONDS = 10.0
_STEP_SECONDS = 1.0
# TGT1: percentiles of the response time in seconds. TGT3: share of errors.
TARGETS = {50: 0.2, 95: 0.5, 99: 1.0}
ERROR_SHARE = 0.01
# A window with fewer requests is inconclusive.
_MIN_REQUESTS = 20
# Functions of the history that are not requests: their results are derived from other operations.
_DERIVED = {"list", "list-orders", "list-events"}


@dataclass(frozen=True)
class SecondStats:
    """One second of the run, relative to the fault: requests, errors, and the P95 in seconds."""

    at: int
    requests: int
    errors: int
    p95: float


@dataclass(frozen=True)
class Measurements:
    """Measurements in seconds after the fault; `baseline`: the targets held before it.

    `detected` is the first reaction of the platform, `recovered` the start of the first 10 s window within
    TGT1 and TGT3 after the fault began; None: never. `worst` is the share of errors in the worst second.
    `served` is the share of requests without an error, by operation, of those sent during the fault;
    `used_again` the time from its end to the start of the first 10 s window within TGT3; None: never.
    """

    requests: int
    errors: int
    baseline: bool
    detected: float | None
    recovered: float | None
    worst: float
    worst_at: int
    seconds: list[SecondStats]
    served: dict[str, float] = field(default_factory=dict)
    used_again: float | None = None

    @property
    def error_share(self) -> float:
        """Return the share of errors among all requests from the fault until recovery, or the end."""
        return self.errors / self.requests if self.requests else 0.0


def is_error(operation: RecordedOperation) -> bool:
    """Whether an operation counts as an error: no response, or a 5xx status."""
    return operation.outcome is not Completion.OK and (operation.status is None or operation.status >= 500)


def within_targets(operations: Sequence[RecordedOperation]) -> bool:
    """Whether TGT1 and TGT3 hold over these requests."""
    if not within_errors(operations):
        return False
    seconds = [operation.seconds for operation in operations]
    return all(percentile(seconds, percent) < limit for percent, limit in TARGETS.items())


def within_errors(operations: Sequence[RecordedOperation]) -> bool:
    """Whether TGT3, the share of errors, holds over these requests."""
    enough = len(operations) >= _MIN_REQUESTS
    return enough and sum(map(is_error, operations)) <= ERROR_SHARE * len(operations)


def measure(
    history: History, fault: float, ended: float, detected: float | None, fault_ended: float | None = None
) -> Measurements:
    """Compute the measurements from a history.

    `fault` is the start of the fault, `fault_ended` its end, by default the same, and `ended` the end of the
    load.
    """
    fault_ended = fault if fault_ended is None else fault_ended
    requests = sorted((o for o in history if o.function not in _DERIVED), key=lambda o: o.completed)
    before = [o for o in requests if fault - WINDOW_SECONDS <= o.completed < fault]
    recovered = _first_window(requests, fault, ended, within_targets)
    until = ended if recovered is None else fault + max(recovered, _STEP_SECONDS)
    affected = [o for o in requests if fault <= o.completed < until]
    seconds = _seconds(requests, fault, ended)
    after = [item for item in seconds if item.at >= 0 and item.requests]
    worst = max(after, key=lambda item: item.errors / item.requests, default=None)
    return Measurements(
        requests=len(affected),
        errors=sum(map(is_error, affected)),
        baseline=within_targets(before),
        detected=None if detected is None else detected - fault,
        recovered=recovered,
        worst=worst.errors / worst.requests if worst else 0.0,
        worst_at=worst.at if worst else 0,
        seconds=seconds,
        served=_served([o for o in requests if fault <= o.invoked < fault_ended]),
        used_again=_first_window(requests, fault_ended, ended, within_errors),
    )


def _first_window(
    requests: Sequence[RecordedOperation],
    since: float,
    ended: float,
    holds: Callable[[Sequence[RecordedOperation]], bool],
) -> float | None:
    """Return the seconds from `since` to the start of the first window of 10 s for which `holds` is true."""
    start = since
    while start + WINDOW_SECONDS <= ended:
        if holds([o for o in requests if start <= o.completed < start + WINDOW_SECONDS]):
            return start - since
        start += _STEP_SECONDS
    return None


def _served(requests: Sequence[RecordedOperation]) -> dict[str, float]:
    """Return the share of requests without an error, by operation."""
    by_function: dict[str, list[RecordedOperation]] = {}
    for operation in requests:
        by_function.setdefault(operation.function, []).append(operation)
    return {
        function: 1 - sum(map(is_error, items)) / len(items)
        for function, items in sorted(by_function.items())
    }


def _seconds(requests: Sequence[RecordedOperation], fault: float, ended: float) -> list[SecondStats]:
    by_second: dict[int, list[RecordedOperation]] = {}
    for operation in requests:
        if operation.completed < ended:
            by_second.setdefault(math.floor(operation.completed - fault), []).append(operation)
    return [
        SecondStats(
            at, len(items), sum(map(is_error, items)), percentile([item.seconds for item in items], 95)
        )
        for at, items in sorted(by_second.items())
    ]
