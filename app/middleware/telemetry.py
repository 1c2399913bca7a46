"""Outermost middleware: request IDs, tracing, timing, metrics, logging, security headers, and problem details
for every exception.

One layer for all of them, because every message of every response passes each layer.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.problems import HEADER_FIELDS_TOO_LARGE, INTERNAL, MALFORMED, UNAVAILABLE, URI_TOO_LONG, Problem
from app.http.requests import ClientDisconnected, discard_body, index_headers
from app.http.responses import encode, write
from app.idle_connections import in_flight
from app.middleware.security_headers import add_security_headers
from app.telemetry import context, metrics
from app.telemetry.error_groups import ErrorGroups, is_outage
from app.telemetry.http_metrics import HttpMetrics

log = structlog.get_logger()

# Received IDs are only used if they are safe to log.
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_TRACE_PARENT: Final = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")
# The server accepts a few times as much, and closes the connection without a response beyond that.
MAX_HEADER_BYTES: Final = 16 * 1024
MAX_URI_LENGTH: Final = 8 * 1024
_SLOW_SECONDS: Final = 1.0
_random_bits: Final = random.SystemRandom().getrandbits(64)
_ids = random.Random(_random_bits)  # noqa: S311 (IDs, not secrets; avoids a system call per request)


class TelemetryMiddleware:
    """Measures every request and turns exceptions into problem details.

    ``base`` is the public URL. ``load_report`` returns the load report sent with every response, or nothing.
    """

    def __init__(
        self,
        app: ASGIApp,
        base: str,
        http_metrics: HttpMetrics,
        error_groups: ErrorGroups,
        load_report: Callable[[], bytes],
    ) -> None:
        self._app = app
        self._base = base
        self._http_metrics = http_metrics
        self._error_groups = error_groups
        self._load_report = load_report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers, named = scope["headers"], index_headers(scope)
        fields, traceparent = _identifiers(named)
        request_id = scope["request_id"] = fields["request_id"]
        response_headers = [(b"x-request-id", request_id.encode()), (b"traceparent", traceparent.encode())]
        # Inner middleware may add to these headers; they are sent with every response, errors included.
        scope["response_headers"] = response_headers
        status = 0

        def observed(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                sent = message["headers"]
                add_security_headers(sent)
                sent.extend(response_headers)
                # Time until the response starts, for comparison with the client's measurement.
                sent.append((b"server-timing", b"app;dur=%.2f" % ((time.perf_counter() - began) * 1000)))
                load_report = self._load_report()
                if load_report:
                    sent.append((b"endpoint-load-metrics", load_report))
            return send(message)

        metrics.traffic_in_flight.count += 1
        client = scope.get("client")
        in_flight.add(client)
        token = context.current.set(fields)
        try:
            header_bytes = 0
            for name, value in headers:  # faster than sum() over a generator
                header_bytes += len(name) + len(value)
            if header_bytes > MAX_HEADER_BYTES:
                raise Problem(
                    HEADER_FIELDS_TOO_LARGE, f"The request headers may have at most {MAX_HEADER_BYTES} bytes."
                )
            if len(named) < len(headers) and sum(name == b"host" for name, _ in headers) > 1:
                # A proxy may have used either one (RFC 9112, section 3.2).
                raise Problem(MALFORMED, "The request must have exactly one Host header.")
            if len(scope["path"]) + len(scope["query_string"]) > MAX_URI_LENGTH:
                raise Problem(URI_TOO_LONG, f"The request URI may have at most {MAX_URI_LENGTH} characters.")
            await self._app(scope, receive, observed)
        except ClientDisconnected:
            # The server reports a body with invalid framing as a disconnected client. If the client did
            # disconnect, the response is discarded; if not, it is better than the server's own 500.
            scope["body_abandoned"] = True
            if not status:
                truncated = Problem(MALFORMED, "The body is truncated or does not match its Content-Length.")
                await self._send_problem(scope, receive, observed, truncated)
            status = 499  # as in nginx
        except Problem as problem:
            await self._send_problem(scope, receive, observed, problem)
        except Exception as error:
            if is_outage(error) and not status:
                metrics.failures.labels(scope.get("route", "none"), type(error).__qualname__).inc()
                log.warning("dependency unavailable", error=f"{type(error).__qualname__}: {error}"[:300])
                detail = "A required backend is unavailable. Retry later."
                unavailable = Problem(UNAVAILABLE, detail, headers={"retry-after": "2"})
                await self._send_problem(scope, receive, observed, unavailable)
                return
            group = self._error_groups.add(error, scope.get("route", "none"))
            # Only the first error of a group is logged with its traceback, so that an error storm does not
            # flood the logs.
            log_error = log.exception if group.count == 1 else log.error
            log_error("unexpected error", group=group.group, count=group.count, error=group.error)
            if status:  # the response has started: only aborting it shows the client that it is incomplete
                raise
            await self._send_problem(
                scope, receive, observed, Problem(INTERNAL, "The error has been recorded.")
            )
        finally:
            metrics.traffic_in_flight.count -= 1
            in_flight.discard(client)
            self._record(scope, status, time.perf_counter() - began - scope.get("body_seconds", 0.0))
            context.current.reset(token)

    async def _send_problem(self, scope: Scope, receive: Receive, send: Send, problem: Problem) -> None:
        headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
        headers += [(name.encode(), value.encode()) for name, value in problem.headers.items()]
        if not await discard_body(scope, receive):
            headers.append((b"connection", b"close"))
        body = encode(problem.details(self._base, scope["request_id"]))
        await write(send, problem.kind.status, headers, body, head=scope["method"] == "HEAD")

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route", "none")
        # Unknown methods share one label value, since every value is a new series.
        method = scope["method"] if route != "none" else "none"
        streamed = "streaming" in scope
        self._http_metrics.record(method, route, status, seconds, streamed=streamed)
        if (status >= 500 and "refused" not in scope) or (seconds > _SLOW_SECONDS and not streamed):
            log.warning(
                "slow or failed request", method=method, route=route, status=status, seconds=round(seconds, 4)
            )


def _identifiers(named: Mapping[bytes, bytes]) -> tuple[dict[str, str], str]:
    """Return request ID, trace ID and trace flags (W3C Trace Context), received or generated, and a new span
    ID; and the ``traceparent`` of these. ``named`` are the request's headers.
    """
    generated = _ids.getrandbits(192).to_bytes(24, "big").hex()
    trace, span, flags = generated[:32], generated[32:], "00"
    request_id = named.get(b"x-request-id")
    if request_id is not None and not _REQUEST_ID.fullmatch(request_id):
        request_id = None
    name = trace if request_id is None else request_id.decode()
    parent = named.get(b"traceparent")
    match = None if parent is None else _TRACE_PARENT.fullmatch(parent)
    if match and match[1].strip(b"0"):  # all zeros is invalid
        trace, flags = match[1].decode(), match[2].decode()
    fields = {"request_id": name, "trace_id": trace, "span_id": span, "trace_flags": flags}
    return fields, f"00-{trace}-{span}-{flags}"
