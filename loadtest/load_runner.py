"""Run Locust users in this process and measure rate, errors and response times."""

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

from loadtest.users import User

_SPAWNED_A_SECOND: Final = 10.0
_SPAWN_PATIENCE_SECONDS: Final = 120.0


class NotLoopbackError(Exception):
    """The address is not a loopback address. Load tests run only against a platform on this machine."""


@dataclass(frozen=True)
class Outcome:
    """Result of one measurement. Times in seconds; ``errors`` is a share, 0 to 1; ``failures`` by cause."""

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


class LoadRunner:
    """Users of one mix at one address."""

    def __init__(self, runner: LocalRunner) -> None:
        self._runner = runner
        self._environment = runner.environment

    def measure(self, users: int, seconds: float, *, rate: float | None = None, warm: float = 3.0) -> Outcome:
        """Measure ``users`` users for ``seconds``, after ``warm`` seconds that do not count.

        With ``rate`` the users together send that many requests per second at random times, as long as each
        user can keep up; without, each sends its next request after its response.
        """
        User.interval = 0.0 if rate is None else users / rate
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
def load_runner(address: str, authority: Path, mix: Mapping[type[User], int]) -> Iterator[LoadRunner]:
    """Users of ``mix`` at ``address``, which has a certificate of ``authority``; stopped at the end."""
    _require_loopback(address)
    # Failures are counted; Locust would also log a line for each.
    logging.getLogger("locust").setLevel(logging.ERROR)
    for user, weight in mix.items():
        user.weight = weight
    User.ssl_context_factory = staticmethod(lambda: ssl.create_default_context(cafile=str(authority)))
    environment = Environment(user_classes=list(mix), host=address, catch_exceptions=True)
    runner = environment.create_local_runner()
    try:
        yield LoadRunner(runner)
    finally:
        runner.quit()


def _require_loopback(address: str) -> None:
    host = urlsplit(address).hostname or ""
    places = {str(place[4][0]) for place in getaddrinfo(host, None)}
    away = sorted(place for place in places if not ip_address(place).is_loopback)
    if away:
        raise NotLoopbackError(
            f"{address} is {', '.join(away)}; load tests run only against loopback addresses"
        )
