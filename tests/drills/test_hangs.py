"""Hang each dependency and compare what the service does with docs/failure-modes.md, through the edge.

A process stopped with SIGSTOP keeps its connections open and sends nothing, unlike a killed one. Requests go
through the edge and the gateway, so the probes that take pods out of rotation are part of the measurement.
Content that was requested and acknowledged during the hang must exist and be generated after it.
``make drills`` hangs each dependency for 30 seconds, ``make soak`` for 130; ``KINGDOM_HANG_SECONDS`` replaces
both. The output of each test has its row of the table in the document.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import pytest

from rehearsal.drills.faults import Platform, with_environment
from rehearsal.host.client import Machine
from rehearsal.host.desired_state import Desired
from tests.support.backends import Process, free_port
from tests.support.client import Ledger, is_serving
from tests.support.projects import Project, wait_for

SHORT_SECONDS = float(os.environ.get("KINGDOM_HANG_SECONDS", "30"))
LONG_SECONDS = float(os.environ.get("KINGDOM_HANG_SECONDS", "130"))
RECOVERY_SECONDS = 30.0
# Content that was requested during the hang is generated after it, by one worker.
BACKLOG_SECONDS = 120.0
MIN_GOOD_SHARE = 0.99
# All requests must succeed for this long after the recovery.
SETTLED_SECONDS = 5.0
# Between two writes that are recorded.
PAUSE_SECONDS = 2.0
ROLLOUT_SECONDS = 120.0
# A request may wait for time-outs until the breaker of its route is open.
SETTLING_SECONDS = 15.0
# The feed is served stale for 30 seconds; the last response was loaded up to a second before the hang.
FEED_STALE_SECONDS = 28.0
# The deadline of a request is 10 seconds.
MAX_SECONDS = 11.0

pytestmark = pytest.mark.timeout(LONG_SECONDS + 600)

SHORT_AND_LONG = pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(SHORT_SECONDS, id="short", marks=pytest.mark.drill),
        pytest.param(LONG_SECONDS, id="long", marks=pytest.mark.soak),
    ],
)


GENERATOR = "generator"
KINDS = ("feed", "catalog", "content", "account", "sign-in", "write", "image")


@dataclass(frozen=True)
class Promise:
    """The guarantees of docs/failure-modes.md for a hung dependency.

    Some kinds of requests are served throughout, others for the first :data:`FEED_STALE_SECONDS`.
    """

    served: tuple[str, ...]
    served_at_first: tuple[str, ...] = ()


PROMISES = {
    "redis/": Promise(served=KINDS),
    "storage": Promise(served=tuple(kind for kind in KINDS if kind != "image")),
    "mongodb/": Promise(served=("catalog", "content", "image"), served_at_first=("feed",)),
    GENERATOR: Promise(served=KINDS),
}


@dataclass
class Sample:
    """One request: its kind, when it was sent, its status (0 without a response), how long it took.

    ``refused`` is true for a 503 with ``Retry-After`` and problem details.
    """

    kind: str
    sent: float
    status: int
    seconds: float
    refused: bool = False
    text: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the request succeeded."""
        return 0 < self.status < 400


