"""The same question of the same caller at the same time is answered once (MID1).

Apps ask twice: two screens that need the same list, a retry that overtakes a slow first try. While a read of
an account is being answered, the same read of that account waits for that answer and gets a copy, with its
own request id and limits. Nothing is kept beyond that moment. A write of the account, when it is done, ends
the sharing of what was asked before it: what is asked afterwards sees it.

Writes are not coalesced; they carry idempotency keys (:mod:`app.http.idempotency`), which also hold across
pods and after a crash. Public reads are cached instead (:mod:`app.middleware.response_cache`).
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

shared: Final = Counter("kingdom_requests_shared_total", "Reads that got the answer to the same question.")

_Question = tuple[str, bytes, str | None]


@dataclass(slots=True)
class RecordedResponse:
    """An answer, as it left the route. ``problem`` instead of the rest when it was refused."""

    status: int = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: list[bytes] = field(default_factory=list)
    problem: Problem | None = None

    def hear(self, message: Message) -> None:
        """Note a message of the answer; the headers as they are now, before others add to them."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], tuple(message["headers"])
        else:
            self.body.append(message.get("body", b""))

    async def tell(self, send: Send) -> None:
        """Give the same answer again."""
        if self.problem is not None:
            kind, detail = self.problem.kind, self.problem.detail
            raise Problem(kind, detail, errors=self.problem.errors, headers=self.problem.headers)
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": b"".join(self.body)})


class InFlightRequests:
    """What is being answered now, by account."""

    def __init__(self) -> None:
        self._asked: dict[str, dict[_Question, asyncio.Future[RecordedResponse | None]]] = {}

    def look(self, account: str, question: _Question) -> asyncio.Future[RecordedResponse | None] | None:
        """The answer that is on its way, if there is one."""
        asked = self._asked.get(account)
        return None if asked is None else asked.get(question)

    def put(self, account: str, question: _Question) -> asyncio.Future[RecordedResponse | None]:
        """A place for the answer; ``None`` will stand in it when there is none to share."""
        place = self._asked.setdefault(account, {})[question] = asyncio.get_running_loop().create_future()
        return place

    def take(self, account: str, question: _Question, place: asyncio.Future[RecordedResponse | None]) -> None:
        """The answer is there: it is not on its way any more."""
        asked = self._asked.get(account)
        if asked is not None and asked.get(question) is place:
            del asked[question]
            if not asked:
                del self._asked[account]

    def written(self, account: str) -> None:
        """What the account is being told now may be of before a write: nobody else gets it."""
        self._asked.pop(account, None)

    def __len__(self) -> int:
        return len(self._asked)


class CoalescingMiddleware:
    """Around a read of an account: answers it, or waits for the same answer."""

    def __init__(self, app: ASGIApp, board: InFlightRequests) -> None:
        self._app = app
        self._board = board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session: Session = scope["session"]
        account = session.account
        # What is shown may depend on anything that the session says, so all of it is part of the question.
        about = f"{scope['method']} {scope['path']} {session.id} {session.plan} {session.roles}"
        question = (about, scope["query_string"], header(scope, b"if-none-match"))
        while (place := self._board.look(account, question)) is not None:
            told = await asyncio.shield(place)
            if told is not None:
                shared.inc()
                await told.tell(send)
                return
        place = self._board.put(account, question)
        told, whole = RecordedResponse(), False

        async def heard(message: Message) -> None:
            told.hear(message)
            await send(message)

        try:
            await self._app(scope, receive, heard)
            whole = True
        except Problem as problem:
            told.problem, whole = problem, not told.status
            raise
        finally:
            # Cancelled, cut off, broken: whoever waits asks for himself.
            place.set_result(told if whole else None)
            self._board.take(account, question, place)


class InvalidateOnWriteMiddleware:
    """Around what may change something of an account."""

    def __init__(self, app: ASGIApp, board: InFlightRequests) -> None:
        self._app = app
        self._board = board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session: Session = scope["session"]

        async def done(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._board.written(session.account)
            await send(message)

        try:
            await self._app(scope, receive, done)
        finally:
            self._board.written(session.account)
