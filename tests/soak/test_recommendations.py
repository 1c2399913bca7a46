"""Applied recommendations have the effect that they predict, within their interval.

A copy of the project is started with a stack file that is wrongly sized in three ways: memory and CPU
requests that are far too large, and rate limits that refuse a client while capacity is free. It is loaded and
recorded, `kingdom recommend --apply` and `kingdom up` run as a user would run them, and it is loaded again.

The time scale is compressed by the declared `detection`: a rule needs 20 s of history in place of three
hours, and intervals widen in the same proportion.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest

from app.monitoring.prometheus import PrometheusSource
from app.monitoring.source import TimeSeries
from rehearsal.monitoring.recommendations.history import RecordedHistory, ratio, values_at
from rehearsal.monitoring.signals import declared
from rehearsal.percentiles import percentile
from rehearsal.pulumi import project as pulumi
from tests.support import projects
from tests.support.backends import free_port
from tests.support.client import Ledger
from tests.support.projects import Project, wait_for

HISTORY_SECONDS: Final = 20
BEFORE_SECONDS: Final = 110
AFTER_SECONDS: Final = 30
REQUESTS_PER_SECOND: Final = 6.0
_MIB: Final = 2**20
_SIGNALS: Final = ("memory-by-role", "cpu-by-role", "replicas", "requests", "rate-limited")
_SIZE: Final = "{{cpuMilli: {}, cpuLimitMilli: 1000, memoryMi: {},"
_WRONG: Final = {
    "limitsFactor: 1000 ": "limitsFactor: 0.25 ",
    _SIZE.format(200, 384): _SIZE.format(200, 1024),
    _SIZE.format(200, 512): _SIZE.format(750, 1024),
}

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]


@dataclass
class Load:
    """A client that reads its list of content at a constant rate, whatever the response is."""

    project: Project
    statuses: dict[int, int] = field(default_factory=dict)
    _credentials: dict[str, str] = field(default_factory=dict)
    _enough: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Create an account, and load the platform during the block."""
        ledger = Ledger()
        with self.project.client() as client:
            account = ledger.sign_up(client)
        self._credentials = {"email": ledger.emails[account], "password": "correct horse battery"}
        thread = threading.Thread(target=self._send, args=(ledger.tokens[account],))
        thread.start()
        try:
            yield
        finally:
            self._enough.set()
            thread.join()

    def sign_in(self) -> None:
        """Sign in, which needs the most memory of all requests."""
        with self.project.client() as client:
            client.post("/v1/sessions", json=self._credentials).raise_for_status()

    def _send(self, token: str) -> None:
        due = time.monotonic()
        headers = {"authorization": f"Bearer {token}"}
        with self.project.client() as client:
            while not self._enough.wait(max(0.0, due - time.monotonic())):
                due += 1 / REQUESTS_PER_SECOND
                try:
                    status = client.get("/v1/contents", headers=headers).status_code
                except httpx.HTTPError:
                    status = 0
                self.statuses[status] = self.statuses.get(status, 0) + 1


@dataclass(frozen=True)
class _Lines:
    """Lines by query that were read before the platform ended."""

    lines: Mapping[str, list[TimeSeries]]

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        return self.lines[query]


@dataclass(frozen=True)
class Applied:
    """The recommendations by rule and path, and the history of the platform after they were applied."""

    recommendations: Mapping[tuple[str, str], Mapping[str, Any]]
    after: RecordedHistory

    def require(self, rule: str, path: str, measured: float) -> None:
        """Require that a measured value lies in the interval of its recommendation, and print both."""
        found = self.recommendations[rule, path]
        effect = found["effect"]
        print(
            f"{rule} {path}: {found['old']} -> {found['new']}: {effect['quantity']} {effect['now']:.4g}"
            f" -> {effect['low']:.4g} to {effect['high']:.4g} {effect['unit']}; measured {measured:.4g}"
        )
        assert found["problems"] == []
        assert effect["low"] <= measured <= effect["high"]


