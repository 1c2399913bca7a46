"""Failures in combination, and hangs during uploads and open streams, through the edge.

Each compares the share of successful requests with what docs/failure-modes.md promises for the single
failures.
"""

from __future__ import annotations

import itertools
import json
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil
import pytest

from tests.drills.test_hangs import (
    KINDS,
    MIN_GOOD_SHARE,
    RECOVERY_SECONDS,
    SETTLING_SECONDS,
    acknowledged,
    external_generator,
    hung,
    is_refusal,
    processes_of,
    require_acknowledged,
    traffic,
)
from tests.support.client import Ledger, is_serving
from tests.support.projects import Project, wait_for
from tools.demo import gradient

pytestmark = pytest.mark.drill

SECONDS = 30.0
UPLOADERS = 6
STREAMS = 4  # of one account; at most 6 may be open
# A stream is closed by the service after 25 seconds; the gateway ends requests after 30.
STREAM_SECONDS = 30.0
# Three failures of a liveness probe, one every 10 seconds, then the start of the replacement.
RESTART_SECONDS = 90.0


@contextmanager
def slowed(*processes: psutil.Process) -> Iterator[None]:
    """Suspend processes for 200 of every 250 ms."""
    enough = threading.Event()

    def run() -> None:
        while not enough.is_set():
            for number, seconds in ((signal.SIGSTOP, 0.2), (signal.SIGCONT, 0.05)):
                for process in processes:
                    process.send_signal(number)
                enough.wait(seconds)
        for process in processes:
            process.send_signal(signal.SIGCONT)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def test_redis_hung_while_mongodb_is_slow_fails_no_kind_of_request(platform: Project) -> None:
    database = [
        psutil.Process(each.pid)
        for each in platform.status().processes
        if each.kind == "mongodb" and not each.name.endswith("/proxy") and each.pid
    ]
    wait_for("the service works", lambda: is_serving(platform), RECOVERY_SECONDS)
    with traffic(platform) as running, acknowledged(platform) as ledger:
        wait_for("all is sent", lambda: {each.kind for each in running.samples} == {*KINDS})
        with slowed(*database), hung(*processes_of(platform, "redis/")):
            began = time.monotonic()
            running.stopped.wait(SECONDS)
            until = time.monotonic()
        recovered = wait_for("every kind is served", lambda: running.is_served(until), RECOVERY_SECONDS)
    backlog = require_acknowledged(platform, ledger)
    print(f"\nrecovered {recovered:.1f} s after; {len(ledger.pieces)} generated {backlog:.1f} s later")
    print(running.report(began, until))
    for kind in KINDS:
        share = running.share(kind, began + SETTLING_SECONDS, until)
        assert share >= MIN_GOOD_SHARE, f"{kind}: {share:.4f}\n{running.report(began, until)}"


