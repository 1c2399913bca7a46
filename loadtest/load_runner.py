"""A crowd of Locust users in this process: how many, how fast they ask, and what came of it."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from socket import getaddrinfo
from typing import Any, Final
from urllib.parse import urlsplit

import gevent
from locust.env import Environment
from locust.runners import LocalRunner

from loadtest.users import Person

_SPAWNED_A_SECOND: Final = 10.0
_SPAWN_PATIENCE_SECONDS: Final = 120.0


class NotLoopbackError(Exception):
    """The load would leave this machine: only a platform that runs here may be loaded from here."""


@dataclass(frozen=True)
class Outcome:
    """What a stretch of load came to. Times in seconds; ``errors`` a share, 0 to 1; ``failures`` by what
    failed."""

    users: int
    seconds: float
    requests: int
    errors: float
    p50: float
    p95: float
    p99: float
    failures: Mapping[str, int]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"rate": self.rate}


class Crowd:
    """Users of one mix at one address, as many and as fast as they are told to be."""

    def __init__(self, runner: LocalRunner) -> None:
        self._runner = runner
        self._environment = runner.environment

    def measure(self, users: int, seconds: float, *, rate: float | None = None, warm: float = 3.0) -> Outcome:
        """Let so many users ask for ``seconds``, after ``warm`` more that do not count.

        With ``rate`` they ask so many times a second together, at random moments, however long the answers
        take (as long as each user has time for its own); without, each asks again when it has its answer.
        """
        Person.interval = 0.0 if rate is None else users / rate
        self._runner.start(users, _SPAWNED_A_SECOND, wait=False)
        patience = time.monotonic() + _SPAWN_PATIENCE_SECONDS
        while self._runner.user_count < users and time.monotonic() < patience:
            gevent.sleep(0.1)
        gevent.sleep(warm)
        stats = self._environment.stats
        stats.clear_all()
        began = time.perf_counter()
        gevent.sleep(seconds)
        took, total = time.perf_counter() - began, stats.total

        def quantile(share: float) -> float:
            return float(total.get_response_time_percentile(share) or 0) / 1000

        return Outcome(
            users=users,
            seconds=took,
            requests=total.num_requests,
            errors=total.fail_ratio,
            p50=quantile(0.50),
            p95=quantile(0.95),
            p99=quantile(0.99),
            failures={f"{error.method} {error.name}: {error.error}": error.occurrences
                      for error in stats.errors.values()},
        )  # fmt: skip


@contextmanager
def crowd(address: str, authority: Path, mix: Mapping[type[Person], int]) -> Iterator[Crowd]:
    """A crowd at ``address``, whose certificate ``authority`` has signed. All of it is gone at the end."""
    _require_loopback(address)
    # What went wrong is counted; Locust would write a line for each as well.
    logging.getLogger("locust").setLevel(logging.ERROR)
    for person, weight in mix.items():
        person.weight = weight
    Person.ssl_context_factory = staticmethod(lambda: ssl.create_default_context(cafile=str(authority)))
    environment = Environment(user_classes=list(mix), host=address, catch_exceptions=True)
    runner = environment.create_local_runner()
    try:
        yield Crowd(runner)
    finally:
        runner.quit()


def _require_loopback(address: str) -> None:
    host = urlsplit(address).hostname or ""
    places = {str(place[4][0]) for place in getaddrinfo(host, None)}
    away = sorted(place for place in places if not ip_address(place).is_loopback)
    if away:
        raise NotLoopbackError(f"{address} is {', '.join(away)}; only this machine's own address is loaded")
