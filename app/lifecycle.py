"""The life of a pod: starting, serving, draining.

The three probes mean different things. *Startup*: the first contact with what the pod cannot do without
has been made. *Readiness*: the pod should get traffic now. *Liveness*: the event loop turns; nothing else,
because restarting a pod never repairs a database, and a costly probe restarts pods that are merely busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import structlog

log = structlog.get_logger()

_PROBE_SECONDS = 2.0


class Stage(StrEnum):
    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(frozen=True)
class Dependency:
    """Something outside the process. Without a ``required`` one the pod is unready, else only degraded."""

    check: Callable[[], Awaitable[object]]
    required: bool


class Lifecycle:
    """Where in its life the pod is, and how its dependencies are."""

    def __init__(self) -> None:
        self.stage = Stage.STARTING
        self.draining = asyncio.Event()
        self._dependencies: Mapping[str, Dependency] = {}

    def watch(self, dependencies: Mapping[str, Dependency]) -> None:
        """Name what :meth:`report` asks."""
        self._dependencies = dependencies

    def serve(self) -> None:
        """The first contact was made."""
        if self.stage is Stage.STARTING:
            self.stage = Stage.SERVING
            log.info("serving")

    def drain(self) -> None:
        """From now on the pod answers what arrives, and asks for no more."""
        self.stage = Stage.DRAINING
        self.draining.set()
        log.info("draining")

    async def report(self) -> tuple[bool, dict[str, str]]:
        """Whether the pod should get traffic, and the state of each dependency (``ok`` or what is wrong)."""
        names = list(self._dependencies)
        states = await asyncio.gather(*(self._probe(self._dependencies[name]) for name in names))
        report = dict(zip(names, states, strict=True))
        healthy = all(
            report[name] == "ok" for name, dependency in self._dependencies.items() if dependency.required
        )
        return healthy and self.stage is Stage.SERVING, {"stage": self.stage.value, **report}

    async def _probe(self, dependency: Dependency) -> str:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await dependency.check()
        except TimeoutError:
            return f"no answer within {_PROBE_SECONDS:g} s"
        except Exception as error:  # any failure of a driver means the same here: not usable
            return type(error).__name__
        return "ok"