@dataclass
class Uploads:
    """Uploads that were acknowledged, and the responses to the others."""

    ids: list[tuple[str, str]] = field(default_factory=list)  # token, id
    refused: int = 0
    others: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def send(self, client: httpx.Client, token: str, number: int) -> None:
        """Upload an image that the account has not uploaded before, for which nothing would be stored."""
        image = gradient(16 + number % 100, 16 + number // 100)
        began = time.monotonic()
        headers = {"content-type": "image/png", "authorization": f"Bearer {token}"}
        try:
            response = client.post("/v1/uploads", content=image, headers=headers, timeout=20)
        except httpx.HTTPError as error:
            self.others.append(type(error).__name__)
            return
        self.slowest = max(self.slowest, time.monotonic() - began)
        if response.is_success:
            self.ids.append((token, response.json()["id"]))
        elif is_refusal(response):
            self.refused += 1
        else:
            self.others.append(f"{response.status_code} {response.text[:100]}")


def test_uploads_to_a_hung_storage_are_refused_and_acknowledged_ones_are_processed(
    platform: Project,
) -> None:
    wait_for("the service works", lambda: is_serving(platform), RECOVERY_SECONDS)
    users, uploads = Ledger(), Uploads()
    with platform.client() as client:
        tokens = [users.tokens[users.sign_up(client)] for _ in range(UPLOADERS)]
    enough = threading.Event()

    def upload(token: str) -> None:
        with platform.client() as client:
            for number in itertools.count():
                if enough.wait(0.5):
                    return
                uploads.send(client, token, number)

    with traffic(platform) as running, ThreadPoolExecutor(UPLOADERS) as threads:
        for token in tokens:
            threads.submit(upload, token)
        try:
            wait_for("uploads are acknowledged", lambda: len(uploads.ids) >= UPLOADERS)
            with hung(*processes_of(platform, "storage")):
                began = time.monotonic()
                running.stopped.wait(SECONDS)
                until = time.monotonic()
                during = len(uploads.ids)
            recovered = wait_for(
                "uploads are acknowledged again", lambda: len(uploads.ids) > during, RECOVERY_SECONDS
            )
        finally:
            enough.set()
    print(f"\n{during} acknowledged, {uploads.refused} refused, slowest {uploads.slowest:.1f} s")
    print(f"recovered {recovered:.1f} s after\n{running.report(began, until)}")
    assert uploads.others == [], uploads.others[:5]
    assert uploads.refused > 0
    for kind in KINDS:
        if kind != "image":
            share = running.share(kind, began + SETTLING_SECONDS, until)
            assert share >= MIN_GOOD_SHARE, f"{kind}: {share:.4f}\n{running.report(began, until)}"
    with platform.client() as client:
        for token, id_ in uploads.ids:
            wait_for(
                "an upload is processed",
                lambda token=token, id_=id_: state_of(client, token, id_) == "ready",
                RECOVERY_SECONDS,
            )


def state_of(client: httpx.Client, token: str, upload: str) -> str:
    """The state of an upload, read by its owner."""
    response = client.get(f"/v1/uploads/{upload}", headers={"authorization": f"Bearer {token}"})
    assert response.is_success, response.text
    return str(response.json()["state"])


@dataclass
class Events:
    """The events of a content item that a client received over several streams, and the problems."""

    names: list[str] = field(default_factory=list)
    streams: int = 0
    max_seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def follow(self, project: Project, path: str, token: str, enough: threading.Event) -> None:
        """Read the stream, and connect again as a browser does, until its final event."""
        last = ""
        with project.client() as client:
            while not enough.is_set() and not {"ready", "failed"} & {*self.names}:
                began = time.monotonic()
                headers = {"authorization": f"Bearer {token}"} | ({"last-event-id": last} if last else {})
                try:
                    with client.stream("GET", path, headers=headers, timeout=10) as response:
                        if response.status_code != 200:
                            response.read()
                            self.problems.append(f"{response.status_code} {response.text[:100]}")
                        for line in response.iter_lines():
                            if line.startswith("id: "):
                                last = line[4:]
                            elif line.startswith("event: "):
                                self.names.append(line[7:])
                            elif line.startswith("data: "):
                                json.loads(line[6:])
                except httpx.HTTPError as error:
                    self.problems.append(type(error).__name__)
                self.streams += 1
                self.max_seconds = max(self.max_seconds, time.monotonic() - began)
                enough.wait(1.0)


def test_streams_stay_open_while_the_generator_hangs_and_end_with_the_text(platform: Project) -> None:
    with external_generator(platform) as generator, ThreadPoolExecutor(STREAMS) as threads:
        wait_for("the service works", lambda: is_serving(platform), RECOVERY_SECONDS)
        ledger, enough = Ledger(), threading.Event()
        with platform.client() as client, traffic(platform) as running:
            account = ledger.sign_up(client)
            followed: list[Events] = []
            try:
                with hung(generator):
                    began = time.monotonic()
                    for _ in range(STREAMS):
                        path = f"/v1/contents/{ledger.create(client, account)}/events"
                        followed.append(Events())
                        threads.submit(followed[-1].follow, platform, path, ledger.tokens[account], enough)
                    running.stopped.wait(2 * SECONDS)
                    until = time.monotonic()
                wait_for(
                    "every stream has the final event",
                    lambda: all(each.names and each.names[-1] == "ready" for each in followed),
                    RECOVERY_SECONDS,
                )
                recovered = time.monotonic() - until
            finally:
                enough.set()
    print(f"\nevery stream ended {recovered:.1f} s after the hang\n{running.report(began, until)}")
    for events in followed:
        assert events.problems == [], "a stream is closed by its server, and never cut off"
        assert events.names.count("ready") == 1
        assert events.max_seconds < STREAM_SECONDS
        assert events.streams >= 2, "the client has connected again"
    for kind in KINDS:
        assert running.share(kind, began, until) >= MIN_GOOD_SHARE, running.report(began, until)


def test_a_hung_api_pod_is_left_out_and_restarted(platform: Project) -> None:
    """A pod that was stopped accepts connections in the kernel, so its requests wait instead of failing."""
    wait_for("every pod is ready", platform.is_healthy, RESTART_SECONDS)
    victim = next(each for each in platform.status().processes if each.kind == "pod" and "/api-" in each.name)
    assert victim.pid is not None
    with traffic(platform) as running, acknowledged(platform) as ledger:
        wait_for("all is sent", lambda: {each.kind for each in running.samples} == {*KINDS})
        with hung(psutil.Process(victim.pid)):
            began = time.monotonic()
            restarted = wait_for(
                "the pod is restarted",
                lambda: pid_of(platform, victim.name) not in {victim.pid, None},
                RESTART_SECONDS,
            )
        wait_for("every pod is ready", platform.is_healthy, RESTART_SECONDS)
        until = time.monotonic()
    require_acknowledged(platform, ledger)
    print(f"\nrestarted after {restarted:.1f} s, ready after {until - began:.1f} s")
    print(running.report(began, until))
    for kind in KINDS:
        share = running.share(kind, began + SETTLING_SECONDS, until)
        assert share >= MIN_GOOD_SHARE, f"{kind}: {share:.4f}\n{running.report(began, until)}"


def pid_of(project: Project, name: str) -> int | None:
    """The process id of a process by its name; ``None`` if it does not run."""
    return next((each.pid for each in project.status().processes if each.name == name), None)
