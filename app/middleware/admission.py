"""In front of every route of the API: room, identity, limits, deadline, in this order.

Built once per endpoint, so what is known about the route is looked up at the start and not with every
request. The order goes from cheap to dear: a pod that is full refuses before it verifies a signature, and a
client that is over its limit costs no more than that.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import pymongo
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.problems import DEADLINE, TOO_MANY_REQUESTS, UNAUTHENTICATED, UNAVAILABLE, Problem
from app.http.requests import header
from app.http.routing import Access, Endpoint, authenticate
from app.resilience.concurrency_limiter import Overloaded
from app.resilience.deadline import reset_deadline, set_deadline
from app.telemetry import metrics

if TYPE_CHECKING:
    from app.rate_limits import Decision, Demand
    from app.services import Services

_LEAST_SECONDS: Final = 0.05  # nothing useful is done in less, and a header of zero is no reason to fail


def refusal(scope: Scope, overloaded: Overloaded) -> Problem:
    """The answer to what there is no room for."""
    scope["refused"] = True  # counted already; a line in the log for each would take the room of another
    after = {"retry-after": str(overloaded.retry_after)}
    return Problem(UNAVAILABLE, "Too much at once; try again.", headers=after)


class AdmissionMiddleware:
    """Lets a request through to ``app``, or answers it."""

    def __init__(self, app: ASGIApp, endpoint: Endpoint, services: Services) -> None:
        self._app = app
        self._services = services
        self._gate = services.engine.gate
        self._watch = services.engine.watch
        self._route = f"{endpoint.method} {endpoint.path}"
        self._urgency = endpoint.urgency
        self._class = endpoint.limits
        self._seconds = endpoint.seconds
        self._shared = endpoint.shared
        self._asks_for_session = endpoint.access is Access.SESSION

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            entered = self._gate.enter(self._urgency)
        except Overloaded as overloaded:
            raise refusal(scope, overloaded) from None
        inside, worked = True, False
        task = asyncio.current_task()
        assert task is not None, "the server runs each request in a task of its own"

        # Nothing in here may name the scope, which holds it: a circle is left to the garbage collector, with
        # all that hangs on it, and that costs a request more than everything else in front of it.
        def leave() -> None:
            # While a body arrives the pod has nothing to do, for as long as the network of the client takes.
            nonlocal inside
            if inside:
                inside = False
                self._gate.leave(self._route, entered, sample=False)

        def reenter() -> None:
            nonlocal inside, entered
            entered = self._gate.enter(self._urgency)
            inside = True

        def release() -> None:
            # A stream lasts as long as its reader likes and does next to nothing: it gives its room back.
            leave()
            self._watch.leave(task)

        scope["leave"], scope["reenter"], scope["release"] = leave, reenter, release
        try:
            demand = await self._demand(scope)
            limiter = self._services.engine.limiter
            decision = limiter.decide_alone(demand)
            if decision is None:
                decision = await limiter.decide(demand)
            self._check(scope, decision)
            worked = True
            await self._in_time(scope, receive, send, task)
        except Overloaded as overloaded:  # while its body arrived the pod filled up
            raise refusal(scope, overloaded) from None
        finally:
            if inside:
                self._gate.leave(self._route, entered, sample=worked)

    async def _demand(self, scope: Scope) -> Demand:
        """Who is asking, and what it counts against."""
        services, engine = self._services, self._services.engine
        address = engine.addresses.of(scope)
        scope["session"] = None
        if not self._asks_for_session:
            return engine.policies.demand(self._class, address)
        try:
            session = scope["session"] = authenticate(services, scope)
        except Problem as problem:
            if problem.kind is UNAUTHENTICATED:
                self._check(scope, await engine.limiter.decide(engine.policies.failed(address)))
            raise
        services.activity.seen.add(session.account)
        return engine.policies.demand(self._class, address, session.account, session.plan)

    def _check(self, scope: Scope, decision: Decision) -> None:
        scope["answer_headers"].extend(decision.headers())
        if not decision.allowed:
            metrics.limited.labels(decision.rule.name).inc()
            raise Problem(TOO_MANY_REQUESTS, f"The limit {decision.rule.name!r} is reached.")

    async def _in_time(self, scope: Scope, receive: Receive, send: Send, task: asyncio.Task[None]) -> None:
        seconds = self._seconds
        wish = header(scope, b"x-deadline-ms")
        hurried = wish is not None and wish.isascii() and wish.isdigit()
        if hurried:
            seconds = min(seconds, max(_LEAST_SECONDS, int(wish[:9]) / 1000))
        until = time.monotonic() + seconds
        self._watch.enter(task, until)
        token = set_deadline(until)
        try:
            if hurried and not self._shared:
                # PyMongo sends what is left of it along (maxTimeMS), so the database stops too. Otherwise
                # each operation has its own, shorter time; and a shared load is no one reader's to hurry.
                with pymongo.timeout(seconds):
                    await self._app(scope, receive, send)
            else:
                await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._watch.leave(task):
                raise
            task.uncancel()
            raise Problem(DEADLINE, f"Not done within {seconds:g} s.") from None
        finally:
            reset_deadline(token)
            self._watch.leave(task)
