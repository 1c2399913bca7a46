"""Random faults for ten minutes, under clients whose operations are recorded; then the history is checked:

- no acknowledged write is lost, and everything acknowledged ends as ready or failed;
- one effect for each idempotency key, however often its request was sent;
- no read is older than the bound that ``app.cache.cache`` states.

``KINGDOM_SOAK_SECONDS`` makes it shorter, ``KINGDOM_SOAK_SEED`` repeats the faults of a run.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import uuid4

import httpx
import pytest

from tests.app.conftest import Person, sign_up
from tests.support import backends
from tests.support.backends import ROOT, Platform, Process, wait_for

SECONDS = float(os.environ.get("KINGDOM_SOAK_SECONDS", "600"))
SEED = int(os.environ.get("KINGDOM_SOAK_SEED", str(random.randrange(1_000_000))))
WRITERS = 3
# A pod that receives no messages trusts its cache for 2 s; a publication that hangs is repeated 2 s later.
STALE_SECONDS = 5.0
PATIENCE_SECONDS = 120.0
CENTS = 100
_PAYMENT_ATTEMPTS = 240  # at least two minutes, longer than any fault and the recovery after it

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SECONDS + 600)]


@dataclass
class Cluster:
    """The platform with a second api pod, so that caches of different pods can disagree."""

    platform: Platform
    second: Process

    @property
    def urls(self) -> tuple[str, str]:
        return self.platform.url, f"http://127.0.0.1:{self.second.port}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    platform = backends.platform(tmp_path_factory.mktemp("history"))
    second = backends.pod("api", platform.folder, platform.settings)
    try:
        second.start()
        platform.wait_until_ready(second)
        yield Cluster(platform, second)
    finally:
        second.kill()
        backends.end(platform)


@dataclass
class Write:
    """A write of version ``number`` of the name; ``ended`` is set when it was acknowledged."""

    number: int
    began: float
    ended: float | None = None


@dataclass
class Read:
    """A read of the name from one pod: its start time, and the version it returned."""

    pod: int
    number: int
    began: float


@dataclass
class History:
    """Recorded operations of one account and their results."""

    names: list[Write] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    pieces: dict[str, str] = field(default_factory=dict)  # acknowledged: id by idempotency key
    sent: set[str] = field(default_factory=set)  # every key that was ever sent
    paid: set[str] = field(default_factory=set)  # keys of payments that were acknowledged
    refused: int = 0


class Client:
    """One account, used by one thread. Requests without a response are sent again with their key."""

    def __init__(self, cluster: Cluster, person: Person, administrator: Person, seed: int) -> None:
        self.history = History()
        self.person = person
        self._administrator = administrator.client.headers["authorization"]
        self._random = random.Random(seed)
        self._clients = [
            httpx.Client(base_url=url, timeout=15, headers=person.client.headers) for url in cluster.urls
        ]

    def close(self) -> None:
        for client in (*self._clients, self.person.client):
            client.close()

    def work(self, enough: threading.Event) -> None:
        """Operations until ``enough`` is set, the last one completed."""
        while not enough.is_set():
            operation = self._random.choice((self._rename, self._read, self._read, self._create, self._pay))
            operation(enough)
            enough.wait(0.02)

    def _send(self, method: str, path: str, **options: object) -> httpx.Response | None:
        try:
            response = self._random.choice(self._clients).request(method, path, **options)  # type: ignore[arg-type]
        except httpx.HTTPError:
            response = None
        if response is None or response.status_code >= 500 or response.status_code == 429:
            self.history.refused += 1
            return None
        return response

    def _rename(self, enough: threading.Event) -> None:
        write = Write(len(self.history.names) + 1, time.monotonic())
        self.history.names.append(write)
        # One attempt: an outcome that stays unknown is part of the history.
        response = self._send("PUT", "/v1/accounts/me/profile", json={"name": f"v{write.number}"})
        if response is not None:
            assert response.status_code == 200, response.text
            write.ended = time.monotonic()

    def _read(self, enough: threading.Event) -> None:
        pod = self._random.randrange(2)
        began = time.monotonic()
        try:
            response = self._clients[pod].get("/v1/accounts/me")
        except httpx.HTTPError:
            return
        if response.status_code == 200:
            name = response.json()["name"]
            self.history.reads.append(Read(pod, int(name[1:]) if name.startswith("v") else 0, began))

    def _create(self, enough: threading.Event) -> None:
        if len(self.history.pieces) >= 150:
            return
        key = uuid4().hex
        self.history.sent.add(key)
        headers = {"idempotency-key": key}
        for _ in range(8):
            response = self._send("POST", "/v1/contents", json={"prompt": f"soak {key}"}, headers=headers)
            if response is not None:
                if response.status_code == 202:
                    self.history.pieces[key] = response.json()["id"]
                else:  # the quota of concurrent generations is exhausted
                    assert response.json()["type"].endswith("#quota-exceeded"), response.text
                    self.history.sent.discard(key)
                return
            if enough.wait(0.5):
                return

    def _pay(self, enough: threading.Event) -> None:
        key = uuid4().hex
        headers = {"idempotency-key": key, "authorization": self._administrator}
        path = f"/v1/accounts/{self.person.account['id']}/payments"
        # Until it is acknowledged, through any outage: then it counts exactly once.
        for _ in range(_PAYMENT_ATTEMPTS):
            response = self._send("POST", path, json={"amount": CENTS}, headers=headers)
            if response is not None:
                assert response.status_code == 201, response.text
                self.history.paid.add(key)
                return
            time.sleep(0.5)
        raise AssertionError(f"the payment {key} was not acknowledged in {_PAYMENT_ATTEMPTS} attempts")


class Faults:
    """Stops, suspends and kills one process at a time, and restarts it."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        platform = cluster.platform
        self._processes = {
            "redis": platform.redis,
            "mongodb": platform.mongodb,
            "storage": platform.storage,
            "worker": platform.worker,
            "api": cluster.second,
        }
        self._random = random.Random(seed)
        self._began = time.monotonic()
        self.log: list[str] = []

    def run(self, seconds: float) -> None:
        """Faults for ``seconds``; at the end every process runs."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self._random.uniform(2, 6))
            name = self._random.choice(list(self._processes))
            length = self._random.choice((0.5, 3.0, 8.0, 15.0))
            process = self._processes[name]
            if self._random.random() < 0.6:
                self._log(f"{name} frozen for {length:g} s")
                process.signal(signal.SIGSTOP)
                time.sleep(length)
                process.signal(signal.SIGCONT)
            else:
                self._log(f"{name} killed for {length:g} s")
                process.kill()
                time.sleep(length)
                process.start()

    def _log(self, fault: str) -> None:
        self.log.append(f"{time.monotonic() - self._began:.0f} s: {fault}")


def grant(cluster: Cluster, person: Person, role: str) -> None:
    command = [sys.executable, "-m", "app", "grant", person.email, role]
    subprocess.run(command, cwd=ROOT, env=cluster.platform.settings, check=True, capture_output=True)
    person.sign_in()


def stale(history: History) -> list[str]:
    """Describe reads of values older than STALE_SECONDS, and reads of values that no write produced."""
    acknowledged = [(write.ended, write.number) for write in history.names if write.ended is not None]
    found = []
    for read in history.reads:
        # A write that was acknowledged that long before the read is seen, or a later one.
        seen = max(
            (number for ended, number in acknowledged if ended < read.began - STALE_SECONDS), default=0
        )
        # A write of unknown outcome may take effect late, over a later one: it counts as that late.
        late = any(
            write.ended is None and write.number == read.number and write.began < read.began
            for write in history.names
        )
        if read.number < seen and not late:
            found.append(f"pod {read.pod} returned version {read.number} when {seen} was settled")
        if read.number > len(history.names):
            found.append(f"pod {read.pod} returned version {read.number}, which was never written")
    return found


def test_the_history_of_ten_minutes_of_faults(cluster: Cluster) -> None:
    print(f"KINGDOM_SOAK_SEED={SEED}")
    administrator = sign_up(cluster.platform.url)
    grant(cluster, administrator, "administrator")
    users = [sign_up(cluster.platform.url) for _ in range(WRITERS)]
    clients = [Client(cluster, person, administrator, SEED + at) for at, person in enumerate(users)]
    faults, enough = Faults(cluster, SEED), threading.Event()
    with ThreadPoolExecutor(WRITERS) as threads:
        working = [threads.submit(client.work, enough) for client in clients]
        try:
            faults.run(SECONDS)
            cluster.platform.wait_until_ready(cluster.platform.api, cluster.second, cluster.platform.worker)
        finally:
            enough.set()
            print(*faults.log, sep="\n")
        for each in working:
            each.result()
    reads = sum(len(client.history.reads) for client in clients)
    writes = sum(
        len(client.history.names) + len(client.history.sent) + len(client.history.paid) for client in clients
    )
    refused = sum(client.history.refused for client in clients)
    print(f"{len(faults.log)} faults, {writes} writes, {reads} reads, {refused} refused or cut off")
    assert faults.log
    assert reads > 50
    for client in clients:
        check(cluster, client)
        client.close()
    administrator.client.close()


def check(cluster: Cluster, client: Client) -> None:
    """The invariants of one account, read through both pods."""
    history, person = client.history, client.person
    assert stale(history) == []
    for url in cluster.urls:
        with httpx.Client(base_url=url, timeout=20) as fresh:
            credentials = {"email": person.email, "password": person.password}
            token = fresh.post("/v1/sessions", json=credentials).json()["token"]
            fresh.headers["authorization"] = f"Bearer {token}"
            wait_for(
                "every payment has one effect",
                lambda: fresh.get("/v1/accounts/me").json()["balance"] == CENTS * len(history.paid),
                STALE_SECONDS,
            )
            account = fresh.get("/v1/accounts/me").json()
            acknowledged = [write.number for write in history.names if write.ended is not None]
            unknown = [write.number for write in history.names if write.ended is None]
            assert int(account["name"].removeprefix("v")) in {*acknowledged[-1:], *unknown}
            for piece in history.pieces.values():
                wait_for("acknowledged work ends", lambda piece=piece: ended(fresh, piece), PATIENCE_SECONDS)
            prompts = [item["prompt"] for item in listed(fresh)]
            assert len(prompts) == len(set(prompts)), "one effect for each key"
            for key in history.pieces:
                assert f"soak {key}" in prompts, "an acknowledged write is lost"
            assert set(prompts) <= {f"soak {key}" for key in history.sent}


def ended(client: httpx.Client, piece: str) -> bool:
    response = client.get(f"/v1/contents/{piece}")
    return response.status_code == 200 and response.json()["state"] in {"ready", "failed"}


def listed(client: httpx.Client) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    path = "/v1/contents?limit=100"
    while True:
        page = client.get(path).json()
        found += page["items"]
        if not page.get("next"):
            return found
        path = f"/v1/contents?limit=100&cursor={page['next']}"
