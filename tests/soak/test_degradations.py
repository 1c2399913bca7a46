"""Degradations planted on the real platform are found with their onset and cause, before an alert.

A copy of the project is started, loaded at a constant rate, and recorded at a compressed time scale
(`recorded_platform.py`). At full length one degradation takes more than an hour.

Faults are planted from outside the product: documents that another client inserts, clients that read what
does not exist, processes that use the CPU, a worker of the copy that leaks, and a deployment of slower code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import httpx
import psutil
import pytest
from pymongo import MongoClient

from app.ids import new_id
from tests.soak.recorded_platform import BUCKET, PATIENCE_SECONDS, RATES, Load, Recording, compress, recorded
from tests.support import projects
from tests.support.projects import Project, wait_for

BASELINE_SECONDS: Final = 30 * BUCKET
LEAK_BYTES: Final = 2**20 / BUCKET  # a second: 1 MiB a bucket
CPU_WAIT: Final = "Time for which the event loop waits for a CPU"
# Enough that the query of a list takes 10 ms longer, the smallest change that is reported.
_DOCUMENTS: Final = 20_000
_BURNERS: Final = 8 * (os.cpu_count() or 1)

# Code that is appended to modules of the copy. The leak maps memory: small blocks would first take what the
# heap has free, about 20 MB in a worker, and the resident memory would rise only after that.
_LEAK: Final = """

def _leak() -> None:
    import mmap, pathlib, time
    leaked = []
    while True:
        time.sleep(1)
        path = pathlib.Path("leak")
        if path.exists():
            size = int(float(path.read_text()))
            leaked.append(mmap.mmap(-1, size))
            leaked[-1].write(b"x" * size)


__import__("threading").Thread(target=_leak, daemon=True).start()
"""
_SLOWER: Final = """

_read_body = Contents.read_body


async def _slower(self, owner, content_id):
    await __import__("asyncio").sleep(0.03)
    return await _read_body(self, owner, content_id)


Contents.read_body = _slower
"""

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600 + 3 * (BASELINE_SECONDS + 2 * PATIENCE_SECONDS))]


@pytest.fixture(scope="module")
def platform() -> Iterator[Project]:
    """A copy of the platform with a worker that leaks on request, and the compressed time scale."""
    with projects.platform() as project:
        with (project.root / "app" / "worker.py").open("a") as module:
            module.write(_LEAK)
        compress(project, scales=[(72, 1)])
        print(f"times of detection are divided by {60 / BUCKET:g}: buckets of {BUCKET:g} s in place of 60 s")
        project.run("up", seconds=300)
        yield project


@pytest.fixture
def recording(platform: Project) -> Iterator[Recording]:
    """A new recording of the platform under load, after the baseline; its load is `load`."""
    with recorded(platform) as found:
        yield found


@pytest.fixture
def load(platform: Project) -> Iterator[Load]:
    """The platform is warm: caches are filled, and pools are open."""
    found = Load(platform)
    with found.running():
        wait_for("the platform is warm", lambda: found.sent > sum(RATES.values()) * 4 * BUCKET, 120)
        yield found
    print(f"{found.sent} requests, {found.failed} failed")


def baseline(recording: Recording) -> None:
    """Record the platform without a fault."""
    wait_for("the first scrape", recording.look, 60)
    start = recording.look()
    psutil.cpu_percent()
    wait_for("the baseline", lambda: recording.look() >= start + BASELINE_SECONDS, 2 * BASELINE_SECONDS)
    print(f"{psutil.cpu_percent():.0f} % of the machine's CPUs in use during the baseline")
    print(f"during the baseline: {[finding['text'] for finding in recording.findings.values()] or 'nothing'}")


@contextmanager
def leak(project: Project) -> Iterator[None]:
    path = project.root / "leak"
    path.write_text(str(LEAK_BYTES))
    try:
        yield
    finally:
        path.unlink()


@contextmanager
def grown_collection(project: Project) -> Iterator[None]:
    """Insert content of another account: the query of an account's own list becomes slow."""
    (port,) = [
        process.port
        for process in project.status().processes
        if process.kind == "mongodb" and not process.name.endswith("/proxy")
    ]
    client: MongoClient[dict[str, Any]] = MongoClient("127.0.0.1", port, directConnection=True)
    contents = client["kingdom"]["contents"]
    template = {"owner": "other", "state": "ready", "prompt": "p" * 100}
    names = [new_id() for _ in range(_DOCUMENTS)]
    documents = [{"_id": name, "order": name, "request": name, **template} for name in names]
    try:
        for start in range(0, _DOCUMENTS, 100):
            contents.insert_many(documents[start : start + 100])
        yield
    finally:
        contents.delete_many({"owner": "other"})
        client.close()


