"""Outermost: names, times, counts and logs every request, and answers every exception as problem details."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Awaitable, Callable
from itertools import chain
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.problems import ADDRESS_TOO_LONG, HEAD_TOO_LARGE, INTERNAL, MALFORMED, UNAVAILABLE, Problem
from app.http.requests import ClientGone, discard_body, raw_header
from app.http.responses import encode, write
from app.telemetry import context, metrics
from app.telemetry.error_groups import Faults, is_outage
from app.telemetry.http_metrics import Traffic

log = structlog.get_logger()

# An id from outside is kept so that a trace holds together, but only if it can do no harm in a log.
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_TRACE_PARENT: Final = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")
# The server itself has room for a few times as much, and refuses what is beyond that without a word.
LARGEST_HEAD: Final = 16 * 1024
LONGEST_ADDRESS: Final = 8 * 1024
_SLOW_SECONDS: Final = 1.0
_random_bits: Final = random.SystemRandom().getrandbits(64)
_ids = random.Random(_random_bits)  # noqa: S311 (names, not secrets; a system call each would cost more)


class TelemetryMiddleware:
    """Every request gets an id, a time, a place in the metrics, and an answer.

    ``load`` gives the report for the load balancer that goes out with every answer, or nothing.
    """

    def __init__(
        self, app: ASGIApp, base: str, traffic: Traffic, faults: Faults, load: Callable[[], bytes]
    ) -> None:
        self._app = app
        self._base = base
        self._traffic = traffic
        self._faults = faults
        self._load = load

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id, trace, flags, size = _read(scope)
        span = b"%016x" % _ids.getrandbits(64)
        scope["request_id"] = name = request_id.decode()
        added = [(b"x-request-id", request_id), (b"traceparent", b"00-%b-%b-%b" % (trace, span, flags))]
        # Whoever is further in may add to it: these go out with good answers and bad ones alike.
        scope["answer_headers"] = added
        status = 0

        def observed(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                headers.extend(added)
                # Until the answer begins: for the network panel of a browser, and for whoever compares it
                # with what the client measured.
                headers.append((b"server-timing", b"app;dur=%.2f" % ((time.perf_counter() - began) * 1000)))
                load = self._load()
                if load:
                    headers.append((b"endpoint-load-metrics", load))
            return send(message)

        metrics.traffic_in_flight.count += 1
        bound = context.current.set(
            {
                "request_id": name,
                "trace_id": trace.decode(),
                "span_id": span.decode(),
                "trace_flags": flags.decode(),
            }
        )
        try:
            if size > LARGEST_HEAD:
                raise Problem(HEAD_TOO_LARGE, f"At most {LARGEST_HEAD} bytes of headers are read.")
            repeated = len(scope["named_headers"]) < len(scope["headers"])
            if repeated and sum(name == b"host" for name, _ in scope["headers"]) > 1:
                # Which one a proxy in between went by would be a guess (RFC 9112, section 3.2).
                raise Problem(MALFORMED, "Send one Host header.")
            if len(scope["path"]) + len(scope["query_string"]) > LONGEST_ADDRESS:
                raise Problem(ADDRESS_TOO_LONG, f"At most {LONGEST_ADDRESS} characters are read.")
            await self._app(scope, receive, observed)
        except ClientGone:
            # The server reports a body with broken framing as a client that left. If it did leave, the
            # response goes nowhere; if not, it is better than the server's own 500.
            scope["body_abandoned"] = True
            if not status:
                broken = Problem(MALFORMED, "The body ended early, or is not framed as its headers say.")
                await self._refuse(scope, receive, observed, broken)
            status = 499  # as nginx writes it
        except Problem as problem:
            await self._refuse(scope, receive, observed, problem)
        except Exception as error:
            if is_outage(error) and not status:
                metrics.failures.labels(scope.get("route", "none"), type(error).__qualname__).inc()
                log.warning("a dependency is not there", error=f"{type(error).__qualname__}: {error}"[:300])
                away = Problem(UNAVAILABLE, "It cannot be reached just now.", headers={"retry-after": "2"})
                await self._refuse(scope, receive, observed, away)
                return
            fault = self._faults.add(error, scope.get("route", "none"))
            # The first of a group in full; of the rest a line, or a storm of errors would be one of logs too.
            shown = log.exception if fault.count == 1 else log.error
            shown("unexpected error", group=fault.group, count=fault.count, error=fault.error)
            if status:  # the answer has begun: only cutting it off tells the client that it is not whole
                raise
            await self._refuse(scope, receive, observed, Problem(INTERNAL, "The error has been noted."))
        finally:
            metrics.traffic_in_flight.count -= 1
            self._record(scope, status, time.perf_counter() - began)
            context.current.reset(bound)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, problem: Problem) -> None:
        headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
        headers += [(name.encode(), value.encode()) for name, value in problem.headers.items()]
        if not await discard_body(scope, receive):
            headers.append((b"connection", b"close"))
        body = encode(problem.details(self._base, scope["request_id"]))
        await write(send, problem.kind.status, headers, body, head=scope["method"] == "HEAD")

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route", "none")
        # A method that no route knows could be anything, and every other label is a new series.
        method = scope["method"] if route != "none" else "none"
        streamed = "streaming" in scope
        self._traffic.record(method, route, status, seconds, streamed=streamed)
        if (status >= 500 and "refused" not in scope) or (seconds > _SLOW_SECONDS and not streamed):
            log.warning("request", method=method, route=route, status=status, seconds=round(seconds, 4))


def _read(scope: Scope) -> tuple[bytes, bytes, bytes, int]:
    """The request's id, its trace's id and the trace's flags (W3C Trace Context), from outside or new, and
    the size of all headers in bytes."""
    trace, flags = None, b"00"
    request_id = raw_header(scope, b"x-request-id")
    if request_id is not None and not _REQUEST_ID.fullmatch(request_id):
        request_id = None
    parent = raw_header(scope, b"traceparent")
    match = None if parent is None else _TRACE_PARENT.fullmatch(parent)
    if match and match[1].strip(b"0"):  # all zeros is the standard's word for none
        trace, flags = match[1], match[2]
    size = sum(map(len, chain.from_iterable(scope["headers"])))
    made = b"%032x" % _ids.getrandbits(128)
    return request_id or made, trace or made, flags, size
