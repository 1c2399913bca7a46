"""A circuit breaker: when most calls fail or crawl, stop calling for a while.

Closed: calls go through, and the outcomes of the last ``window`` are counted. When at least ``minimum`` of
them are known and the share of failures, or of slow calls, reaches its limit, it opens. Open: calls are
refused at once, for a break that doubles each time up to a limit, with jitter so that pods do not return
together.
Half-open: ``probes`` calls go through; if they do well it closes and the break is forgotten, else it opens
again. A cancelled call says nothing about the service and is not counted (as in Polly).

Measured against purgatory and hyx (``tests/bench/service_breaker.py``): both count consecutive failures only,
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
        self._outcomes: deque[int] = deque()
        self._failed = 0
        self._slow = 0
        self._breaks = 0
        self._opens_until = 0.0
        self._probing = 0
        self._probed = 0

    async def call(self, work: Callable[P, Awaitable[T]], *arguments: P.args, **named: P.kwargs) -> T:
        """``await work(...)``, or :class:`BreakerOpen`."""
        probe = self.state is not State.CLOSED and self._admit()
        clock = self._clock
        began = clock()
        outcome = _SAID_NOTHING
        try:
            result = await work(*arguments, **named)
            outcome = _SLOW if clock() - began > self._thresholds.slow_seconds else _WELL
            return result
        except self._failures:
            outcome = _FAILED
            raise
        except Exception:
            outcome = _WELL  # an answer, if not the wished one: the service works
            raise
        finally:
            # Well, while closed, and nothing bad in the window: the usual case, and all it costs. A full
            # window of good outcomes does not change by another one.
            if (
                outcome == _WELL
                and self.state is State.CLOSED
                and self._failed == 0
                and self._slow == 0
                and not probe
            ):
                if len(self._outcomes) < self._thresholds.window:
                    self._outcomes.append(_WELL)
            else:
                self._record(outcome, probe)

    def _admit(self) -> bool:
        """Whether the call is a probe; raises when it may not be made."""
        now = self._clock()
        if self.state is State.OPEN:
            if now < self._opens_until:
                raise BreakerOpen(self.name, self._opens_until - now)
            self._change(State.HALF_OPEN)
        if self._probing + self._probed >= self._thresholds.probes:
            raise BreakerOpen(self.name, self._thresholds.first_break)
        self._probing += 1
        return True

    def _record(self, outcome: int, probe: bool) -> None:
        if probe:
            self._probing -= 1
        if outcome == _SAID_NOTHING or self.state is State.OPEN:
            return
        if self.state is State.HALF_OPEN and not probe:
            return  # began before the break: old news
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
        elif len(self._outcomes) >= self._thresholds.minimum and self._bad():
            self._open()

    def _judge_probes(self) -> None:
        if self._bad_if_all(self._thresholds.probes):
            self._open()
        elif self._probed >= self._thresholds.probes:
            self._breaks = 0
            self._change(State.CLOSED)

    def _bad(self) -> bool:
        return self._bad_if_all(len(self._outcomes))

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
        self._outcomes.clear()
        self._failed = self._slow = self._probing = self._probed = 0
        if self._on_change is not None:
            self._on_change(self.name, state)


_WELL = 0
_SLOW = 1
_FAILED = 2
_SAID_NOTHING = 3