@contextmanager
def unknown_items(load: Load) -> Iterator[None]:
    """Over twelve buckets, all reads become reads of items that do not exist, which no cache has."""
    start = time.monotonic()
    load.unknown = lambda: min(1.0, (time.monotonic() - start) / (12 * BUCKET))
    try:
        yield
    finally:
        load.unknown = lambda: 0.0


@contextmanager
def noisy_neighbor() -> Iterator[None]:
    """Processes that use the CPUs, and end by themselves.

    Each has a session of its own, as the processes of other pods have: Linux divides a CPU between sessions.
    """
    program = (
        f"import time\nends = time.monotonic() + {PATIENCE_SECONDS}\nwhile time.monotonic() < ends: pass"
    )
    burners = [
        subprocess.Popen([sys.executable, "-c", program], start_new_session=True) for _ in range(_BURNERS)
    ]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


@pytest.mark.skipif(
    shutil.which("mongod") is not None, reason="mongod uses an index for the grown collection"
)
def test_a_leak_a_slow_query_and_a_falling_hit_rate_are_found(
    platform: Project, load: Load, recording: Recording
) -> None:
    leaking, slow, falling = (
        ("memory-by-role", "worker"),
        ("query-time", "contents"),
        ("cache-hits", "contents"),
    )
    listing = "response-time-by-route", "/v1/contents"
    baseline(recording)
    planted: dict[tuple[str, str], float] = {}
    complete: dict[tuple[str, str], float] = {}
    with ExitStack() as faults:
        for finding, fault in (
            (leaking, leak(platform)),
            (slow, grown_collection(platform)),
            (falling, unknown_items(load)),
        ):
            # One after another, further apart than the tolerance for events near an onset.
            planted[finding] = time.time()
            faults.enter_context(fault)
            complete[finding] = time.time()
            wait_for(
                "the next fault",
                lambda: recording.look() > max(complete.values()) + 5 * BUCKET,
                60 + 10 * BUCKET,
            )
        recording.wait_until_found(leaking, slow, falling, listing)
    recording.require(*leaking, planted[leaking])
    recording.require(*falling, planted[falling])
    print(f"the collection grew within {complete[slow] - planted[slow]:.0f} s")
    recording.require(*slow, planted[slow], complete[slow])
    finding = recording.require(*listing, planted[slow], complete[slow])
    assert "MongoDB command time, 95th percentile contents" in finding["with"]


def test_a_noisy_neighbor_is_found(load: Load, recording: Recording) -> None:
    slow, waiting = ("response-time", ""), ("cpu-wait", "api")
    baseline(recording)
    planted = time.time()
    with noisy_neighbor():
        recording.wait_until_found(slow, waiting)
    recording.require(*waiting, planted)
    finding = recording.require(*slow, planted)
    assert f"{CPU_WAIT} api" in finding["with"]
    assert finding["movers"] == []


def test_a_deployment_that_adds_thirty_milliseconds_is_found(
    platform: Project, load: Load, recording: Recording
) -> None:
    slow = ("response-time-by-route", "/v1/contents/{content_id}")
    baseline(recording)
    with (platform.root / "app" / "content" / "service.py").open("a") as module:
        module.write(_SLOWER)
    text = platform.settings.read_text()
    assert text.count("    logLevel: info\n") == 1
    platform.settings.write_text(text.replace("    logLevel: info\n", "    logLevel: warning\n"))
    platform.run("up", seconds=300)
    assert load.read_seconds() > 0.03
    recording.wait_until_found(slow)
    events = httpx.get(f"{recording.url}api/events", timeout=30).json()
    (deployed,) = [event for event in events if event["title"] == "api: new revision"]
    finding = recording.require(*slow, deployed["at"])
    assert "api: new revision" in [mover["title"] for mover in finding["movers"]]
    assert 0.015 < finding["change"]["after"] - finding["change"]["before"] < 0.06
