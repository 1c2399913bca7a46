"""An adaptive limit on concurrent requests.

By Little's law, concurrency is throughput times latency: beyond saturation, admitting more requests only
increases latency. The saturation point depends on the machine, the mix of requests and the database, so it is
measured as in Netflix's concurrency-limits (Gradient2): the limit shrinks while requests take longer than on
an idle pod, and otherwise grows by its square root. Latency is compared with the best of the *same route*,
because a change in the mix would look like overload.

Nothing is queued: excess requests are rejected immediately with a 503 and ``Retry-After``, which costs
microseconds instead of the full work. The lower the priority of a request, the smaller the share of the limit
available to it.

Measured in ``benchmarks/overload.py``. No library was found that does this for ASGI: aiolimiter and slowapi
limit requests per time, without latency or priority.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import Final

from app.resilience.priority import RequestPriority

# Below this, a doubled latency is noise of the event loop and not a sign of queueing.
_NOISE_SECONDS: Final = 0.010
_TOLERANCE: Final = 2.0
_SMOOTHING: Final = 0.2
_ROUND_SECONDS: Final = 0.1
_MIN_SAMPLES: Final = 10
_BEST_SECONDS: Final = 30.0
_BEST_GROWTH: Final = (
    1.1  # the best latency may rise by this factor per period; more would follow a lasting overload
)


class Overloaded(Exception):  # noqa: N818 (a state, not an error)
    """The request was rejected; retry after ``retry_after`` seconds, randomized so that clients spread
    out.
    """

    def __init__(self) -> None:
        super().__init__("the concurrency limit is reached")
        self.retry_after = random.randint(1, 4)  # noqa: S311


class _RouteLatency:
    """Best latency of a route in seconds, in the current period and overall."""

    __slots__ = ("best", "next_best", "rotates_at")

    def __init__(self, seconds: float, now: float) -> None:
        self.best = self.next_best = seconds
        self.rotates_at = now + _BEST_SECONDS


class ConcurrencyLimiter:
    """Counts the requests in flight and adapts their limit between ``min_limit`` and ``max_limit``.

    ``initial`` is the limit at the start; ``clock`` returns seconds. The default of ``min_limit`` is the
    number of requests of about 25 ms that one core serves within the target of 500 ms: a lower value would
    reject bursts that a pod can serve in time.
    """

    def __init__(
        self,
        *,
        initial: int = 64,
        min_limit: int = 16,
        max_limit: int = 1024,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.limit = float(initial)
        self.in_flight = 0
        self.rejected = dict.fromkeys(RequestPriority, 0)
        self._min_limit = min_limit
        self._max_limit = max_limit
        self._clock = clock
        self._limits: list[float] = []
        self._routes: dict[str, _RouteLatency] = {}
        self._ratios = 0.0
        self._samples = 0
        self._peak = 0
        self._round_ends = clock() + _ROUND_SECONDS
        self._set_limit(self.limit)

    def acquire(self, priority: RequestPriority) -> float:
        """Admit a request; return the time for :meth:`release`. Raises :class:`Overloaded` at the limit."""
        in_flight = self.in_flight
        if in_flight >= self._limits[priority]:
            self.rejected[priority] += 1
            raise Overloaded
        self.in_flight = in_flight = in_flight + 1
        if in_flight > self._peak:
            self._peak = in_flight
        return self._clock()

    def release(self, route: str, acquired_at: float, *, sample: bool = True) -> None:
        """End a request of ``route`` that was admitted at ``acquired_at``.

        ``sample=False`` excludes its latency from the measurement, for requests that did not run their
        handler.
        """
        self.in_flight -= 1
        if not sample:
            return
        now = self._clock()
        seconds = now - acquired_at
        latency = self._routes.get(route)
        if latency is None:
            latency = self._routes[route] = _RouteLatency(seconds, now)
        elif seconds < latency.next_best:
            latency.next_best = seconds
            if seconds < latency.best:
                latency.best = seconds
        if now >= latency.rotates_at:
            latency.best = min(latency.next_best, latency.best * _BEST_GROWTH + 0.0005)
            latency.next_best = seconds
            latency.rotates_at = now + _BEST_SECONDS
        self._ratios += (seconds + _NOISE_SECONDS) / (latency.best + _NOISE_SECONDS)
        self._samples += 1
        if now >= self._round_ends and self._samples >= _MIN_SAMPLES:
            self._adjust(now)

    def _adjust(self, now: float) -> None:
        gradient = max(0.5, min(1.0, _TOLERANCE * self._samples / self._ratios))
        target = self.limit * gradient + math.sqrt(self.limit)
        # Below half of the limit, requests are not limited by it, and latency does not indicate saturation:
        # another busy process on the node would reduce the limit otherwise. As in Gradient2.
        if self._peak * 2 >= self.limit:
            self._set_limit(self.limit + _SMOOTHING * (target - self.limit))
        self._ratios, self._samples, self._peak = 0.0, 0, self.in_flight
        self._round_ends = now + _ROUND_SECONDS

    def _set_limit(self, limit: float) -> None:
        self.limit = min(float(self._max_limit), max(float(self._min_limit), limit))
        self._limits = [max(1.0, self.limit * priority.share) for priority in RequestPriority]
