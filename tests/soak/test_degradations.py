"""Degradations planted on the real platform are found with their onset and cause, before an alert.

A copy of the project is started, loaded at a constant rate, and recorded at a compressed time scale: buckets
of ``KINGDOM_BUCKET_SECONDS`` (5) in place of a minute, and every other time of detection in proportion. With
60 the times are those of ``signals.yaml``, and one degradation takes more than an hour.

Faults are planted from outside the product: documents that another client inserts, clients that read what
does not exist, processes that use the CPU, a worker of the copy that leaks, and a deployment of slower code.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import psutil
import pytest
from pymongo import MongoClient

from app.ids import new_id
from rehearsal.monitoring.annotations import monitoring_folder
from tests.support import projects
from tests.support.backends import free_port
from tests.support.client import Ledger
from tests.support.projects import Project, wait_for

BUCKET: Final = float(os.environ.get("KINGDOM_BUCKET_SECONDS", "5"))
BASELINE_SECONDS: Final = 30 * BUCKET
PATIENCE_SECONDS: Final = 36 * BUCKET
# The tolerance of findings for events near an onset is three buckets; trends begin slowly.
ONSET_SECONDS: Final = {"shift": 3 * BUCKET, "trend": 6 * BUCKET}
LEAK_BYTES: Final = 2**20 / BUCKET  # a second: 1 MiB a bucket
CPU_WAIT: Final = "Time for which the event loop waits for a CPU"
_ITEMS: Final = 5
_DOCUMENTS: Final = 6000
_BURNERS: Final = 8 * (os.cpu_count() or 1)
_RATES: Final = {"item": 4.0, "list": 2.0, "feed": 2.0}  # requests a second

# The signal with a threshold that a degradation of another signal would cross.
_THRESHOLDS: Final = {"memory-by-role": "memory"}

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

_read = Contents.read


async def _slower(self, owner, content_id):
    await __import__("asyncio").sleep(0.03)
    return await _read(self, owner, content_id)


Contents.read = _slower
"""

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600 + 3 * (BASELINE_SECONDS + 2 * PATIENCE_SECONDS))]


@dataclass
class Load:
    """Clients that send a constant rate of requests; `unknown` is the share of reads of absent items."""

    project: Project
    ledger: Ledger = field(default_factory=Ledger)
    unknown: Callable[[], float] = lambda: 0.0
    sent: int = 0
    failed: int = 0
    _token: str = ""
    _enough: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Create an account with items, and load the platform during the block."""
        with self.project.client() as client:
            account = self.ledger.sign_up(client)
            for _ in range(_ITEMS):
                self.ledger.create(client, account)
            wait_for("the items are generated", lambda: self.ledger.are_made(client), 60)
        self._token = self.ledger.tokens[account]
        threads = [threading.Thread(target=self._send, args=(kind, rate)) for kind, rate in _RATES.items()]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._enough.set()
            for thread in threads:
                thread.join()

    def _send(self, kind: str, rate: float) -> None:
        due, number, owed = time.monotonic(), 0, 0.0
        with self.project.client() as client:
            while not self._enough.wait(max(0.0, due - time.monotonic())):
                due, number = due + 1 / rate, number + 1
                owed += self.unknown()
                known = self.ledger.pieces[number % _ITEMS][1]
                path = {
                    "item": f"/v1/contents/{new_id() if owed >= 1 else known}",
                    # A page size that was not used for 30 s is not cached.
                    "list": f"/v1/contents?limit={1 + number % 100}",
                    "feed": "/v1/feed",
                }[kind]
                owed -= owed >= 1
                self._request(client, path)

    def _request(self, client: httpx.Client, path: str) -> None:
        self.sent += 1
        try:
            response = client.get(path, headers={"authorization": f"Bearer {self._token}"})
        except httpx.HTTPError:
            self.failed += 1
            return
        if response.status_code == 401:
            email = next(iter(self.ledger.emails.values()))
            credentials = {"email": email, "password": "correct horse battery"}
            self._token = client.post("/v1/sessions", json=credentials).json()["token"]
        elif response.status_code not in {200, 404}:
            self.failed += 1


@dataclass
class Recording:
    """The dashboard of the platform with a new recording.

    `first` has the time at which each finding was first reported and its state then, `findings` its latest
    state.
    """

    url: str
    first: dict[tuple[str, str], tuple[float, Mapping[str, Any]]] = field(default_factory=dict)
    findings: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    alerts: set[str] = field(default_factory=set)
    _at: float = 0.0
    _due: float = 0.0

    def look(self) -> float:
        """Read the overview, at most once in two seconds. Returns the time of the last scrape."""
        if time.monotonic() < self._due:
            return self._at
        overview = httpx.get(f"{self.url}api/overview", timeout=30).json()
        self._at, self._due = float(overview["at"]), time.monotonic() + 2
        for finding in overview["findings"]:
            key = finding["signal"], finding["line"]
            self.first.setdefault(key, (self._at, finding))
            self.findings[key] = finding
        self.alerts |= {alert["signal"] for alert in overview["alerts"]}
        return self._at

    def wait_until_found(self, *wanted: tuple[str, str]) -> None:
        """Wait until all findings have been reported. Fails after PATIENCE_SECONDS, naming absent ones."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while absent := set(wanted) - set(self.first):
            self.look()
            texts = [finding["text"] for finding in self.findings.values()]
            assert time.monotonic() < ends, f"not found: {sorted(absent)}; found: {texts}"
            time.sleep(0.05)

    def require(
        self, signal: str, line: str, planted: float, complete: float | None = None
    ) -> Mapping[str, Any]:
        """Require the finding as it was first reported: its onset at `planted`, before its threshold.

        With `complete`, the fault took that long to be there as a whole, and the onset may be in between.
        Prints the delay. Returns the latest state, since other lines may be found later.
        """
        (at, first), finding = self.first[signal, line], self.findings[signal, line]
        change = first["change"]
        onset = change["onset"]
        error = onset - min(max(onset, planted), complete or planted)
        print(
            f"{signal} {line}: {at - planted:.0f} s after it began, {(at - planted) / BUCKET:.0f} min at full"
            f" length, onset {onset - planted:+.0f} s, {first['text']};"
            f" with {', '.join(finding['with']) or 'nothing'};"
            f" near {', '.join(mover['title'] for mover in finding['movers']) or 'no event'}"
        )
        assert at > planted, "found before it was planted"
        assert abs(error) <= ONSET_SECONDS[change["kind"]], f"{signal}: onset {error:+.0f} s"
        assert first["limit"] is None or change["after"] < first["limit"]
        assert _THRESHOLDS.get(signal, "response-time") not in self.alerts
        return finding


