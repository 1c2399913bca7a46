"""Circuit breakers around routes (MID3).

Requests of a route with an unavailable dependency wait for a timeout and occupy concurrency; without a
breaker they soon displace the requests of working routes. Each route has its own breaker. Routes without
dependencies never open theirs, and routes with a response cache have none, because cached responses stay
available.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from typing import Final

import structlog
from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.problems import UNAVAILABLE, Problem
from app.resilience.breaker import Breaker, BreakerConfig, BreakerOpen, BreakerState
from app.telemetry.error_groups import is_outage, is_own_deadline

log = structlog.get_logger()

openings: Final = Counter("kingdom_route_breaks_total", "Circuit-breaker openings by route.", ("route",))
# Few calls suffice, since each may take seconds; the breaker opens briefly, since one probe detects recovery.
_THRESHOLDS: Final = BreakerConfig(
    window=20, minimum=3, slow_seconds=math.inf, open_initial=1.0, open_max=5.0, probes=1
)


class CircuitBreakerMiddleware:
    """Circuit breaker around ``app``; ``route`` is its name in logs and metrics."""

    def __init__(self, app: ASGIApp, route: str) -> None:
        self._app = app
        # With short deadlines, one client could otherwise open the breaker for all others, or keep it closed.
        self._breaker = Breaker(
            route, _THRESHOLDS, failures=is_outage, ignored=is_own_deadline, on_change=_record_change
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            record = self._breaker.admit()
        except BreakerOpen as refusal:
            after = {"retry-after": str(max(1, math.ceil(refusal.retry_after)))}
            raise Problem(
                UNAVAILABLE, "A required backend is unavailable. Retry later.", headers=after
            ) from None

        def started(message: Message) -> Awaitable[None]:
            # A stream lasts as long as its client reads, which does not depend on the backends.
            if message["type"] == "http.response.start":
                record(None)
            return send(message)

        try:
            await self._app(scope, receive, started)
        except BaseException as error:
            record(error)
            raise
        record(None)


def _record_change(route: str, state: BreakerState) -> None:
    if state is BreakerState.OPEN:
        openings.labels(route).inc()
    log.warning("circuit breaker state changed", route=route, state=state.value)
