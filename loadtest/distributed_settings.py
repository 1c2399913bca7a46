"""Settings of a load test in a cluster: the environment variables that `infra/loadtest/job.py` sets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import msgspec

from loadtest.generator.accounts import Credentials
from rehearsal.scenarios.catalog import Catalog, Scenario

PREFIX: Final = "KINGDOM_LOADTEST_"
PORT: Final = 5557
_SERVICE: Final = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+\.svc(\.cluster\.local)?")


class NotAllowedError(ValueError):
    """The load test must not start: invalid settings, outside its window, or a target that is not allowed."""


@dataclass(frozen=True)
class Period:
    """Start and end of the period in which requests may be sent."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class PodSettings:
    """One process of a load test: number 0 coordinates, the others send requests.

    ``resolution`` is the length in seconds of the steps in which results are counted.
    """

    environment: str
    scenario: str
    workers: int
    host: str
    port: int
    coordinator: str
    index: int
    window: Period | None = None
    accounts: Path | None = None
    coordinator_port: int = PORT
    resolution: int = 10
    # For a trial on one machine: the stages are compressed to this many seconds, and the users are scaled.
    seconds: float | None = None
    scale: float = 1.0

    @property
    def target(self) -> str:
        """Return the URL that requests are sent to. The cluster encrypts traffic between nodes."""
        return f"http://{self.host}:{self.port}"


def read(environ: Mapping[str, str]) -> PodSettings:
    """Read the settings from environment variables. Raises NotAllowedError with all problems."""
    problems: list[str] = []

    def text(name: str) -> str:
        value = environ.get(PREFIX + name, "")
        if not value:
            problems.append(f"{PREFIX}{name} is not set")
        return value

    def number(name: str, value: str, low: int, high: int) -> int:
        if not value.isdecimal() or not low <= int(value) <= high:
            problems.append(f"{name} is {value!r}, not a whole number from {low} to {high}")
            return low
        return int(value)

    def time(name: str) -> datetime | None:
        value = environ.get(PREFIX + name, "")
        try:
            found = datetime.fromisoformat(value) if value else None
        except ValueError:
            found = None
        if value and (found is None or found.tzinfo is None):
            problems.append(f"{PREFIX}{name} is {value!r}, not a time such as 2026-01-03T02:00:00Z")
        return found

    workers = number(f"{PREFIX}WORKERS", text("WORKERS"), 1, 1000)
    start, end = time("WINDOW_START"), time("WINDOW_END")
    if (start is None) != (end is None):
        problems.append(f"{PREFIX}WINDOW_START and {PREFIX}WINDOW_END belong together")
    accounts = environ.get(f"{PREFIX}ACCOUNTS_FILE")

    def factor(name: str, low: float, high: float) -> float | None:
        value = environ.get(PREFIX + name, "")
        with suppress(ValueError):
            if not value or low <= float(value) <= high:
                return float(value) if value else None
        problems.append(f"{PREFIX}{name} is {value!r}, not a number from {low:g} to {high:g}")
        return None

    found = PodSettings(
        environment=text("ENVIRONMENT"),
        scenario=text("SCENARIO"),
        workers=workers,
        host=text("HOST"),
        port=number(f"{PREFIX}PORT", text("PORT"), 1, 65_535),
        coordinator=text("COORDINATOR"),
        index=number("JOB_COMPLETION_INDEX", environ.get("JOB_COMPLETION_INDEX", ""), 0, workers),
        window=None if start is None or end is None else Period(start, end),
        accounts=Path(accounts) if accounts else None,
        coordinator_port=number(
            f"{PREFIX}COORDINATOR_PORT", environ.get(f"{PREFIX}COORDINATOR_PORT", str(PORT)), 1, 65_535
        ),
        seconds=factor("SECONDS", 10, 600),
        scale=factor("SCALE", 0.001, 1) or 1.0,
    )
    if problems:
        raise NotAllowedError("; ".join(problems))
    return found


def require_allowed(settings: PodSettings, catalog: Catalog, now: datetime | None = None) -> Scenario:
    """Return the scenario of a load test that may start now.

    Raises NotAllowedError unless the target is in the same cluster or on this machine, and the whole scenario
    fits into the window. Raises ScenarioError for an unknown scenario.
    """
    scenario = catalog.scenario(settings.scenario)
    if not in_cluster(settings.host) and not on_this_machine(settings.host):
        raise NotAllowedError(
            f"{settings.host} is neither a Service of this cluster, such as api.kingdom.svc, nor a loopback "
            "address; load tests run against no other host"
        )
    if settings.window is not None:
        start, end = settings.window.start, settings.window.end
        now = datetime.now(UTC) if now is None else now
        length = timedelta(seconds=scenario.seconds if settings.seconds is None else settings.seconds)
        if not start <= now <= end:
            raise NotAllowedError(f"it is {now:%Y-%m-%dT%H:%M:%SZ}, outside the window {start} to {end}")
        if now + length > end:
            raise NotAllowedError(
                f"{settings.scenario} takes {length} and would end after the window, at {end}: start earlier"
            )
    return scenario


def in_cluster(host: str) -> bool:
    """Whether a name is that of a Service of the same cluster: NAME.NAMESPACE.svc."""
    return _SERVICE.fullmatch(host) is not None


def on_this_machine(host: str) -> bool:
    """Whether a host is a loopback address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class _Account(msgspec.Struct):
    email: str
    password: str


def credentials(settings: PodSettings) -> Sequence[Credentials]:
    """Return this worker's share of the accounts file; empty without one. Raises NotAllowedError."""
    if settings.accounts is None:
        return ()
    try:
        found = msgspec.json.decode(settings.accounts.read_bytes(), type=list[_Account])
    except (OSError, msgspec.DecodeError) as error:
        # The message of a failed validation contains a path, never a value.
        raise NotAllowedError(
            f"{settings.accounts} is not a JSON array of objects with email and password: {error}"
        ) from None
    if len(found) < settings.workers:
        raise NotAllowedError(
            f"{settings.accounts} has {len(found)} accounts for {settings.workers} workers: "
            "each worker needs at least one"
        )
    return [Credentials(each.email, each.password) for each in found[settings.index - 1 :: settings.workers]]
