"""A circuit breaker: when most calls fail or crawl, stop calling for a while.

Closed: calls go through, and the outcomes of the last ``window`` are counted. When at least ``minimum`` of
them are known and the share of failures, or of slow and failed ones, reaches its limit, it opens. Open: calls
are refused at once, for a break that doubles each time up to a limit, with jitter so that pods do not return
together.
Half-open: ``probes`` calls go through; if they do well it closes and the break is forgotten, else it opens
again. A cancelled call says nothing about the service and is not counted (as in Polly), unless it had been
slow by then. A call counts only in the state in which it began (as in resilience4j).

Measured against purgatory and hyx (``benchmarks/breakers.py``): both count consecutive failures only,
know no slow calls and no growing break, and cost several times as much for a closed call.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class BreakerOpen(Exception):  # noqa: N818 (a state, not a mistake)
    """Refused without calling; ``retry_after`` seconds are left of the break."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"{name} is left alone for another {retry_after:.1f} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Thresholds:
    """When a breaker opens, and for how long (seconds). Defaults as resilience4j has them."""

    window: int = 100
    minimum: int = 20
    failure_ratio: float = 0.5
    slow_seconds: float = 5.0
    slow_ratio: float = 0.9
    first_break: float = 1.0
    longest_break: float = 30.0
    probes: int = 10


class Breaker:
    """One breaker, for one dependency, in one event loop."""

    def __init__(
        self,
        name: str,
        thresholds: Thresholds | None = None,
        *,
        failures: tuple[type[Exception], ...] = (Exception,),
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[str, State], None] | None = None,
    ) -> None:
        self.name = name
        self.state = State.CLOSED
        self._thresholds = thresholds or Thresholds()
        self._failures = failures
        self._clock = clock
        self._on_change = on_change
        self._slow_seconds = self._thresholds.slow_seconds
        self._era = 0  # of states: calls of an earlier one no longer count
        self._settled = False  # nothing but good outcomes, as many as are counted
        self._outcomes: deque[int] = deque()
        self._failed = 0
        self._slow = 0
        self._breaks = 0
        self._opens_until = 0.0
        self._probing = 0
        self._probed = 0

    async def call(self, work: Callable[P, Awaitable[T]], *arguments: P.args, **named: P.kwargs) -> T:
        """``await work(...)``, or :class:`BreakerOpen`."""
        clock = self._clock
        if self.state is not State.CLOSED:
            self._admit()
        era = self._era
        began = clock()
        try:
            result = await work(*arguments, **named)
        except BaseException as error:
            self._record(self._outcome(error, clock() - began), era)
            raise
        if clock() - began > self._slow_seconds:
            self._record(_SLOW, era)
        elif not self._settled or era != self._era:
            self._record(_WELL, era)
        return result

    def _admit(self) -> None:
        """Count the call as a probe; raises when it may not be made."""
        now = self._clock()
        if self.state is State.OPEN:
            if now < self._opens_until:
                raise BreakerOpen(self.name, self._opens_until - now)
            self._change(State.HALF_OPEN)
        if self._probing + self._probed >= self._thresholds.probes:
            raise BreakerOpen(self.name, self._thresholds.first_break)
        self._probing += 1

    def _outcome(self, error: BaseException, seconds: float) -> int:
        """What an error says about the service."""
        if isinstance(error, self._failures):
            return _FAILED
        if seconds > self._slow_seconds:
            return _SLOW  # also one that was given up: had it been quick, nobody would have
        return _WELL if isinstance(error, Exception) else _SAID_NOTHING

    def _record(self, outcome: int, era: int) -> None:
        if era != self._era:
            return  # began before the last change of state: old news
        if self.state is State.HALF_OPEN:
            self._probing -= 1
        if outcome == _SAID_NOTHING:
            return
        self._outcomes.append(outcome)
        self._failed += outcome == _FAILED
        self._slow += outcome == _SLOW
        if len(self._outcomes) > self._thresholds.window:
            oldest = self._outcomes.popleft()
            self._failed -= oldest == _FAILED
            self._slow -= oldest == _SLOW
        if self.state is State.HALF_OPEN:
            self._probed += 1
            self._judge_probes()
        elif len(self._outcomes) >= self._thresholds.minimum and self._bad_if_all(len(self._outcomes)):
            self._open()
        else:
            # A full window of good outcomes does not change by another one: the usual case costs nothing.
            full = len(self._outcomes) == self._thresholds.window
            self._settled = full and self._failed == self._slow == 0

    def _judge_probes(self) -> None:
        if self._bad_if_all(self._thresholds.probes):
            self._open()
        elif self._probed >= self._thresholds.probes:
            self._breaks = 0
            self._change(State.CLOSED)

    def _bad_if_all(self, total: int) -> bool:
        slow = self._slow + self._failed
        return (
            self._failed >= self._thresholds.failure_ratio * total
            or slow >= self._thresholds.slow_ratio * total
        )

    def _open(self) -> None:
        length = min(self._thresholds.longest_break, self._thresholds.first_break * 2.0**self._breaks)
        self._breaks = min(self._breaks + 1, 30)
        self._opens_until = self._clock() + length * random.uniform(0.8, 1.2)  # noqa: S311
        self._change(State.OPEN)

    def _change(self, state: State) -> None:
        self.state = state
        self._era += 1
        self._settled = False
        self._outcomes.clear()
        self._failed = self._slow = self._probing = self._probed = 0
        if self._on_change is not None:
            self._on_change(self.name, state)


_WELL = 0
_SLOW = 1
_FAILED = 2
_SAID_NOTHING = 3
