"""The lifecycle of a pod: starting, serving, draining; and the state of its dependencies.

The three probes have different meanings. *Startup*: the pod has reached MongoDB once and its indexes exist.
*Readiness*: the pod should receive traffic now. *Liveness*: the event loop runs; nothing else, because a
restart does not repair a database, and an expensive probe restarts pods that are merely busy.

Readiness never calls a dependency. Each one is checked in the background, in a task of its own, and
:meth:`Lifecycle.report` returns the latest results: a dependency that hangs cannot delay the response to the
probe, whose timeout is 1 to 2 seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog

log = structlog.get_logger()

CHECK_INTERVAL_SECONDS: Final = 1.0
CHECK_TIMEOUT_SECONDS: Final = 0.8
# A result older than this means that the check no longer runs, so the state is unknown.
MAX_AGE_SECONDS: Final = 10.0
OK: Final = "ok"
_NOT_CHECKED: Final = "not checked yet"


class Stage(StrEnum):
    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(frozen=True)
class Dependency:
    """A service outside the process. While a ``required`` one is unavailable the pod is not ready.

    Do not require a dependency that all replicas of a role with traffic share: its outage would leave the
    load balancer without a replica.
    """

    check: Callable[[], Awaitable[object]]
    required: bool


class DependencyMonitor:
    """Checks one dependency every ``interval`` seconds; a check that takes longer than ``timeout`` failed."""

    def __init__(
        self,
        name: str,
        dependency: Dependency,
        *,
        interval: float = CHECK_INTERVAL_SECONDS,
        timeout: float = CHECK_TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.required = dependency.required
        self._check = dependency.check
        self._interval = interval
        self._timeout = timeout
        self._clock = clock
        self._state = _NOT_CHECKED
        self._checked_at = clock()

    @property
    def state(self) -> str:
        """Return ``ok`` or a description of the problem, without calling the dependency."""
        age = self._clock() - self._checked_at
        if self._state == OK and age > MAX_AGE_SECONDS:
            return f"no check for {age:.0f} s"
        return self._state

    async def run(self) -> None:
        """Check the dependency until cancelled."""
        while True:
            await self._check_once()
            await asyncio.sleep(self._interval)

    async def _check_once(self) -> None:
        # The driver may ignore a cancellation, so the result is recorded without waiting for the check to
        # end; the next check starts only after it has, so that hung ones do not accumulate.
        check = asyncio.ensure_future(self._check())
        try:
            done, _ = await asyncio.wait({check}, timeout=self._timeout)
            if not done:
                self._record(f"no response within {self._timeout:g} s")
                check.cancel()
                await asyncio.wait({check})
                _ = check.cancelled() or check.exception()  # retrieved, or asyncio logs it as lost
            elif check.cancelled():
                self._record("check cancelled")
            else:
                error = check.exception()
                self._record(OK if error is None else type(error).__name__)
        finally:
            check.cancel()

    def _record(self, state: str) -> None:
        if (state == OK) != (self._state == OK):
            log.warning("dependency state changed", dependency=self.name, state=state, before=self._state)
        self._state = state
        self._checked_at = self._clock()


class Lifecycle:
    """The stage of the pod, and the state of its dependencies."""

    def __init__(self) -> None:
        self.stage = Stage.STARTING
        self.draining = asyncio.Event()
        self._monitors: tuple[DependencyMonitor, ...] = ()

    def watch(
        self, dependencies: Mapping[str, Dependency], *, timeout: float = CHECK_TIMEOUT_SECONDS
    ) -> None:
        """Set the dependencies that :meth:`monitor` checks, each within ``timeout`` seconds."""
        self._monitors = tuple(
            DependencyMonitor(name, each, timeout=timeout) for name, each in dependencies.items()
        )

    async def monitor(self) -> None:
        """Check all dependencies until cancelled."""
        async with asyncio.TaskGroup() as checks:
            for monitor in self._monitors:
                checks.create_task(monitor.run())

    def serve(self) -> None:
        """Record that the pod has started: it has reached MongoDB once and its indexes exist."""
        if self.stage is Stage.STARTING:
            self.stage = Stage.SERVING
            log.info("serving")

    def drain(self) -> None:
        """Report not ready from now on; requests that still arrive are served."""
        self.stage = Stage.DRAINING
        self.draining.set()
        log.info("draining")

    def report(self) -> tuple[bool, dict[str, str]]:
        """Return whether the pod should receive traffic, and the state of each dependency."""
        states = {monitor.name: monitor.state for monitor in self._monitors}
        healthy = all(states[monitor.name] == OK for monitor in self._monitors if monitor.required)
        return healthy and self.stage is Stage.SERVING, {"stage": self.stage.value, **states}
