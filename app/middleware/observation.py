"""Outermost: names, times, counts and logs every request, and answers every exception as problem details."""

from __future__ import annotations

import re
import time
from typing import Final
from uuid import uuid4

import structlog
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import metrics
from app.answers import encode, write
from app.bodies import ClientGone, discard_body, header
from app.problems import INTERNAL, NOT_FOUND, Problem

log = structlog.get_logger()

# An id from outside is kept so that a trace holds together, but only if it can do no harm in a log.
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
_TRACE_PARENT: Final = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_SLOW_SECONDS: Final = 1.0


class Observation:
    """Every request gets an id, a time, a place in the metrics, and an answer."""

    def __init__(self, app: ASGIApp, base: str) -> None:
        self._app = app
        self._base = base
        self._timers: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = _accept(_REQUEST_ID, header(scope, b"x-request-id")) or uuid4().hex
        scope["request_id"] = request_id
        status = 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        metrics.in_flight.inc()
        with structlog.contextvars.bound_contextvars(request_id=request_id, **_trace(scope)):
            try:
                await self._app(scope, receive, observed)
            except ClientGone:
                status = 499  # as nginx writes it; nobody is there to read an answer
            except Problem as problem:
                await self._refuse(scope, receive, observed, problem)
            except Exception as error:
                log.exception("unexpected error")
                metrics.failures.labels(scope.get("route", "none"), type(error).__name__).inc()
                if status:  # the answer has begun: only cutting it off tells the client that it is not whole
                    raise
                await self._refuse(scope, receive, observed, Problem(INTERNAL, "The error has been noted."))
            finally:
                metrics.in_flight.dec()
                self._record(scope, status, time.perf_counter() - began)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, problem: Problem) -> None:
        headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
        headers += [(name.encode(), value.encode()) for name, value in problem.headers.items()]
        if not await discard_body(scope, receive):
            headers.append((b"connection", b"close"))
        body = encode(problem.details(self._base, scope["request_id"]))
        await write(send, problem.kind.status, headers, body, head=scope["method"] == "HEAD")

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route", "none")
        key = (scope["method"] if route != "none" else "none", route, status)
        timer = self._timers.get(key)
        if timer is None:
            timer = self._timers[key] = metrics.requests.labels(*key)
        timer.observe(seconds)
        if status >= 500 or seconds > _SLOW_SECONDS:
            log.warning("request", method=key[0], route=route, status=status, seconds=round(seconds, 4))
        else:
            log.debug("request", method=key[0], route=route, status=status, seconds=round(seconds, 4))


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """The application behind every path that is not there."""
    raise Problem(NOT_FOUND, "No such path.")


def _trace(scope: Scope) -> dict[str, str]:
    parent = header(scope, b"traceparent")
    match = _TRACE_PARENT.fullmatch(parent) if parent else None
    return {"trace_id": match[1]} if match else {}


def _accept(pattern: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and pattern.fullmatch(value) else None
