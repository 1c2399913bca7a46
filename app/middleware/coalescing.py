"""Request coalescing: identical concurrent reads of one session share one response (MID1).

While a read of an account is in progress, identical reads of the same session wait for it and receive a copy,
with their own request ID and rate-limit headers. Responses are not stored beyond that. A finished write of
the account ends the sharing of reads that began before it, so later reads see it.

Writes are not coalesced; they use idempotency keys (:mod:`app.http.idempotency`), which also hold across pods
and after a crash. Public reads are cached instead (:mod:`app.middleware.response_cache`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.problems import Problem
from app.http.requests import header

if TYPE_CHECKING:
    from app.auth.tokens import Session

coalesced: Final = Counter(
    "kingdom_requests_shared_total", "Requests served from a coalesced in-flight request."
)

_RequestKey = tuple[str, bytes, str | None]


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


class InFlightRequests:
    """Reads in progress, by account."""

    def __init__(self) -> None:
        self._in_flight: dict[str, dict[_RequestKey, asyncio.Future[RecordedResponse | None]]] = {}

    def get(self, account: str, key: _RequestKey) -> asyncio.Future[RecordedResponse | None] | None:
        """Return the future of an identical read in progress, if there is one."""
        requests = self._in_flight.get(account)
        return None if requests is None else requests.get(key)

    def add(self, account: str, key: _RequestKey) -> asyncio.Future[RecordedResponse | None]:
        """Register a read. Its future gets ``None`` if the response cannot be shared."""
        future = self._in_flight.setdefault(account, {})[key] = asyncio.get_running_loop().create_future()
        return future

    def remove(self, account: str, key: _RequestKey, future: asyncio.Future[RecordedResponse | None]) -> None:
        """Unregister a finished read."""
        requests = self._in_flight.get(account)
        if requests is not None and requests.get(key) is future:
            del requests[key]
            if not requests:
                del self._in_flight[account]

    def discard_account(self, account: str) -> None:
        """Stop sharing the reads in progress of an account: their responses may be older than a write."""
        self._in_flight.pop(account, None)

    def __len__(self) -> int:
        return len(self._in_flight)


class CoalescingMiddleware:
    """Around a read of an account: runs it, or waits for an identical one."""

    def __init__(self, app: ASGIApp, in_flight: InFlightRequests) -> None:
        self._app = app
        self._in_flight = in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session: Session = scope["session"]
        account = session.account
        # The response may depend on any property of the session, so all of them are part of the key.
        identity = f"{scope['method']} {scope['path']} {session.id} {session.plan} {session.roles}"
        key = (identity, scope["query_string"], header(scope, b"if-none-match"))
        while (future := self._in_flight.get(account, key)) is not None:
            response = await asyncio.shield(future)
            if response is not None:
                coalesced.inc()
                await response.replay(send)
                return
        future = self._in_flight.add(account, key)
        response, complete = RecordedResponse(), False

        async def record_and_send(message: Message) -> None:
            response.record(message)
            await send(message)

        try:
            await self._app(scope, receive, record_and_send)
            complete = True
        except Problem as problem:
            response.problem, complete = problem, not response.status
            raise
        finally:
            # Cancelled, aborted or failed: waiting callers run the request themselves.
            future.set_result(response if complete else None)
            self._in_flight.remove(account, key, future)


class InvalidateOnWriteMiddleware:
    """Around a route that may change data of an account: ends the sharing of older reads."""

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
