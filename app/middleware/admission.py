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
from pymongo.errors import PyMongoError
from starlette.types import ASGIApp, Receive, Scope, Send

from app.connections import OPERATION_SECONDS
from app.http.problems import DEADLINE, TOO_MANY_REQUESTS, UNAUTHENTICATED, UNAVAILABLE, Problem
from app.http.requests import raw_header
from app.http.routing import Access, Endpoint, authenticate
from app.resilience.concurrency_limiter import Overloaded
from app.resilience.deadline import reset_deadline, set_deadline
from app.telemetry import metrics
from app.telemetry.error_groups import is_own_deadline

if TYPE_CHECKING:
    from app.rate_limits import ApplicableLimits, Decision
    from app.resilience import DeadlineWatchdog
    from app.resilience.concurrency_limiter import ConcurrencyLimiter
    from app.resilience.priority import RequestPriority
    from app.services import Services

# A shorter deadline cannot be met, and a header of zero is not an error.
_MIN_DEADLINE_SECONDS: Final = 0.05


def overloaded_problem(scope: Scope, overloaded: Overloaded) -> Problem:
    """Return the problem (503) for a request rejected by the concurrency limiter."""
    scope["refused"] = True  # already counted in metrics: a log line per rejection would add to the overload
    headers = {"retry-after": str(overloaded.retry_after)}
    return Problem(UNAVAILABLE, "The service is overloaded. Retry later.", headers=headers)


class Slot:
    """The slot of a request in the concurrency limiter, in the scope of routes that release it early.

    Does not reference the scope, which references it: collecting the reference cycle would cost more than
    the rest of the middleware.
    """

    __slots__ = ("_acquired_at", "_limiter", "_priority", "_route", "_task", "_watchdog")

    def __init__(
        self,
        limiter: ConcurrencyLimiter,
        watchdog: DeadlineWatchdog,
        route: str,
        priority: RequestPriority,
        task: asyncio.Task[None],
        acquired_at: float,
    ) -> None:
        self._limiter = limiter
        self._watchdog = watchdog
        self._route = route
        self._priority = priority
        self._task = task
        self._acquired_at: float | None = acquired_at

    def release(self, *, sample: bool = False) -> None:
        """Release the slot, unless it is released. ``sample`` as in the limiter.

        For routes with a body: while it is received the pod is idle, for a time that depends on the client's
        network.
        """
        if self._acquired_at is not None:
            self._limiter.release(self._route, self._acquired_at, sample=sample)
            self._acquired_at = None

    def acquire_again(self) -> None:
        """Acquire the slot after it was released. Raises :class:`Overloaded`."""
        self._acquired_at = self._limiter.acquire(self._priority)

    def release_for_stream(self) -> None:
        """Release the slot and the deadline: a stream lasts as long as its client reads and needs little CPU,
        so it does not count as concurrent.
        """
        self.release()
        self._watchdog.unwatch(self._task)


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
        self._releases_early = endpoint.body is not None or endpoint.streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            acquired_at = self._limiter.acquire(self._priority)
        except Overloaded as overloaded:
            raise overloaded_problem(scope, overloaded) from None
        task = asyncio.current_task()
        assert task is not None, "the server runs each request in its own task"
        slot = None
        if self._releases_early:
            slot = Slot(self._limiter, self._watchdog, self._route, self._priority, task, acquired_at)
            scope["slot"] = slot
        ran_handler, seconds, token = False, self._seconds, None
        try:
            limits = self._applicable_limits(scope)
            decision = self._rate_limiter.decide_locally(limits)
            if decision is None:
                decision = await self._rate_limiter.decide(limits)
            _enforce(scope, decision)
            ran_handler = True
            requested = raw_header(scope, b"x-deadline-ms")
            has_deadline = requested is not None and requested.isdigit()
            if requested is not None and has_deadline:
                seconds = min(seconds, max(_MIN_DEADLINE_SECONDS, int(requested[:9]) / 1000))
            deadline = time.monotonic() + seconds
            self._watchdog.watch(task, deadline)
            token = set_deadline(deadline)
            if has_deadline and seconds < OPERATION_SECONDS and not self._cached:
                # PyMongo passes the remaining time to the server (maxTimeMS), so that the database stops too.
                # A shared load must not use the deadline of one caller.
                with pymongo.timeout(seconds):
                    await self._app(scope, receive, send)
            else:
                await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if token is None or not self._watchdog.unwatch(task):
                raise
            task.uncancel()
            raise Problem(DEADLINE, f"The request did not complete within {seconds:g} s.") from None
        except PyMongoError as error:
            if not is_own_deadline(error):
                raise
            raise Problem(DEADLINE, f"The request did not complete within {seconds:g} s.") from error
        except Overloaded as overloaded:  # the pod reached its limit while the body was received
            raise overloaded_problem(scope, overloaded) from None
        except Problem as problem:
            if problem.kind is UNAUTHENTICATED and not ran_handler:
                limits = self._policies.invalid_token(self._client_addresses.find(scope))
                decision = await self._rate_limiter.decide(limits)
                _enforce(scope, decision)
            raise
        finally:
            if token is not None:
                reset_deadline(token)
                self._watchdog.unwatch(task)
            if slot is None:
                self._limiter.release(self._route, acquired_at, sample=ran_handler)
            else:
                slot.release(sample=ran_handler)

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


def _enforce(scope: Scope, decision: Decision) -> None:
    """Add the headers of a decision to the response. Raises :class:`Problem` (429) if it is a rejection."""
    scope["response_headers"].extend(decision.headers())
    if not decision.allowed:
        metrics.limited.labels(decision.rule.name).inc()
        raise Problem(TOO_MANY_REQUESTS, f"The rate limit {decision.rule.name!r} is exceeded.")
