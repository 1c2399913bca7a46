"""Every dependency hung for longer than two minutes: what docs/failure-modes.md promises, through the edge.

A hang is not a death: connections stay open and nothing answers. Requests go through the edge and the
gateway, so the probes that take pods out of rotation are part of what is observed. ``KINGDOM_HANG_SECONDS``
makes a hang shorter, to try it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil
import pytest

from tests.support.client import Ledger, is_serving
from tests.support.projects import Project, wait_for

SECONDS = float(os.environ.get("KINGDOM_HANG_SECONDS", "130"))
BACK_SECONDS = 30.0
GOOD_SHARE = 0.99
# The first requests of each kind may wait for time-outs before a breaker opens.
SETTLING_SECONDS = 15.0

# Minutes per dependency: run by hand with the soak.
pytestmark = [pytest.mark.soak, pytest.mark.timeout(4 * SECONDS + 300)]


@dataclass
class Sample:
    """One request: its kind, when it was sent, its status (0 without an answer) and how long it took."""

    kind: str
    sent: float
    status: int
    seconds: float
    text: str = ""


@dataclass
class Traffic:
    """Requests of every kind, sent continuously through the edge."""

    project: Project
    samples: list[Sample] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def send(self, kind: str, request: Callable[[httpx.Client], httpx.Response]) -> None:
        """Send one kind of request until it is enough."""
        with self.project.client() as client:
            while not self.enough.is_set():
                began = time.monotonic()
                try:
                    answer = request(client)
                    sample = Sample(kind, began, answer.status_code, time.monotonic() - began)
                    if answer.status_code >= 500:
                        sample.text = answer.text[:120]
                except httpx.HTTPError as error:
                    sample = Sample(kind, began, 0, time.monotonic() - began, type(error).__name__)
                self.samples.append(sample)
                self.enough.wait(0.2)

    def share(self, kind: str, since: float, until: float) -> float:
        """Share of good answers (below 500) to requests of a kind that were sent in that time."""
        sent = [each for each in self.samples if each.kind == kind and since <= each.sent < until]
        assert sent, f"no request of the kind {kind} was sent"
        return sum(0 < each.status < 500 for each in sent) / len(sent)

    def report(self, since: float, until: float) -> str:
        """Share of good answers, and what else was answered, by kind."""
        lines = []
        for kind in sorted({each.kind for each in self.samples}):
            sent = [each for each in self.samples if each.kind == kind and since <= each.sent < until]
            bad = Counter(f"{each.status} {each.text}" for each in sent if not 0 < each.status < 500)
            slowest = max((each.seconds for each in sent), default=0.0)
            good = self.share(kind, since, until)
            lines.append(f"  {kind}: {good:.4f} of {len(sent)}, slowest {slowest:.1f} s {bad.most_common(2)}")
        return "\n".join(lines)


@contextmanager
def traffic(project: Project) -> Iterator[Traffic]:
    """Traffic of somebody who is signed in and has content and an image."""
    ledger = Ledger()
    with project.client() as client:
        account = ledger.sign_up(client)
        piece = ledger.create(client, account)
        wait_for("made", lambda: ledger.read(client, account, piece)["state"] == "ready", 30)
        mine = {"authorization": f"Bearer {ledger.tokens[account]}"}
        assert client.put(f"/v1/contents/{piece}/publication", headers=mine).status_code == 200
    credentials = {"email": ledger.emails[account], "password": "correct horse battery"}
    kinds: dict[str, Callable[[httpx.Client], httpx.Response]] = {
        "feed": lambda client: client.get("/v1/feed"),
        "catalogue": lambda client: client.get("/v1/products"),
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
        running.enough.set()
        for thread in threads:
            thread.join()


@contextmanager
def hung(project: Project, prefix: str) -> Iterator[None]:
    """Every process whose name begins so, and its children, stopped with SIGSTOP."""
    leaders = [each.pid for each in project.status().processes if each.name.startswith(prefix) and each.pid]
    assert leaders, f"no process {prefix}"
    processes = [psutil.Process(pid) for pid in leaders]
    processes += [child for each in processes for child in each.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            if process.is_running():
                process.send_signal(signal.SIGCONT)


EVERYTHING = ("feed", "catalogue", "content", "account", "sign-in", "write", "image")


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("redis/", EVERYTHING),
        ("storage", tuple(kind for kind in EVERYTHING if kind != "image")),
        ("mongodb/", ()),
    ],
)
def test_a_hung_dependency_costs_what_is_promised_and_is_used_again(
    platform: Project, name: str, good: tuple[str, ...]
) -> None:
    wait_for("the service works", lambda: is_serving(platform), BACK_SECONDS)
    with traffic(platform) as running:
        wait_for("traffic", lambda: len(running.samples) > 30)
        with hung(platform, name):
            began = time.monotonic()
            running.enough.wait(SECONDS)
            until = time.monotonic()
        seconds = wait_for("the service works again", lambda: is_serving(platform), BACK_SECONDS)
    print(f"\n{name} hung for {until - began:.0f} s, recovered {seconds:.1f} s after")
    print(running.report(began, until))
    for kind in good:
        share = running.share(kind, began + SETTLING_SECONDS, until)
        assert share >= GOOD_SHARE, f"{kind}: {share:.4f}\n{running.report(began, until)}"
    # What cannot be served is refused in time: nobody waits longer than a request may take.
    assert max(each.seconds for each in running.samples) < 11.0
