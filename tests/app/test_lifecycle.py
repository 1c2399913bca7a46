"""Startup, readiness and liveness probes of a pod."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.lifecycle import MAX_AGE_SECONDS, Dependency, DependencyMonitor, Lifecycle
from tests.support import backends
from tests.support.backends import Platform, Process, status

PROBE_SECONDS = 1.0  # the minimum timeout of the declared readiness probes


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Process]:
    """A MongoDB that is not running yet."""
    process = backends.mongodb(tmp_path / "late")
    try:
        yield process
    finally:
        process.kill()


def probes(pod: Process) -> tuple[int, int, int]:
    """Return the statuses of startup, readiness and liveness probes."""
    return status(pod, "/startupz"), status(pod, "/readyz"), status(pod, "/livez")


@pytest.mark.slow
def test_startup_waits_for_mongodb_and_liveness_ignores_it(
    platform: Platform, database: Process, tmp_path: Path
) -> None:
    own = {"KINGDOM_MONGODB_URL": f"mongodb://127.0.0.1:{database.port}/"}
    pod = backends.pod("api", tmp_path, platform.settings | own)
    pod.start()
    try:
        assert probes(pod) == (503, 503, 200), "nothing to restart it for, and nothing to send it"
        database.start()
        backends.wait_for("started", lambda: probes(pod) == (200, 200, 200))
        database.kill()
        # All pods share the database: without it they stay ready and serve cached responses.
        backends.wait_for("the outage is noticed", lambda: report(pod).get("mongodb") != "ok")
        assert probes(pod) == (200, 200, 200)
        database.start()
        backends.wait_for("the return is noticed", lambda: report(pod).get("mongodb") == "ok")
    finally:
        pod.kill()


_SERVERS = {
    "mongodb": backends.mongodb,
    "redis": backends.redis,
    "limits-redis": backends.redis,
    "queue-redis": backends.redis,
    "storage": backends.storage,
}
_URLS = {
    "mongodb": ("KINGDOM_MONGODB_URL", "mongodb://127.0.0.1:{}/"),
    "redis": ("KINGDOM_REDIS_URL", "redis://127.0.0.1:{}/0"),
    "limits-redis": ("KINGDOM_LIMITS_REDIS_URL", "redis://127.0.0.1:{}/0"),
    "queue-redis": ("KINGDOM_QUEUE_REDIS_URL", "redis://127.0.0.1:{}/0"),
    "storage": ("KINGDOM_STORAGE_ENDPOINT", "http://127.0.0.1:{}"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(_SERVERS))
def test_hung_dependency_leaves_an_api_pod_ready(platform: Platform, tmp_path: Path, name: str) -> None:
    """SIGSTOP instead of a kill: connections stay open without a response."""
    stopped = _SERVERS[name](tmp_path / name)
    stopped.start()
    variable, url = _URLS[name]
    own = {variable: url.format(stopped.port)}
    pod = backends.pod("api", tmp_path, platform.settings | own)
    pod.start()
    try:
        backends.wait_for("started", lambda: probes(pod) == (200, 200, 200))
        backends.wait_for("all is well", lambda: report(pod).get(name) == "ok")
        stopped.signal(signal.SIGSTOP)
        backends.wait_for("the hang is noticed", lambda: report(pod).get(name) != "ok", 10)
        for _ in range(20):
            began = time.monotonic()
            response = httpx.get(f"http://127.0.0.1:{pod.port}/readyz", timeout=PROBE_SECONDS)
            assert (response.status_code, response.json()[name] == "ok") == (200, False)
            assert time.monotonic() - began < PROBE_SECONDS
        stopped.signal(signal.SIGCONT)
        backends.wait_for("all is well again", lambda: report(pod).get(name) == "ok", 30)
    finally:
        pod.kill()
        stopped.kill()


@pytest.mark.slow
def test_hung_dependency_makes_a_worker_unready(platform: Platform, tmp_path: Path) -> None:
    database = backends.mongodb(tmp_path / "database")
    database.start()
    own = {"KINGDOM_MONGODB_URL": f"mongodb://127.0.0.1:{database.port}/"}
    pod = backends.pod("worker", tmp_path, platform.settings | own)
    pod.start()
    try:
        backends.wait_for("ready", lambda: probes(pod) == (200, 200, 200))
        database.signal(signal.SIGSTOP)
        backends.wait_for("not ready", lambda: report(pod).get("mongodb") != "ok", 10)
        response = httpx.get(f"http://127.0.0.1:{pod.port}/readyz", timeout=PROBE_SECONDS)
        assert response.status_code == 503
        database.signal(signal.SIGCONT)
        backends.wait_for("ready again", lambda: probes(pod) == (200, 200, 200))
    finally:
        pod.kill()
        database.kill()


def report(pod: Process) -> dict[str, str]:
    """Return the readiness report, or an empty one if it exceeds the timeout of the probe."""
    with contextlib.suppress(httpx.TimeoutException):
        return httpx.get(f"http://127.0.0.1:{pod.port}/readyz", timeout=PROBE_SECONDS).json()
    return {}


@pytest.mark.anyio
async def test_check_that_ignores_cancellation_delays_no_report() -> None:
    release, running = asyncio.Event(), 0

    async def stubborn() -> None:
        nonlocal running
        running += 1
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    lifecycle = Lifecycle()
    lifecycle.watch({"x": Dependency(stubborn, required=False)}, timeout=0.05)
    lifecycle.serve()
    monitoring = asyncio.create_task(lifecycle.monitor())
    await backends.until(lambda: lifecycle.report()[1]["x"].startswith("no response"))
    assert lifecycle.report()[0]
    assert running == 1
    release.set()
    await backends.until(lambda: running > 1)
    await backends.until(lambda: lifecycle.report()[1]["x"] == "ok")
    monitoring.cancel()
    await asyncio.gather(monitoring, return_exceptions=True)


@pytest.mark.anyio
async def test_outdated_check_result_is_reported() -> None:
    now = 0.0

    async def well() -> None:
        return None

    monitor = DependencyMonitor("x", Dependency(well, required=True), clock=lambda: now)
    running = asyncio.create_task(monitor.run())
    await backends.until(lambda: monitor.state == "ok")
    running.cancel()
    now = MAX_AGE_SECONDS + 1
    assert monitor.state == "no check for 11 s"
