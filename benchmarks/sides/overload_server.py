"""`python -m benchmarks.sides.overload_server PORT gate|open`: a service of one slow route.

The middleware is the service's: headers, telemetry, rejections as problem details. The route waits 10 ms, as
for a database, and then uses the processor for 5 ms. `gate` limits concurrency; `open` admits every request.
"""

import asyncio
import logging
import sys
import time

import structlog
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.responses import write
from app.middleware.admission import overloaded_problem
from app.middleware.telemetry import TelemetryMiddleware
from app.resilience.concurrency_limiter import ConcurrencyLimiter, Overloaded
from app.resilience.priority import RequestPriority
from app.telemetry.error_groups import ErrorGroups
from app.telemetry.http_metrics import HttpMetrics

WAIT_SECONDS = 0.010
BUSY_SECONDS = 0.005


async def work(send: Send) -> None:
    """Wait, then use the given seconds of this thread's processor time."""
    await asyncio.sleep(WAIT_SECONDS)
    until = time.thread_time() + BUSY_SECONDS
    while time.thread_time() < until:
        pass
    await write(send, 200, [(b"content-type", b"application/json")], b"{}", head=False)


def gated(gate: ConcurrencyLimiter) -> ASGIApp:
    """Handle a request behind the concurrency limiter."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = "/work"
        try:
            entered = gate.acquire(RequestPriority.READ)
        except Overloaded as overloaded:
            raise overloaded_problem(scope, overloaded) from None
        try:
            await work(send)
        finally:
            gate.release("GET /work", entered)

    return app


async def ungated(scope: Scope, receive: Receive, send: Send) -> None:
    """Handle a request without the limiter."""
    scope["route"] = "/work"
    await work(send)


async def main(port: int, *, behind_gate: bool) -> None:
    app = gated(ConcurrencyLimiter()) if behind_gate else ungated
    instrumented = TelemetryMiddleware(app, "http://localhost", HttpMetrics(), ErrorGroups(), lambda: b"")
    server = Server(
        instrumented,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    await server.serve()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    uvloop.run(main(int(sys.argv[1]), behind_gate=sys.argv[2] == "gate"))
