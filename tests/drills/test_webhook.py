"""The start and the end of an outage are sent to the webhook once each, as signed notices."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import psutil
import pytest

from app.ids import new_id
from rehearsal.monitoring.webhook import SECRET, SIGNATURE, TIMESTAMP, URL
from tests.support.backends import free_port
from tests.support.client import Ledger
from tests.support.projects import Project, wait_for

# Not part of `make drills`: its time limits require that no other drill runs at the same time.
pytestmark = pytest.mark.soak

KEY = "0123456789abcdef"
CLIENTS = 3
PAUSE_SECONDS = 0.2
# The deadline of a request is 10 seconds; after some, the circuit breaker of the route refuses at once.
MAX_SECONDS = 15.0
# A notice arrives after 10 to 40 s on a machine without other load.
NOTICE_SECONDS = 180.0


@dataclass
class Receiver:
    """A receiver of a webhook, with the notices and the problems of invalid requests."""

    port: int
    notices: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def alerts(self) -> dict[str, list[dict[str, Any]]]:
        """Return the notices about failing requests, by the id of the warning or critical alert."""
        found: dict[str, list[dict[str, Any]]] = {}
        for notice in list(self.notices):
            if notice["signal"] == "errors":
                found.setdefault(notice["id"], []).append(notice)
        return found

    def is_critical(self) -> bool:
        """Whether a critical alert of failing requests was received."""
        return any(first["severity"] == "critical" for first, *_ in self.alerts().values())

    def are_over(self) -> bool:
        """Whether every alert of failing requests has ended."""
        return all(notices[-1]["status"] == "resolved" for notices in self.alerts().values())

    def receive(self, timestamp: str, signature: str, body: bytes) -> None:
        expected = hmac.new(KEY.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        if signature != f"sha256={expected}" or abs(time.time() - float(timestamp)) > 60:
            self.wrong.append(f"{timestamp} {signature}")
        self.notices.append(json.loads(body))


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on loopback."""
    found = Receiver(free_port())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.receive(self.headers[TIMESTAMP], self.headers[SIGNATURE], body)
            self.send_response(204)
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", found.port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def quick_alerts(project: Project) -> Iterator[None]:
    """Scrape every two seconds, alert after six, and use rates of 20 s in place of five minutes."""
    path = project.root / "infra" / "observability" / "signals.yaml"
    before = path.read_text()
    text = before.replace("[5m]", "[20s]")
    for name, seconds in (("scrape_seconds", 2), ("fire_seconds", 6), ("recover_seconds", 6)):
        text, found = re.subn(rf"(?m)^  {name}: \d+$", f"  {name}: {seconds}", text)
        assert found == 1, name
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)


@contextmanager
def requests(project: Project) -> Iterator[None]:
    """Send reads of items that do not exist, which no cache has."""
    enough, ledger = threading.Event(), Ledger()
    with project.client() as client:
        token = ledger.tokens[ledger.sign_up(client)]

    def send() -> None:
        with project.client() as client:
            client.timeout = MAX_SECONDS
            while not enough.wait(PAUSE_SECONDS):
                with suppress(httpx.HTTPError):
                    client.get(f"/v1/contents/{new_id()}", headers={"authorization": f"Bearer {token}"})

    threads = [threading.Thread(target=send) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def test_an_outage_is_one_notice_and_its_end_another(
    platform: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = next(
        psutil.Process(process.pid)
        for process in platform.status().processes
        if process.kind == "mongodb" and not process.name.endswith("/proxy")
    )
    with receiving() as receiver, quick_alerts(platform), requests(platform):
        monkeypatch.setenv(URL, f"http://127.0.0.1:{receiver.port}/alerts")
        monkeypatch.setenv(SECRET, KEY)
        platform.run("dashboard", "--stop")
        url = platform.run("dashboard", "--port", str(free_port())).split()[-1]
        try:
            wait_for(
                "requests are recorded",
                lambda: any(
                    item["title"] == "Requests" and (item["value"] or 0) > 0
                    for item in httpx.get(f"{url}api/overview", timeout=30).json()["numbers"]
                ),
                NOTICE_SECONDS,
            )
            assert receiver.alerts() == {}
            database.suspend()
            try:
                wait_for("the alert", receiver.is_critical, NOTICE_SECONDS)
            finally:
                database.resume()
            wait_for("the recovery", receiver.are_over, NOTICE_SECONDS)
            shown = httpx.get(f"{url}api/overview", timeout=30).json()["alerts"]
            assert [alert for alert in shown if alert["signal"] == "errors"] == []
        finally:
            platform.run("dashboard", "--stop")
    for first, second in receiver.alerts().values():
        assert (first["status"], second["status"]) == ("firing", "resolved")
        assert (first["stack"], first["requirement"]) == ("local", "ALR4")
        assert first["since"] < second["recovered"]
    assert receiver.wrong == []
    # Each notice of any signal was sent once.
    sent = [(notice["id"], notice["status"]) for notice in receiver.notices]
    assert len(sent) == len(set(sent)), sent
