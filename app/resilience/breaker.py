"""A circuit breaker: reject calls for a while if too many calls fail or are slow.

Closed: calls pass, and the outcomes of the last ``window`` calls are counted. With at least ``minimum``
outcomes, the breaker opens if the ratio of failed calls, or of slow and failed calls, reaches its threshold.
Open: calls are rejected immediately for a duration that doubles with each opening up to a maximum, with
jitter so that pods do not return together. Half-open: ``probes`` calls pass; the breaker closes if their
ratios are below the thresholds, otherwise it opens again. A cancelled call is not counted (as in Polly)
unless it was slow by then. A call counts only in the state in which it began (as in resilience4j). Probes
that have not ended after ``open_max`` seconds are replaced by others.

Measured against purgatory and hyx (``benchmarks/breakers.py``): both count consecutive failures only, do not
detect slow calls, have a constant open duration, and cost several times as much per closed call.
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class BreakerState(StrEnum):
    """State of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class BreakerOpen(Exception):  # noqa: N818 (a state, not an error)
    """The call was rejected; retry after ``retry_after`` seconds."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"circuit breaker {name!r} is open for another {retry_after:.1f} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class BreakerConfig:
    """Thresholds and open durations (seconds). The defaults are those of resilience4j."""

    window: int = 100
    minimum: int = 20
    failure_ratio: float = 0.5
    slow_seconds: float = 5.0
    slow_ratio: float = 0.9
    open_initial: float = 1.0
    open_max: float = 30.0
    probes: int = 10


class Breaker:
    """A circuit breaker for one dependency, in one event loop.

    ``failures`` are the exceptions that count as failed, or a function that returns whether an exception
    does. ``ignored`` returns whether an exception counts neither as failed nor as succeeded. ``on_change`` is
    called with the name and the new state.
    """

    def __init__(
        self,
        name: str,
        thresholds: BreakerConfig | None = None,
        *,
        failures: tuple[type[Exception], ...] | Callable[[BaseException], bool] = (Exception,),
        ignored: Callable[[BaseException], bool] = lambda error: False,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[str, BreakerState], None] | None = None,
    ) -> None:
        self.name = name
        self.state = BreakerState.CLOSED
        self._thresholds = thresholds or BreakerConfig()
        self._failures = failures
        self._ignored = ignored
        self._clock = clock
        self._on_change = on_change
        self._slow_seconds = self._thresholds.slow_seconds
        self._generation = 0  # generation of the state: calls of an earlier one do not count
        self._all_succeeded = False  # the window is full of successes
        self._outcomes: deque[int] = deque()
        self._failed = 0
        self._slow = 0
        self._openings = 0
        self._open_until = 0.0
        self._running_probes = 0
        self._finished_probes = 0
        self._probed_at = -math.inf

    async def call(self, work: Callable[P, Awaitable[T]], *arguments: P.args, **named: P.kwargs) -> T:
        """Return ``await work(...)``, or raise :class:`BreakerOpen` without calling it."""
        if self.state is not BreakerState.CLOSED:
            self._admit_probe()
        generation, began = self._generation, self._clock()
        try:
            result = await work(*arguments, **named)
        except BaseException as error:
            self._finish(error, began, generation)
            raise
        self._finish(None, began, generation)
        return result

    def admit(self) -> Callable[[BaseException | None], None]:
        """Admit a call whose outcome is known before it ends; raises :class:`BreakerOpen`.

        Call the returned function with the error, or ``None`` after a success; only its first call counts.
        """
        if self.state is not BreakerState.CLOSED:
            self._admit_probe()
        generation, began = self._generation, self._clock()
        recorded = False

        def record(error: BaseException | None) -> None:
            nonlocal recorded
            if not recorded:
                recorded = True
                self._finish(error, began, generation)

        return record

    def _finish(self, error: BaseException | None, began: float, generation: int) -> None:
        """Record the outcome of a call that began at ``began`` in the state of ``generation``."""
        seconds = self._clock() - began
        if error is not None:
            self._record(self._outcome(error, seconds), generation)
        elif seconds > self._slow_seconds:
            self._record(_SLOW, generation)
        elif not self._all_succeeded or generation != self._generation:
            self._record(_SUCCEEDED, generation)

    def _admit_probe(self) -> None:
        """Count the call as a probe. Raises :class:`BreakerOpen` if it must not be made."""
        now = self._clock()
        if self.state is BreakerState.OPEN:
            if now < self._open_until:
                raise BreakerOpen(self.name, self._open_until - now)
            self._change(BreakerState.HALF_OPEN)
        if self._running_probes + self._finished_probes >= self._thresholds.probes:
            if now < self._probed_at + self._thresholds.open_max:
                raise BreakerOpen(self.name, self._thresholds.open_initial)
            self._change(BreakerState.HALF_OPEN)
        self._running_probes += 1
        self._probed_at = now

    def _outcome(self, error: BaseException, seconds: float) -> int:
        """Return how an error counts."""
        failures = self._failures
        if self._ignored(error):
            return _IGNORED
        if isinstance(error, failures) if isinstance(failures, tuple) else failures(error):
            return _FAILED
        if seconds > self._slow_seconds:
            return _SLOW  # including a cancelled call: it was slow before it was cancelled
        return _SUCCEEDED if isinstance(error, Exception) else _IGNORED

    def _record(self, outcome: int, generation: int) -> None:
        if generation != self._generation:
            return  # began before the last change of state
        if self.state is BreakerState.HALF_OPEN:
            self._running_probes -= 1
        if outcome == _IGNORED:
            return
        self._outcomes.append(outcome)
        self._failed += outcome == _FAILED
        self._slow += outcome == _SLOW
        if len(self._outcomes) > self._thresholds.window:
            oldest = self._outcomes.popleft()
            self._failed -= oldest == _FAILED
            self._slow -= oldest == _SLOW
        if self.state is BreakerState.HALF_OPEN:
            self._finished_probes += 1
            self._evaluate_probes()
        elif len(self._outcomes) >= self._thresholds.minimum and self._exceeds_ratio(len(self._outcomes)):
            self._open()
        else:
            # Once the window is full of successes, further ones change nothing and are not recorded.
            full = len(self._outcomes) == self._thresholds.window
            self._all_succeeded = full and self._failed == self._slow == 0

    def _evaluate_probes(self) -> None:
        if self._exceeds_ratio(self._thresholds.probes):
            self._open()
        elif self._finished_probes >= self._thresholds.probes:
            self._openings = 0
            self._change(BreakerState.CLOSED)

    def _exceeds_ratio(self, total: int) -> bool:
        slow = self._slow + self._failed
        return (
            self._failed >= self._thresholds.failure_ratio * total
            or slow >= self._thresholds.slow_ratio * total
        )

    def _open(self) -> None:
        length = min(self._thresholds.open_max, self._thresholds.open_initial * 2.0**self._openings)
        self._openings = min(self._openings + 1, 30)
        self._open_until = self._clock() + length * random.uniform(0.8, 1.2)  # noqa: S311
        self._change(BreakerState.OPEN)

    def _change(self, state: BreakerState) -> None:
        self.state = state
        self._generation += 1
        self._all_succeeded = False
        self._outcomes.clear()
        self._failed = self._slow = self._running_probes = self._finished_probes = 0
        if self._on_change is not None:
            self._on_change(self.name, state)


_SUCCEEDED = 0
_SLOW = 1
_FAILED = 2
_IGNORED = 3
