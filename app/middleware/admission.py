"""Admission control in front of every API route: concurrency, authentication, rate limits, deadline, in this
order.

Built once per endpoint, so that route properties are looked up at startup. The order goes from cheap to
expensive: an overloaded pod rejects a request before it verifies a signature, and a client over its limit
before the handler runs.
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
    from app.rate_limits import ApplicableLimits, Decision
    from app.services import Services

# A shorter deadline cannot be met, and a header of zero is not an error.
_MIN_DEADLINE_SECONDS: Final = 0.05


def overloaded_problem(scope: Scope, overloaded: Overloaded) -> Problem:
    """Return the problem (503) for a request rejected by the concurrency limiter."""
    scope["refused"] = True  # already counted in metrics: a log line per rejection would add to the overload
    headers = {"retry-after": str(overloaded.retry_after)}
    return Problem(UNAVAILABLE, "The service is overloaded. Retry later.", headers=headers)


class AdmissionMiddleware:
    """Passes a request to ``app`` or raises :class:`Problem`."""

    def __init__(self, app: ASGIApp, endpoint: Endpoint, services: Services) -> None:
        self._app = app
        self._services = services
        self._limiter = services.protection.concurrency
        self._watchdog = services.protection.deadlines
        self._rate_limiter = services.protection.limiter
        self._policies = services.protection.policies
        self._client_addresses = services.protection.client_addresses
        self._route = f"{endpoint.method} {endpoint.path}"
        self._priority = endpoint.priority
        self._limit_class = endpoint.rate_limit_class
        self._seconds = endpoint.seconds
        self._cached = endpoint.cached
        self._requires_session = endpoint.access is Access.SESSION

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            acquired_at = self._limiter.acquire(self._priority)
        except Overloaded as overloaded:
            raise overloaded_problem(scope, overloaded) from None
        admitted, ran_handler = True, False
        task = asyncio.current_task()
        assert task is not None, "the server runs each request in its own task"

        # These closures must not reference the scope, which references them: collecting the reference cycle
        # would cost more than the rest of this middleware.
        def release_early() -> None:
            # While a body is received the pod is idle, for a time that depends on the client's network.
            nonlocal admitted
            if admitted:
                admitted = False
                self._limiter.release(self._route, acquired_at, sample=False)

        def acquire_again() -> None:
            nonlocal admitted, acquired_at
            acquired_at = self._limiter.acquire(self._priority)
            admitted = True

        def release_for_stream() -> None:
            # A stream lasts as long as its client reads and needs little CPU, so it does not count as
            # concurrent.
            release_early()
            self._watchdog.unwatch(task)

        scope["release_slot"], scope["reacquire_slot"], scope["release_for_stream"] = (
            release_early,
            acquire_again,
            release_for_stream,
        )
        try:
            limits = self._applicable_limits(scope)
            decision = self._rate_limiter.decide_locally(limits)
            if decision is None:
                decision = await self._rate_limiter.decide(limits)
            self._check(scope, decision)
            ran_handler = True
            await self._run_with_deadline(scope, receive, send, task)
        except Overloaded as overloaded:  # the pod reached its limit while the body was received
            raise overloaded_problem(scope, overloaded) from None
        except Problem as problem:
            if problem.kind is UNAUTHENTICATED and not ran_handler:
                limits = self._policies.invalid_token(self._client_addresses.find(scope))
                self._check(scope, await self._rate_limiter.decide(limits))
            raise
        finally:
            if admitted:
                self._limiter.release(self._route, acquired_at, sample=ran_handler)

    def _applicable_limits(self, scope: Scope) -> ApplicableLimits:
        """Authenticate the request and return the rate limits it is charged to. Raises :class:`Problem` (401,
        403).
        """
        address = self._client_addresses.find(scope)
        if not self._requires_session:
            scope["session"] = None
            return self._policies.applicable(self._limit_class, address)
        session = scope["session"] = authenticate(self._services, scope)
        self._services.active_accounts.seen.add(session.account)
        return self._policies.applicable(self._limit_class, address, session.account, session.plan)

    def _check(self, scope: Scope, decision: Decision) -> None:
        scope["response_headers"].extend(decision.headers())
        if not decision.allowed:
            metrics.limited.labels(decision.rule.name).inc()
            raise Problem(TOO_MANY_REQUESTS, f"The rate limit {decision.rule.name!r} is exceeded.")

    async def _run_with_deadline(
        self, scope: Scope, receive: Receive, send: Send, task: asyncio.Task[None]
    ) -> None:
        seconds = self._seconds
        requested = header(scope, b"x-deadline-ms")
        has_deadline = requested is not None and requested.isascii() and requested.isdigit()
        if has_deadline:
            seconds = min(seconds, max(_MIN_DEADLINE_SECONDS, int(requested[:9]) / 1000))
        deadline = time.monotonic() + seconds
        self._watchdog.watch(task, deadline)
        token = set_deadline(deadline)
        try:
            if has_deadline and not self._cached:
                # PyMongo passes the remaining time to the server (maxTimeMS), so that the database stops too.
                # Otherwise operations have their own, shorter timeouts; a shared load must not use the
                # deadline of one caller.
                with pymongo.timeout(seconds):
                    await self._app(scope, receive, send)
            else:
                await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._watchdog.unwatch(task):
                raise
            task.uncancel()
            raise Problem(DEADLINE, f"The request did not complete within {seconds:g} s.") from None
        finally:
            reset_deadline(token)
            self._watchdog.unwatch(task)