def compress(project: Project) -> None:
    """Scrape every second, and let rules need 20 s of history."""
    path = project.root / "infra" / "observability" / "signals.yaml"
    text, found = re.subn(
        r"(?m)^  scrape_seconds: 15\n((?:.*\n)*?)  history_seconds: 10800\n",
        rf"  scrape_seconds: 1\n\1  history_seconds: {HISTORY_SECONDS}\n",
        path.read_text(),
    )
    assert found == 1
    path.write_text(text.replace("[5m]", "[10s]"))


def missize(project: Project) -> None:
    """Write the wrong sizes to the stack file."""
    text = project.settings.read_text()
    for right, wrong in _WRONG.items():
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    project.settings.write_text(text)


def history(project: Project, url: str, seconds: float) -> RecordedHistory:
    """The latest history of the platform."""
    found = pulumi.Project.at(project.root)
    config = {
        key: json.loads(value) for key, value in found.stack("local").config.items() if value.startswith("{")
    }
    source = PrometheusSource(url)
    try:
        signals, now = declared(found, "local"), time.time()
        lines = {
            signals.signals[name].query: source.query_range(
                signals.signals[name].query, now - seconds, now, signals.detection.scrape_seconds
            )
            for name in _SIGNALS
        }
    finally:
        source.close()
    return RecordedHistory(_Lines(lines), signals, config, now, seconds)


def record(seconds: float) -> None:
    """Return when the platform has been recorded for a number of seconds."""
    start = time.monotonic()
    wait_for("the recording", lambda: time.monotonic() >= start + seconds, seconds + 10)


@pytest.fixture(scope="module")
def applied() -> Iterator[Applied]:
    """A wrongly sized platform under load, after its recommendations were applied."""
    with projects.platform() as project:
        compress(project)
        missize(project)
        project.run("up", seconds=300)
        load = Load(project)
        with load.running():
            url = project.run("dashboard", "--port", str(free_port())).split()[-1]
            load.sign_in()
            record(BEFORE_SECONDS)
            recorded = history(project, url, BEFORE_SECONDS)
            for role in recorded.roles:
                cores = ratio(recorded.line("cpu-by-role", role), recorded.line("replicas", role)).values
                print(
                    f"{role} before: {percentile(cores, 50):.3f} cores a pod, 95th percentile"
                    f" {percentile(cores, 95):.3f}, replicas {set(recorded.line('replicas', role).values)}"
                )
            before = dict(load.statuses)
            output = project.run("recommend", "--since", "1h", "--apply", "--json", seconds=200)
            report = json.loads(output[: output.rindex("}") + 1])
            assert report["history_seconds"] == HISTORY_SECONDS
            print(
                f"a rule needs {HISTORY_SECONDS} s of history in place of 10800 s, recorded:"
                f" {BEFORE_SECONDS} s before and {AFTER_SECONDS} s after; statuses before: {before}"
            )
            project.run("up", seconds=200)
            load.statuses.clear()
            load.sign_in()
            record(AFTER_SECONDS)
            print(f"statuses after: {load.statuses}")
            yield Applied(
                {(one["rule"], ".".join(one["path"][1:])): one for one in report["recommendations"]},
                history(project, url, AFTER_SECONDS - 10),
            )


def test_memory_that_is_too_large(applied: Applied) -> None:
    for role in ("api", "worker"):
        peak = max(applied.after.line("memory-by-role", role).values) / _MIB
        memory = applied.after.roles[role]["resources"]["memoryMi"]
        applied.require("memory", f"{role}.resources.memoryMi", 100 * peak / memory)


def test_a_cpu_request_that_is_too_large(applied: Applied) -> None:
    cores = ratio(applied.after.line("cpu-by-role", "worker"), applied.after.line("replicas", "worker"))
    request = applied.after.roles["worker"]["resources"]["cpuMilli"]
    measured = 100_000 * percentile(cores.values, 95) / request
    applied.require("cpu-request", "worker.resources.cpuMilli", measured)


def test_rate_limits_that_refuse_a_client(applied: Applied) -> None:
    requests = values_at(applied.after.line("requests"))
    refused = sum(sum(series.values) for series in applied.after.lines("rate-limited").values())
    assert min(requests.values()) > 0
    applied.require("rate-limits", "limitsFactor", 100 * refused / sum(requests.values()))
