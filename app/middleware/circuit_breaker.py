"""Circuit breakers around routes (MID3): what cannot be answered just now is refused at once.

A route whose dependency is gone costs every caller a time-out and the pod a place for as long; soon the
places are full of such requests, and the routes that could be answered are refused with them. So each route
learns by itself whether it works. One that needs nothing from outside never breaks, and reads from a cache
stand outside of this: they are answered from what is kept.
"""

from __future__ import annotations

import math
from typing import Final

import structlog
from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.problems import UNAVAILABLE, Problem
from app.resilience.breaker import Breaker, BreakerOpen, State, Thresholds
from app.telemetry.error_groups import is_outage

log = structlog.get_logger()

breaks: Final = Counter("kingdom_route_breaks_total", "Times a route was left alone for a while.", ("route",))
# Few calls are enough, since each may take seconds; and short breaks, since one probe tells that it is over.
_THRESHOLDS: Final = Thresholds(
    window=20, minimum=3, slow_seconds=math.inf, first_break=1.0, longest_break=5.0, probes=1
)


class _Outage(Exception):  # noqa: N818 (what it stands for is the cause)
    """Something that the route depends on was not there."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class CircuitBreakerMiddleware:
    """Around ``app``, named ``route`` in logs and metrics."""

    def __init__(self, app: ASGIApp, route: str) -> None:
        self._app = app
        self._breaker = Breaker(route, _THRESHOLDS, failures=(_Outage,), on_change=_note)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._breaker.call(self._try, scope, receive, send)
        except BreakerOpen as refusal:
            after = {"retry-after": str(max(1, math.ceil(refusal.retry_after)))}
            raise Problem(UNAVAILABLE, "It cannot be reached just now.", headers=after) from None
        except _Outage as outage:
            raise outage.error from None

    async def _try(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if is_outage(error):
                raise _Outage(error) from error
            raise


def _note(route: str, state: State) -> None:
    if state is State.OPEN:
        breaks.labels(route).inc()
    log.warning("a breaker turned", route=route, state=state.value)