@dataclass
class Traffic:
    """Requests of every kind, sent continuously through the edge."""

    project: Project
    samples: list[Sample] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def send(self, kind: str, request: Callable[[httpx.Client], httpx.Response]) -> None:
        """Send one kind of request until :attr:`stopped`."""
        with self.project.client() as client:
            client.timeout = MAX_SECONDS + 4  # the service's own deadline of 10 s comes first
            while not self.stopped.is_set():
                began = time.monotonic()
                try:
                    response = request(client)
                    sample = Sample(kind, began, response.status_code, time.monotonic() - began)
                    if not sample.is_good:
                        sample.text = response.text[:120]
                        sample.refused = is_refusal(response)
                except httpx.HTTPError as error:
                    sample = Sample(kind, began, 0, time.monotonic() - began, text=type(error).__name__)
                self.samples.append(sample)
                self.stopped.wait(0.2)

    def sent(self, kind: str, since: float, until: float) -> list[Sample]:
        """Requests of a kind that were sent in that time; at least one."""
        found = [each for each in self.samples if each.kind == kind and since <= each.sent < until]
        assert found, f"no request of the kind {kind} was sent"
        return found

    def is_served(self, since: float) -> bool:
        """Whether the latest request of each kind was sent after ``since`` and succeeded."""
        latest = {each.kind: each for each in list(self.samples)}
        return all(each.sent >= since and each.is_good for each in latest.values())

    def share(self, kind: str, since: float, until: float) -> float:
        """Share of successful responses to requests of a kind that were sent in that time."""
        sent = self.sent(kind, since, until)
        return sum(each.is_good for each in sent) / len(sent)

    def report(self, since: float, until: float) -> str:
        """Share of good responses, and the most frequent others, by kind."""
        lines = []
        for kind in KINDS:
            sent = self.sent(kind, since, until)
            bad = Counter(f"{each.status} {each.text}" for each in sent if not each.is_good)
            slowest = max(each.seconds for each in sent)
            good = self.share(kind, since, until)
            lines.append(f"  {kind}: {good:.4f} of {len(sent)}, slowest {slowest:.1f} s {bad.most_common(2)}")
        return "\n".join(lines)


def is_refusal(response: httpx.Response) -> bool:
    """Whether the service refused the request as documented: problem details and the time to wait."""
    return (
        response.status_code == 503
        and response.headers.get("content-type") == "application/problem+json"
        and int(response.headers.get("retry-after", "0")) >= 1
    )


@contextmanager
def traffic(project: Project) -> Iterator[Traffic]:
    """Traffic of a user who is signed in and has published content with an image."""
    ledger = Ledger()
    with project.client() as client:
        account = ledger.sign_up(client)
        piece = ledger.create(client, account)
        wait_for("content is ready", lambda: ledger.read(client, account, piece)["state"] == "ready", 30)
        mine = {"authorization": f"Bearer {ledger.tokens[account]}"}
        assert client.put(f"/v1/contents/{piece}/publication", headers=mine).status_code == 200
    credentials = {"email": ledger.emails[account], "password": "correct horse battery"}
    kinds: dict[str, Callable[[httpx.Client], httpx.Response]] = {
        "feed": lambda client: client.get("/v1/feed"),
        "catalog": lambda client: client.get("/v1/products"),
        "content": lambda client: client.get(f"/v1/contents/{piece}", headers=mine),
        "account": lambda client: client.get("/v1/accounts/me", headers=mine),
        "sign-in": lambda client: client.post("/v1/sessions", json=credentials),
        "write": lambda client: client.put("/v1/accounts/me/profile", json={"name": "Ada"}, headers=mine),
        "image": lambda client: client.get(f"/v1/contents/{piece}/image", headers=mine),
    }
    running = Traffic(project)
    threads = [threading.Thread(target=running.send, args=each) for each in kinds.items()]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stopped.set()
        for thread in threads:
            thread.join()


@contextmanager
def acknowledged(project: Project) -> Iterator[Ledger]:
    """A client that signs up and requests content every few seconds, and records what was acknowledged."""
    ledger, enough = Ledger(), threading.Event()

    def write() -> None:
        with project.client() as client:
            while not enough.is_set():
                try:
                    ledger.create(client, ledger.sign_up(client))
                except httpx.HTTPError:
                    ledger.refused += 1
                enough.wait(PAUSE_SECONDS)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield ledger
    finally:
        enough.set()
        writer.join()


def require_acknowledged(project: Project, ledger: Ledger) -> float:
    """Require that all acknowledged content is generated; return the seconds until then."""
    with project.client() as client:
        seconds = wait_for("all is generated", lambda: ledger.are_made(client), BACKLOG_SECONDS)
        ledger.require_readable(client)
    return seconds


def processes_of(project: Project, prefix: str) -> list[psutil.Process]:
    """Every process whose name begins with ``prefix``, and its children."""
    leaders = [each.pid for each in project.status().processes if each.name.startswith(prefix) and each.pid]
    assert leaders, f"no process {prefix}"
    processes = [psutil.Process(pid) for pid in leaders]
    return processes + [child for each in processes for child in each.children(recursive=True)]


