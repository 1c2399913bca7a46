"""Run a plan against a platform, and collect the results of the generator and the observer."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final

import gevent
from gevent import subprocess as gevent_subprocess
from gevent.event import Event
from locust.env import Environment

from loadtest.generator.accounts import Account, SetupError
from loadtest.generator.dispatcher import Plan, ScheduledUser, tls_of
from loadtest.generator.health import raise_priority
from loadtest.generator.recorder import Recorder, Window
from loadtest.platform import Platform, require_loopback
from loadtest.targets import Finding, evaluate
from rehearsal.scenarios.rate_curve import RateCurve

WARM_UP_SECONDS: Final = 5
"""Seconds at the start that do not count: connections are opened and caches filled."""
MAX_OTHERS: Final = 0.25
"""Share of the machine's cores that other processes may use; beyond it, a run is invalid."""
_TICK_SECONDS: Final = 1.0
_START_SECONDS: Final = 180.0
_AFTER_SECONDS: Final = 30.0
# The observer starts within two seconds, on a busy machine later.
_OBSERVER_SECONDS: Final = 30.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class InterruptedRunError(Exception):
    """SIGINT or SIGTERM ended the run. The load has stopped; the platform is unchanged."""


@dataclass(frozen=True)
class Settings:
    """A run's name, users over time, and the factor by which the scenario's users were scaled."""

    name: str
    users: RateCurve
    mix_name: str
    mix: Mapping[str, float]
    seconds_per_request: float
    scale: float
    accounts: int
    seed: int

    @property
    def rates(self) -> RateCurve:
        """Arrivals per second over the run: users divided by the time between two requests of a user."""
        return self.users.scaled(1 / self.seconds_per_request)


@dataclass
class Run:
    """A run, in progress or completed."""

    settings: Settings
    plan: Plan
    began: float = 0.0
    samples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def recorder(self) -> Recorder:
        """Return the recorded requests."""
        return self.plan.recorder

    @property
    def elapsed(self) -> float:
        """Return the seconds since the first request was due; 0 before."""
        return time.perf_counter() - self.plan.began if self.plan.began is not None else 0.0

    @property
    def seconds(self) -> int:
        """Return the seconds of the schedule."""
        return int(self.settings.users.seconds)

    @property
    def total(self) -> Window:
        """Return all seconds after the warm-up."""
        return self.recorder.window(min(WARM_UP_SECONDS, self.seconds // 2), self.seconds)

    def per_second(self) -> list[Window]:
        """Return every second from the start."""
        return [self.recorder.window(at, at + 1) for at in range(self.seconds)]

    def platform(self) -> list[dict[str, Any]]:
        """Return the samples of the platform during the schedule."""
        return [each for each in self.samples if 0 <= each["at"] - self.began < self.seconds]

    @property
    def others(self) -> float:
        """Return the mean number of cores that other processes used; 0 if not observed."""
        values = [each["cpuOfOthers"] for each in self.platform() if each.get("cpuOfOthers") is not None]
        return fmean(values) if values else 0.0

    def findings(self) -> list[Finding]:
        """Return the evaluation against the targets."""
        first = min(WARM_UP_SECONDS, self.seconds // 2)
        return evaluate(
            self.total, self.per_second()[first:], self.settings.rates.expected(), self.settings.scale
        )

    def invalid(self) -> list[str]:
        """Return why the run is invalid; [] if it is valid."""
        problems = self.plan.health.problems()
        if self.others > MAX_OTHERS * (os.cpu_count() or 1):
            problems.append(
                f"other processes used {self.others:.1f} of {os.cpu_count()} cores, at most {MAX_OTHERS:.0%} "
                "of them: stop them and run again"
            )
        if not self.total.arrivals:
            problems.append("no request was sent after the warm-up")
        return problems


def execute(
    settings: Settings,
    platform: Platform,
    tick: Callable[[Run], None] = lambda run: None,
    *,
    prepared: list[Account] | None = None,
    observe: bool = True,
) -> Run:
    """Run a schedule to its end. ``tick`` is called once per second.

    ``prepared`` are accounts of an earlier run; ``observe`` reads the platform's state every second.
    Raises NotLoopbackError, SetupError or InterruptedRunError; the load has then stopped.
    """
    require_loopback(platform.address)
    plan = Plan(settings.rates, settings.mix, settings.accounts, settings.seed, platform.grant)
    run = Run(settings, plan)
    plan.prepared = list(prepared or [])
    observed = _observed(platform, run.samples) if observe else nullcontext()
    with _interruptible(), observed, _dispatching(platform, plan) as alive:
        ends = time.monotonic() + _START_SECONDS
        while plan.began is None and alive():
            if time.monotonic() > ends:
                raise SetupError(f"the accounts were not prepared within {_START_SECONDS:g} s")
            gevent.sleep(0.1)
        run.began = time.time()
        while alive() and run.elapsed < settings.users.seconds + _AFTER_SECONDS:
            gevent.sleep(_TICK_SECONDS)
            tick(run)
    if plan.error:
        raise SetupError(plan.error)
    if plan.began is None:
        raise SetupError("no request was sent: the accounts could not be prepared")
    return run


def observe_idle(platform: Platform, seconds: float) -> list[dict[str, Any]]:
    """Return the samples of the platform without load. Raises InterruptedRunError."""
    samples: list[dict[str, Any]] = []
    with _interruptible(), _observed(platform, samples):
        gevent.sleep(seconds)
    return samples


@contextmanager
def _dispatching(platform: Platform, plan: Plan) -> Iterator[Callable[[], bool]]:
    """Yield a Locust environment with one dispatching user; it is stopped at the end."""
    # Failures are counted; Locust would also log a line for each.
    logging.getLogger("locust").setLevel(logging.CRITICAL)
    attributes: dict[str, Any] = {"plan": plan, "abstract": False}
    if platform.address.startswith("https://"):
        attributes["ssl_context_factory"] = staticmethod(tls_of(str(platform.authority)))
    user = type("Dispatcher", (ScheduledUser,), attributes)
    environment = Environment(user_classes=[user], host=platform.address, catch_exceptions=True)

    def failed(user_instance: Any, exception: BaseException, tb: Any, **rest: Any) -> None:
        plan.error = f"{exception}" or type(exception).__name__

    environment.events.user_error.add_listener(failed)
    runner = environment.create_local_runner()
    runner.start(1, 1)

    def alive() -> bool:
        return not plan.error and (plan.began is None or runner.user_count > 0)

    try:
        yield alive
    finally:
        runner.quit()


@contextmanager
def _observed(platform: Platform, samples: list[dict[str, Any]]) -> Iterator[None]:
    """Append samples of the platform, read from the observer's process, during the block."""
    process = gevent_subprocess.Popen(
        [sys.executable, "-m", "loadtest.observer", str(platform.state)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )

    raise_priority(process.pid)
    begun = Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            samples.append(json.loads(line))
            begun.set()
        begun.set()

    reader = gevent.spawn(read)
    try:
        begun.wait(_OBSERVER_SECONDS)
        yield
    finally:
        process.terminate()
        process.wait()
        reader.kill()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Raise InterruptedRunError in the main greenlet on SIGINT and SIGTERM."""
    main = gevent.getcurrent()

    def stop() -> None:
        main.throw(InterruptedRunError("interrupted"))

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    handlers = [gevent.signal_handler(number, stop) for number in _SIGNALS]
    try:
        yield
    finally:
        for handler in handlers:
            handler.cancel()
        # A cancelled handler of gevent leaves the default action, which would end the process without a
        # message.
        for number, handler in before.items():
            signal.signal(number, handler)
