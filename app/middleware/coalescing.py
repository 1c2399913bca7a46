"""Request coalescing: identical concurrent reads of one session share one response (MID1).

While a read of an account is in progress, identical reads of the same session wait for it and receive a copy,
with their own request ID and rate-limit headers. Responses are not stored beyond that. A finished write of
the account ends the sharing of reads that began before it, so later reads see it.

Writes are not coalesced; they use idempotency keys (:mod:`app.http.idempotency`), which also hold across pods
and after a crash. Public reads are cached instead (:mod:`app.middleware.response_cache`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.problems import Problem
from app.http.requests import raw_header

if TYPE_CHECKING:
    from app.auth.tokens import Session

coalesced: Final = Counter(
    "kingdom_requests_shared_total", "Requests served from a coalesced in-flight request."
)

_RequestKey = tuple[Any, ...]


@dataclass(slots=True)
class RecordedResponse:
    """A recorded response of a route, or the ``problem`` that it raised."""

    status: int = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: list[bytes] = field(default_factory=list)
    problem: Problem | None = None

    def record(self, message: Message) -> None:
        """Record an ASGI message. The headers are copied before outer middleware adds to them."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], tuple(message["headers"])
        else:
            self.body.append(message.get("body", b""))

    async def replay(self, send: Send) -> None:
        """Send the response again, or raise the recorded problem."""
        if self.problem is not None:
            kind, detail = self.problem.kind, self.problem.detail
            raise Problem(kind, detail, errors=self.problem.errors, headers=self.problem.headers)
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": b"".join(self.body)})


class InFlightRead:
    """A read in progress. Its future is created on demand: most reads end before an identical one begins."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        self._future: asyncio.Future[RecordedResponse | None] | None = None

    async def wait(self) -> RecordedResponse | None:
        """Return the response when it is complete; ``None`` if it cannot be shared."""
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._future)

    def end(self, response: RecordedResponse | None) -> None:
        """Pass the response to the waiting requests."""
        if self._future is not None:
            self._future.set_result(response)


class InFlightRequests:
    """Reads in progress, by account."""

    def __init__(self) -> None:
        self._in_flight: dict[str, dict[_RequestKey, InFlightRead]] = {}

    def get(self, account: str, key: _RequestKey) -> InFlightRead | None:
        """Return an identical read in progress, if there is one."""
        requests = self._in_flight.get(account)
        return None if requests is None else requests.get(key)

    def add(self, account: str, key: _RequestKey) -> InFlightRead:
        """Register a read."""
        read = self._in_flight.setdefault(account, {})[key] = InFlightRead()
        return read

    def remove(self, account: str, key: _RequestKey, read: InFlightRead) -> None:
        """Unregister a finished read."""
        requests = self._in_flight.get(account)
        if requests is not None and requests.get(key) is read:
            del requests[key]
            if not requests:
                del self._in_flight[account]

    def discard_account(self, account: str) -> None:
        """Stop sharing the reads in progress of an account: their responses may be older than a write."""
        self._in_flight.pop(account, None)

    def __len__(self) -> int:
        return len(self._in_flight)


class CoalescingMiddleware:
    """Middleware of a read of an account: calls the route, or waits for an identical read."""

    def __init__(self, app: ASGIApp, in_flight: InFlightRequests) -> None:
        self._app = app
        self._in_flight = in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session: Session = scope["session"]
        account = session.account
        # The response may depend on any property of the session, so all of them are part of the key.
        key = (
            scope["method"],
            scope["path"],
            scope["query_string"],
            raw_header(scope, b"if-none-match"),
            session.id,
            session.plan,
            session.roles,
        )
        while (read := self._in_flight.get(account, key)) is not None:
            shared = await read.wait()
            if shared is not None:
                coalesced.inc()
                await shared.replay(send)
                return
        read = self._in_flight.add(account, key)
        response, complete = RecordedResponse(), False

        # Not a coroutine: every message of every read passes here.
        def record_and_send(message: Message) -> Awaitable[None]:
            response.record(message)
            return send(message)

        try:
            await self._app(scope, receive, record_and_send)
            complete = True
        except Problem as problem:
            response.problem, complete = problem, not response.status
            raise
        finally:
            # Cancelled, aborted or failed: waiting callers run the request themselves.
            read.end(response if complete else None)
            self._in_flight.remove(account, key, read)


class InvalidateOnWriteMiddleware:
    """Middleware of a route that may change data of an account: ends the sharing of older reads."""

    def __init__(self, app: ASGIApp, in_flight: InFlightRequests) -> None:
        self._app = app
        self._in_flight = in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session: Session = scope["session"]

        async def observe(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._in_flight.discard_account(session.account)
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            self._in_flight.discard_account(session.account)
