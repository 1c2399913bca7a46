"""An adaptive limit on the requests that are answered at the same time.

By Little's law what is in flight is throughput times latency: beyond the point where throughput ends,
letting more in only makes everybody wait longer. That point moves with the machine, the mix and the
database, so it is not configured but found: as in Netflix's concurrency-limits (Gradient2), the limit
shrinks while requests take longer than when the pod is at leisure and grows by its square root while they do
not. Times are compared with the best of the *same route*, or a change in the mix would look like overload.

There is no queue: what does not fit is refused at once, with a 503 and ``Retry-After``, for a few
microseconds instead of the whole work, so that the rest is answered in time. The less urgent a request is,
the smaller the share of the limit that is open to it.

Measured in ``benchmarks/overload.py``. No library was found that does this for ASGI: aiolimiter and
slowapi count requests per time and know neither latency nor urgency.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import Final

from app.resilience.priority import Urgency

# Below this, a doubled time is noise of the event loop and no sign of a queue.
_NOISE_SECONDS: Final = 0.010
_TOLERANCE: Final = 2.0
_SMOOTHING: Final = 0.2
_ROUND_SECONDS: Final = 0.1
_LEAST_SAMPLES: Final = 10
_BEST_SECONDS: Final = 30.0
_BEST_GROWTH: Final = (
    1.1  # a round's best may rise by so much: under long overload it would creep up otherwise
)


class Overloaded(Exception):  # noqa: N818 (a state, not a mistake)
    """Refused; worth another try after ``retry_after`` seconds, spread so that not all return together."""

    def __init__(self) -> None:
        super().__init__("as much as can be answered in time is being answered")
        self.retry_after = random.randint(1, 4)  # noqa: S311


class _Route:
    """The best time of a route, in this round and before it."""

    __slots__ = ("best", "coming", "turns_at")

    def __init__(self, seconds: float, now: float) -> None:
        self.best = self.coming = seconds
        self.turns_at = now + _BEST_SECONDS


class Gate:
    """Counts what is inside, and moves its limit between ``least`` and ``most``."""

    def __init__(
        self,
        *,
        first: int = 64,
        least: int = 8,
        most: int = 1024,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.limit = float(first)
        self.inside = 0
        self.refused = dict.fromkeys(Urgency, 0)
        self._least = least
        self._most = most
        self._clock = clock
        self._rooms: list[float] = []
        self._routes: dict[str, _Route] = {}
        self._ratios = 0.0
        self._samples = 0
        self._peak = 0
        self._round_ends = clock() + _ROUND_SECONDS
        self._set(self.limit)

    def enter(self, urgency: Urgency) -> float:
        """Take a place, and give the time for :meth:`leave`; :class:`Overloaded` when there is none."""
        inside = self.inside
        if inside >= self._rooms[urgency]:
            self.refused[urgency] += 1
            raise Overloaded
        self.inside = inside = inside + 1
        if inside > self._peak:
            self._peak = inside
        return self._clock()

    def leave(self, route: str, entered: float, *, sample: bool = True) -> None:
        """Give the place back. Without ``sample`` the time says nothing, as that of a refusal does not."""
        self.inside -= 1
        if not sample:
            return
        now = self._clock()
        seconds = now - entered
        known = self._routes.get(route)
        if known is None:
            known = self._routes[route] = _Route(seconds, now)
        elif seconds < known.coming:
            known.coming = seconds
            if seconds < known.best:
                known.best = seconds
        if now >= known.turns_at:
            known.best = min(known.coming, known.best * _BEST_GROWTH + 0.0005)
            known.coming = seconds
            known.turns_at = now + _BEST_SECONDS
        self._ratios += (seconds + _NOISE_SECONDS) / (known.best + _NOISE_SECONDS)
        self._samples += 1
        if now >= self._round_ends and self._samples >= _LEAST_SAMPLES:
            self._adjust(now)

    def _adjust(self, now: float) -> None:
        gradient = max(0.5, min(1.0, _TOLERANCE * self._samples / self._ratios))
        wished = self.limit * gradient + math.sqrt(self.limit)
        # Half empty, the limit is not what holds requests back, and times say nothing about what would fit: a
        # busy neighbour on the processor would else close the gate before a few requests. As in Gradient2.
        if self._peak * 2 >= self.limit:
            self._set(self.limit + _SMOOTHING * (wished - self.limit))
        self._ratios, self._samples, self._peak = 0.0, 0, self.inside
        self._round_ends = now + _ROUND_SECONDS

    def _set(self, limit: float) -> None:
        self.limit = min(float(self._most), max(float(self._least), limit))
        self._rooms = [max(1.0, self.limit * urgency.share) for urgency in Urgency]