@pytest.fixture(scope="module")
def platform() -> Iterator[Project]:
    """A copy of the platform with a worker that leaks on request, and the compressed time scale."""
    with projects.platform() as project:
        with (project.root / "app" / "worker.py").open("a") as module:
            module.write(_LEAK)
        compress(project)
        print(f"times of detection are divided by {60 / BUCKET:g}: buckets of {BUCKET:g} s in place of 60 s")
        project.run("up", seconds=300)
        yield project


@pytest.fixture
def recording(platform: Project) -> Iterator[Recording]:
    """A new recording of the platform under load, after the baseline; its load is `load`."""
    shutil.rmtree(monitoring_folder(platform.state), ignore_errors=True)
    output = platform.run("dashboard", "--port", str(free_port()))
    found = Recording(output.split()[-1])
    try:
        yield found
    finally:
        platform.run("dashboard", "--stop")


@pytest.fixture
def load(platform: Project) -> Iterator[Load]:
    """The platform is warm: caches are filled, and pools are open."""
    found = Load(platform)
    with found.running():
        wait_for("the platform is warm", lambda: found.sent > sum(_RATES.values()) * 4 * BUCKET, 120)
        yield found
    print(f"{found.sent} requests, {found.failed} failed")


def compress(project: Project) -> None:
    """Divide the times of detection by 60 s / BUCKET."""
    path = project.root / "infra" / "observability" / "signals.yaml"
    detection = (
        "detection:\n"
        f"  scrape_seconds: {min(15.0, BUCKET)}\n"
        f"  examine_seconds: {3 * BUCKET}\n"
        f"  fire_seconds: {5 * BUCKET}\n"
        f"  recover_seconds: {2 * BUCKET}\n"
        f"  warm_up_seconds: {15 * BUCKET}\n"
        f"  scales: [{{window: {72 * BUCKET}, bucket: {BUCKET}}}]\n\n"
    )
    text, found = re.subn(r"(?ms)^detection:\n.*?^(?=objectives:)", detection, path.read_text())
    assert found == 1
    path.write_text(text.replace("[5m]", f"[{5 * BUCKET:.0f}s]"))


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
    """Processes that use the CPUs, and end by themselves."""
    program = (
        f"import time\nends = time.monotonic() + {PATIENCE_SECONDS}\nwhile time.monotonic() < ends: pass"
    )
    burners = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(_BURNERS)]
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
    recording.wait_until_found(slow)
    events = httpx.get(f"{recording.url}api/events", timeout=30).json()
    (deployed,) = [event for event in events if event["title"] == "api: new revision"]
    finding = recording.require(*slow, deployed["at"])
    assert "api: new revision" in [mover["title"] for mover in finding["movers"]]
    assert 0.015 < finding["change"]["after"] - finding["change"]["before"] < 0.06