@contextmanager
def hung(*processes: psutil.Process) -> Iterator[None]:
    """Stop processes with SIGSTOP."""
    try:
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            if process.is_running():
                process.send_signal(signal.SIGCONT)


@contextmanager
def external_generator(project: Project) -> Iterator[psutil.Process]:
    """A text generator as a process of its own, which the workers use instead of the embedded one."""
    port = free_port()
    command = [sys.executable, "-m", "tests.support.text_generator", str(port)]
    process = Process(command, port, project.root / ".rehearsal" / "generator.log")
    machine = Machine.find(project.state)
    assert machine is not None
    workers = Platform(machine, random.Random(1)).deployment("worker")
    variables = {
        "KINGDOM_GENERATOR_URL": f"http://127.0.0.1:{port}/v1",
        "KINGDOM_GENERATOR_MODEL": "small",
    }
    process.start()
    try:
        apply(machine, workers, with_environment(workers, variables))
        yield psutil.Process(process.pid)
    finally:
        apply(machine, workers, workers.inputs)
        process.kill()


def apply(machine: Machine, desired: Desired, inputs: dict[str, Any]) -> None:
    """Roll out a revision of a Deployment."""
    machine.apply(desired.urn, desired.type, desired.id, inputs, timeout=ROLLOUT_SECONDS)


@contextmanager
def dependency(project: Project, name: str) -> Iterator[list[psutil.Process]]:
    """The processes of a dependency of :data:`PROMISES`."""
    if name == GENERATOR:
        with external_generator(project) as process:
            yield [process]
    else:
        yield processes_of(project, name)


@pytest.mark.parametrize("name", list(PROMISES))
@SHORT_AND_LONG
def test_a_hung_dependency_has_the_documented_effect_and_is_used_again(
    platform: Project, name: str, seconds: float
) -> None:
    promise = PROMISES[name]
    with dependency(platform, name) as processes:
        wait_for("the service works", lambda: is_serving(platform), RECOVERY_SECONDS)
        with traffic(platform) as running, acknowledged(platform) as ledger:
            wait_for(
                "every kind of request is sent", lambda: {each.kind for each in running.samples} == {*KINDS}
            )
            with hung(*processes):
                began = time.monotonic()
                running.stopped.wait(seconds)
                until = time.monotonic()
            wait_for("every kind is served", lambda: running.is_served(until), RECOVERY_SECONDS)
            left = RECOVERY_SECONDS - (time.monotonic() - until)
            wait_for("the service works again", lambda: is_serving(platform), left)
            recovered = time.monotonic()
            running.stopped.wait(SETTLED_SECONDS)
            ended = time.monotonic()
        backlog = require_acknowledged(platform, ledger)
    print(f"\n{name} hung for {until - began:.0f} s, recovered {recovered - until:.1f} s after")
    print(f"{len(ledger.pieces)} acknowledged, {ledger.refused} refused; all generated {backlog:.1f} s later")
    print(running.report(began, until))
    shares = (f"{running.share(kind, began, until):.2f}" for kind in KINDS)
    print(f"| {' | '.join((name, *shares, f'{recovered - until:.1f} s'))} |")
    for kind in promise.served:
        share = running.share(kind, began + SETTLING_SECONDS, until)
        assert share >= MIN_GOOD_SHARE, f"{kind}: {share:.4f}\n{running.report(began, until)}"
    for kind in promise.served_at_first:
        share = running.share(kind, began, min(until, began + FEED_STALE_SECONDS))
        assert share >= MIN_GOOD_SHARE, f"{kind}: {share:.4f}\n{running.report(began, until)}"
    for kind in KINDS:
        for each in running.sent(kind, began + SETTLING_SECONDS, until):
            assert each.is_good or each.refused, f"{kind}: {each.status} {each.text}"
        for each in running.sent(kind, recovered, ended):
            assert each.is_good, f"{kind} after the recovery: {each.status} {each.text}"
    assert max(each.seconds for each in running.samples) < MAX_SECONDS
