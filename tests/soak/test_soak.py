"""Soak test: ten minutes of mixed load; memory stays flat, and no tasks or connections leak.

``KINGDOM_SOAK_SECONDS`` overrides the duration.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from tests.app.conftest import Person, sign_up
from tests.support import backends
from tests.support.backends import Platform, Process, wait_for

SECONDS = float(os.environ.get("KINGDOM_SOAK_SECONDS", "600"))
USERS = 4
SAMPLES = 50
# The first fifth is warm-up, in which pools and caches are filled.
GROWTH = 1.10
PATIENCE_SECONDS = 60.0
# The number of connections varies with the load within the bounds of the pools.
SLACK = 8

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SECONDS + 300)]


@dataclass(frozen=True)
class Sample:
    """Resources of a pod: resident memory in bytes, asyncio tasks, open files including sockets."""

    memory: float
    tasks: float
    files: float

    @classmethod
    def of(cls, pod: Process) -> Sample:
        lines = httpx.get(f"http://127.0.0.1:{pod.port}/metrics", timeout=10).text.splitlines()
        lines_with_values = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        values = {name: float(value) for name, _, value in lines_with_values}
        return cls(
            values["process_resident_memory_bytes"],
            values["kingdom_event_loop_tasks"],
            values["process_open_fds"],
        )


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A separate platform, whose memory is not affected by other tests."""
    whole = backends.platform(tmp_path_factory.mktemp("soak"))
    try:
        yield whole
    finally:
        backends.end(whole)


def use(person: Person, number: int) -> None:
    """Run one round of a user who uses all features."""
    client = person.client
    piece = person.create(f"a soak, round {number}")["id"]
    seen = 0
    for path in (
        f"/v1/contents/{piece}",
        "/v1/contents",
        "/v1/feed",
        "/v1/accounts/me",
        "/v1/products",
        "/v1/orders",
        "/v1/contents/nothing",
    ):
        for _ in range(3):
            response = client.get(path)
            assert response.status_code == (404 if path.endswith("nothing") else 200), response.text
            seen += 1
    made = person.finished(piece)
    assert client.get(made["image"]).status_code == 200
    assert client.put(f"/v1/contents/{piece}/publication").status_code == 200
    with client.stream("GET", f"/v1/contents/{piece}/events") as events:
        assert events.status_code in {200, 204}
    event = {"id": uuid4().hex, "name": "content.viewed", "at": "2026-11-25T00:00:00Z"}
    assert client.post("/v1/events", json={"events": [event]}).status_code == 202
    if number % 10 == 0:
        credentials = {"email": person.email, "password": person.password}
        signed_in = client.post("/v1/sessions", json=credentials).json()
        client.headers["authorization"] = f"Bearer {signed_in['token']}"


def keep_using(person: Person, enough: threading.Event) -> int:
    """Run rounds until the event is set; return their number."""
    number = 0
    while not enough.is_set():
        number += 1
        use(person, number)
    return number


def sampled(pods: Sequence[Process]) -> list[list[Sample]]:
    """Take ``SAMPLES`` samples of the pods' resources, distributed over the test duration."""
    began, taken = time.monotonic(), list[list[Sample]]()
    for number in range(1, SAMPLES + 1):
        time.sleep(max(0.0, began + SECONDS * number / SAMPLES - time.monotonic()))
        taken.append([Sample.of(pod) for pod in pods])
    return taken


def connections(platform: Platform) -> int:
    """Return the number of clients of Redis."""
    with Redis(port=platform.redis.port) as redis:
        return int(redis.info("clients")["connected_clients"])


def test_memory_stays_flat_and_no_connections_leak(platform: Platform) -> None:
    pods = (platform.api, platform.worker)
    users = [sign_up(platform.url) for _ in range(USERS)]
    for person in users:
        use(person, 1)  # opens the connections and files that remain open
    idle, clients = [Sample.of(pod) for pod in pods], connections(platform)
    enough = threading.Event()
    with ThreadPoolExecutor(USERS) as threads:
        using = [threads.submit(keep_using, person, enough) for person in users]
        try:
            samples = sampled(pods)
        finally:
            enough.set()
    rounds = sum(each.result() for each in using)
    for person in users:
        person.client.close()
    print(f"{rounds} rounds")
    for role, taken in zip(("api", "worker"), zip(*samples, strict=True), strict=True):
        fifth = len(taken) // 5
        early, late = taken[fifth : 2 * fifth], taken[-fifth:]
        before = statistics.median(sample.memory for sample in early)
        after = statistics.median(sample.memory for sample in late)
        print(f"{role}: {before / 2**20:.1f} MiB after a fifth, {after / 2**20:.1f} MiB at the end; of late:")
        print(*(f"{sample.memory / 2**20:.0f}" for sample in taken[::fifth]))
        assert after < before * GROWTH, role
    for pod, first in zip(pods, idle, strict=True):
        wait_for(
            "tasks are over and connections closed",
            lambda pod=pod, first=first: left_over(Sample.of(pod), first) == (0, 0),
            PATIENCE_SECONDS,
        )
    assert connections(platform) <= clients + SLACK


def left_over(now: Sample, idle: Sample) -> tuple[int, int]:
    """Tasks and files beyond what there was at first."""
    return max(0, int(now.tasks - idle.tasks)), max(0, int(now.files - idle.files - SLACK))
