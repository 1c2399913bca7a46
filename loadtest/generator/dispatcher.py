"""The Locust user that dispatches an arrival schedule.

Locust's own users form a closed loop: a slow response delays the next request, so overload is underestimated
(coordinated omission). Here one user starts every request at its scheduled time, in a greenlet of its own,
whether earlier ones have ended or not. With several processes, each dispatches its share of the arrivals:
independent Poisson processes sum to one.
"""

from __future__ import annotations

import gc
import json as json_encoder
import random
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import gevent
from gevent.pool import Pool
from locust import task
from locust.contrib.fasthttp import FastHttpUser
from locust.exception import StopUser

from loadtest.generator.accounts import Account, Credentials, prepare
from loadtest.generator.arrivals import arrivals
from loadtest.generator.health import GeneratorHealth
from loadtest.generator.operations import OPERATIONS, Request
from loadtest.generator.recorder import Recorder
from rehearsal.scenarios.rate_curve import RateCurve

MAX_IN_FLIGHT: Final = 256
TIMEOUT_SECONDS: Final = 10.0
_DRAIN_SECONDS: Final = TIMEOUT_SECONDS + 1.0


@dataclass
class Plan:
    """Load of a run and its recorder. ``rates`` are arrivals per second over the run.

    With several processes, this one sends ``share`` of the arrivals and is number ``index``.
    ``credentials`` are accounts to sign in to, instead of new ones; ``ready`` is called when the accounts are
    prepared, and the schedule starts when it returns; ``finished`` is called at its end.
    """

    rates: RateCurve
    mix: Mapping[str, float]
    accounts: int
    seed: int
    grant: Callable[[str], bool] | None = None
    max_in_flight: int = MAX_IN_FLIGHT
    share: float = 1.0
    index: int = 0
    credentials: Sequence[Credentials] = ()
    ready: Callable[[], None] = lambda: None
    finished: Callable[[], None] = lambda: None
    recorder: Recorder = field(default_factory=Recorder)
    health: GeneratorHealth = field(default_factory=GeneratorHealth)
    prepared: list[Account] = field(default_factory=list)
    began: float | None = None
    error: str = ""


class ScheduledUser(FastHttpUser):
    """Dispatches the arrivals of :attr:`plan`, once."""

    abstract = True
    network_timeout = TIMEOUT_SECONDS
    connection_timeout = 5.0
    max_retries = 0
    concurrency = MAX_IN_FLIGHT
    plan: ClassVar[Plan]

    def on_start(self) -> None:
        plan = self.plan
        rng = random.Random(plan.seed)  # noqa: S311 (repeatable, not secret)
        if not plan.prepared:
            plan.prepared = prepare(
                self._send_plain, plan.accounts, plan.grant, rng, credentials=plan.credentials
            )
        plan.ready()

    @task
    def dispatch(self) -> None:
        """Start every request of the schedule, wait for the last ones, and stop."""
        plan = self.plan
        rng = random.Random(f"{plan.seed} {plan.index}")  # noqa: S311
        names, weights = list(plan.mix), list(plan.mix.values())
        pool = Pool()
        clock = time.perf_counter
        # A garbage collection of all loaded modules takes longer than the permitted lateness.
        gc.collect()
        gc.freeze()
        plan.began = began = clock()
        plan.health.start(began)
        try:
            for due in arrivals(plan.rates.scaled(plan.share), rng):
                wait = began + due - clock()
                if wait > 0:
                    gevent.sleep(wait)
                plan.health.late(clock() - began - due)
                name = rng.choices(names, weights)[0]
                account = rng.choice(plan.prepared)
                if plan.recorder.in_flight >= plan.max_in_flight:
                    plan.recorder.dropped(name, due)
                else:
                    plan.recorder.in_flight += 1
                    pool.spawn(self._request, name, OPERATIONS[name](account, rng), due, began)
            rest = began + plan.rates.seconds - clock()
            if rest > 0:
                gevent.sleep(rest)
            plan.health.stop(clock())
            pool.join(timeout=_DRAIN_SECONDS)
        finally:
            pool.kill()
        plan.finished()
        raise StopUser

    def _request(self, name: str, request: Request, due: float, began: float) -> None:
        recorder = self.plan.recorder
        sent = time.perf_counter()
        error, ended = "cancelled", sent
        try:
            error, ended = self._outcome(name, request, due, began)
        finally:
            recorder.in_flight -= 1
            recorder.done(name, due, sent - began, max(ended, sent) - began, error)

    def _outcome(self, name: str, request: Request, due: float, began: float) -> tuple[str, float]:
        """Return the error class of one request (empty for success), and when its response was complete."""
        body: Any = request.data
        response = self.client.request(
            request.method,
            request.path,
            name=name.partition(" ")[2],
            json=request.json,
            data=body,
            headers=dict(request.headers or {}),
            stream=request.streamed,
            catch_response=True,
            context={"intended": due},
        )
        with response:
            ended = time.perf_counter()
            # Locust's own statistics also show the time from the intended start.
            response.request_meta["response_time"] = (ended - began - due) * 1000
            status = response.status_code
            if not status:
                error = _class_of(getattr(response, "error", None))
                response.failure(error)
                return error, ended
            if status not in request.good:
                response.failure(f"HTTP {status}")
                return f"HTTP {status}", ended
            response.success()
            try:
                _ = response.content  # reads the rest of a stream, before the connection is used again
                if request.received is not None:
                    request.received(response.json())
            except Exception as found:
                return f"body: {type(found).__name__}", ended
        return "", ended

    def _send_plain(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Send a request that is not part of the measurement."""
        response = self.client._send_request_safe_mode(
            method,
            self.client._build_url(path),
            payload=data if json is None else _encode(json),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        if not response.status_code:
            return 0, getattr(response, "error", None)
        text = response.content
        return response.status_code, _decode(text)


def _class_of(error: BaseException | None) -> str:
    """Return a short, stable error class for a missing response."""
    text = f"{type(error).__name__} {error}".lower()
    if "timed out" in text or "timeout" in text:
        return "timeout"
    if "refused" in text:
        return "connection refused"
    return "connection lost" if error is not None else "no response"


def _encode(value: Any) -> bytes:
    return json_encoder.dumps(value).encode()


def _decode(text: bytes | str | None) -> Any:
    try:
        return json_encoder.loads(text) if text else None
    except ValueError:
        return text


def tls_of(authority: str) -> Callable[[], ssl.SSLContext]:
    """Return a factory of TLS contexts that trust this authority only."""
    context = ssl.create_default_context(cafile=authority)
    return lambda: context
