"""The platform of one machine under a load, recorded and examined at a compressed time scale.

Buckets of ``KINGDOM_BUCKET_SECONDS`` (5) stand for buckets of a minute, and every other time of detection is
divided in proportion. With 60 the times are those of ``signals.yaml``.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from app.ids import new_id
from rehearsal.monitoring.annotations import monitoring_folder
from tests.support.backends import free_port
from tests.support.client import Ledger
from tests.support.projects import Project, wait_for

BUCKET: Final = float(os.environ.get("KINGDOM_BUCKET_SECONDS", "5"))
PATIENCE_SECONDS: Final = 48 * BUCKET
# The tolerance of findings for events near an onset is three buckets; trends begin slowly.
ONSET_SECONDS: Final = {"shift": 3 * BUCKET, "trend": 6 * BUCKET}
RATES: Final = {"item": 4.0, "list": 2.0, "feed": 2.0}  # requests a second
_ITEMS: Final = 5
# The signal with a threshold that a degradation of another signal would cross.
_THRESHOLDS: Final = {"memory-by-role": "memory"}


@dataclass
class Load:
    """Clients that send requests at `RATES` times `level()`.

    `unknown` returns the share of the reads that are of absent items.
    """

    project: Project
    level: Callable[[], float] = lambda: 1.0
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
        threads = [threading.Thread(target=self._send, args=(kind, rate)) for kind, rate in RATES.items()]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._enough.set()
            for thread in threads:
                thread.join()

    def read_seconds(self) -> float:
        """Return the time of one read of an item by its account, in seconds."""
        with self.project.client() as client:
            client.get("/livez")  # opens the connection
            start = time.perf_counter()
            self._request(client, f"/v1/contents/{self.ledger.pieces[0][1]}")
            return time.perf_counter() - start

    def _send(self, kind: str, rate: float) -> None:
        due, number, owed = time.monotonic(), 0, 0.0
        with self.project.client() as client:
            while not self._enough.wait(max(0.0, due - time.monotonic())):
                due, number = due + 1 / (rate * self.level()), number + 1
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


@contextmanager
def recorded(project: Project) -> Iterator[Recording]:
    """Record a platform that is up during the block, without what was recorded before."""
    shutil.rmtree(monitoring_folder(project.state), ignore_errors=True)
    output = project.run("dashboard", "--port", str(free_port()))
    try:
        yield Recording(output.split()[-1])
    finally:
        project.run("dashboard", "--stop")


def compress(project: Project, scales: Sequence[tuple[int, int]]) -> None:
    """Divide the times of detection by 60 s / BUCKET; `scales` are windows and their buckets, in buckets."""
    path = project.root / "infra" / "observability" / "signals.yaml"
    windows = ", ".join(
        f"{{window: {window * BUCKET}, bucket: {bucket * BUCKET}}}" for window, bucket in scales
    )
    detection = (
        "detection:\n"
        f"  scrape_seconds: {max(1.0, BUCKET / 4)}\n"
        f"  examine_seconds: {5 * BUCKET}\n"
        f"  fire_seconds: {5 * BUCKET}\n"
        f"  recover_seconds: {2 * BUCKET}\n"
        f"  warm_up_seconds: {15 * BUCKET}\n"
        f"  scales: [{windows}]\n\n"
    )
    text, found = re.subn(r"(?ms)^detection:\n.*?^(?=objectives:)", detection, path.read_text())
    assert found == 1
    path.write_text(text.replace("[5m]", f"[{5 * BUCKET:.0f}s]"))
