"""Stale reads at every api pod's own port, compared with the cache guarantees of docs/failure-modes.md.

One client renames an account through one pod while another publishes and withdraws content through another.
Redis is available, suspended during the writes, full of keys without a lifetime, or evicting.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from tests.drills.test_hangs import RECOVERY_SECONDS, hung, processes_of
from tests.support.client import Ledger, is_serving
from tests.support.projects import Project, wait_for

pytestmark = pytest.mark.drill

SECONDS = 20.0
# A read waits for Redis until its time-out, and a busy machine delivers a message or a response late.
SLACK_SECONDS = 1.0
# A pod that receives no messages trusts its caches for this long.
BLIND_SECONDS = 2.0
# If Redis has evicted its registration, a pod receives no message about the values that it holds.
HELD_SECONDS = 5.0
# After Redis has resumed, a pod that wrote meanwhile publishes its invalidations.
PUBLISH_SECONDS = 2.0
SUSPENDED_SECONDS = 4.0
_PENDING = "pending"


@dataclass
class Register:
    """A value with one writer, that every pod can read.

    ``versions`` has each value with the time at which its write was acknowledged, the initial value first.
    """

    name: str
    write: Callable[[httpx.Client, int], str | None]
    read: Callable[[httpx.Client], str | None]
    versions: list[tuple[str | None, float]]
    reads: int = 0
    oldest: float = 0.0
    problems: list[str] = field(default_factory=list)

    def keep_writing(self, clients: Sequence[httpx.Client], enough: threading.Event) -> None:
        """Write through one pod, which serves the new value at once; if it ends, through another."""
        number = 0
        others = iter(clients)
        client: httpx.Client | None = next(others)
        while client is not None and not enough.is_set():
            number += 1
            # Readers may see the value before the write is acknowledged.
            self.versions.append((_PENDING, float("inf")))
            try:
                value = self.write(client, number)
                self.versions[-1] = value, time.monotonic()
                read = self.read(client)
                if read != value:
                    self.problems.append(f"{self.name}: the pod that wrote {value} returned {read}")
            except httpx.ConnectError as error:
                # The autoscaler has removed the pod, which did not get this write.
                if self.versions[-1][0] == _PENDING:
                    self.versions.pop()
                client = next(others, None)
                if client is None:
                    self.problems.append(f"{self.name}: no pod accepts connections: {error}")
            except httpx.HTTPError as error:
                self.problems.append(f"{self.name}: write {type(error).__name__}: {error}")
                return
            enough.wait(0.1)

    def keep_reading(
        self, client: httpx.Client, enough: threading.Event, bound: Callable[[float], float]
    ) -> None:
        """Read from one pod; no value may have been replaced longer ago than ``bound`` of the time."""
        while not enough.wait(0.02):
            began = time.monotonic()
            try:
                value = self.read(client)
            except httpx.HTTPError:
                continue
            self.reads += 1
            age = self.age(value, began)
            self.oldest = max(self.oldest, age)
            if age > bound(began):
                self.problems.append(f"{self.name}: {client.base_url} returned {value}, {age:.1f} s old")

    def age(self, value: str | None, began: float) -> float:
        """Return for how many seconds the value had been replaced when the read began."""
        versions = list(self.versions)
        replaced = [following[1] for each, following in itertools.pairwise(versions) if each[0] == value]
        if versions[-1][0] == value or not replaced:  # the latest, or of a write that is in flight
            return 0.0
        return max(0.0, began - max(replaced))


def api_pods(platform: Project) -> list[str]:
    """The addresses of the api pods, bypassing edge and gateway."""
    found = [each for each in platform.status().processes if each.kind == "pod" and "/api-" in each.name]
    return [f"http://127.0.0.1:{each.port}" for each in found if each.ready]


def redis_of(platform: Project) -> Redis:
    """An administrative client of the platform's Redis, with the password that its pods have."""
    processes = platform.status().processes
    pod = next(each for each in processes if each.kind == "pod" and "/api-" in each.name and each.pid)
    environment = psutil.Process(pod.pid).environ()
    password = (Path(environment["KINGDOM_SECRETS_DIR"]) / "redis-auth").read_text().strip()
    server = next(each for each in processes if each.kind == "redis")
    assert server.port is not None
    return Redis(port=server.port, password=password)


@contextmanager
def full(platform: Project, *, evictable: bool) -> Iterator[None]:
    """A Redis without free memory; with ``evictable`` it evicts keys with a lifetime all the time."""
    enough = threading.Event()
    with redis_of(platform) as redis:
        before = redis.config_get("maxmemory")["maxmemory"] or "0"
        redis.config_set("maxmemory", redis.info("memory")["used_memory"] + 4 * 1024 * 1024)

        def churn() -> None:
            while not enough.wait(0.002):
                with suppress(OutOfMemoryError):
                    redis.set(f"drill:evictable:{time.monotonic_ns()}", b"x" * 20_000, ex=600)

        churning = threading.Thread(target=churn)
        try:
            with suppress(OutOfMemoryError):
                for number in itertools.count():
                    redis.set(f"drill:{number}", b"x" * 10_000)
            if evictable:
                for number in range(100):
                    redis.delete(f"drill:{number}")
                churning.start()
            yield
        finally:
            enough.set()
            if evictable:
                churning.join()
            redis.config_set("maxmemory", before)
            for key in redis.scan_iter("drill:*", count=1000):
                redis.delete(key)


@contextmanager
def registers(platform: Project) -> Iterator[list[Register]]:
    """The name of an account, and the publication of its content as its owner and as the public see it."""
    ledger = Ledger()
    with platform.client() as client:
        account = ledger.sign_up(client)
        piece = ledger.create(client, account)
        wait_for("content is ready", lambda: ledger.read(client, account, piece)["state"] == "ready", 30)
    mine = {"authorization": f"Bearer {ledger.tokens[account]}"}

    def checked(response: httpx.Response, *others: int) -> httpx.Response:
        if response.status_code not in {200, 204, *others}:
            raise httpx.HTTPStatusError(response.text, request=response.request, response=response)
        return response

    def rename(client: httpx.Client, number: int) -> str:
        body = {"name": f"v{number}"}
        return str(checked(client.put("/v1/accounts/me/profile", json=body, headers=mine)).json()["name"])

    def name(client: httpx.Client) -> str:
        return str(checked(client.get("/v1/accounts/me", headers=mine)).json()["name"])

    def publish(client: httpx.Client, number: int) -> str | None:
        path = f"/v1/contents/{piece}/publication"
        if number % 2 == 0:
            checked(client.delete(path, headers=mine))
            return None
        return str(checked(client.put(path, headers=mine)).json()["published_at"])

    def published(client: httpx.Client) -> str | None:
        return checked(client.get(f"/v1/contents/{piece}", headers=mine)).json().get("published_at")

    yield [
        Register("name", rename, name, [("Ada", 0.0)]),
        Register("publication", publish, published, [(None, 0.0)]),
    ]


@dataclass
class Suspensions:
    """The times at which Redis was resumed, and the bound on stale values that follows from them."""

    ended: list[float] = field(default_factory=list)

    def bound(self, began: float) -> float:
        """Return the bound for a read that has ended: a higher one for a moment after Redis has resumed.

        A read that waited for Redis when it resumed may have received the value from before the invalidation.
        """
        now = time.monotonic()
        after = any(end <= now and began < end + PUBLISH_SECONDS for end in list(self.ended))
        return SUSPENDED_SECONDS + PUBLISH_SECONDS if after else BLIND_SECONDS + SLACK_SECONDS


def require_bounded(
    platform: Project, bound: Callable[[float], float], during: Callable[[], None]
) -> dict[str, float]:
    """Write and read at every pod while ``during`` runs; return the age of the oldest read of each value."""
    wait_for("the service works", lambda: is_serving(platform), RECOVERY_SECONDS)
    urls = api_pods(platform)
    assert len(urls) >= 2, urls
    enough = threading.Event()
    with registers(platform) as values, ExitStack() as stack:
        threads: list[threading.Thread] = []

        def client(url: str) -> httpx.Client:
            return stack.enter_context(httpx.Client(base_url=url, timeout=15))

        for at, value in enumerate(values):
            first = at % len(urls)
            writers = [client(url) for url in (*urls[first:], *urls[:first])]
            threads.append(threading.Thread(target=value.keep_writing, args=(writers, enough)))
            for url in urls:
                arguments = (client(url), enough, bound)
                threads.append(threading.Thread(target=value.keep_reading, args=arguments))
        for thread in threads:
            thread.start()
        try:
            during()
        finally:
            enough.set()
            for thread in threads:
                thread.join()
    for value in values:
        writes = len(value.versions)
        print(f"\n{value.name}: {writes} writes, {value.reads} reads, {value.oldest:.2f} s old at most")
        assert value.problems == [], value.problems[:5]
        assert writes > 10
        assert value.reads > 100
    return {value.name: value.oldest for value in values}


def test_no_pod_serves_a_replaced_value_while_redis_is_available(platform: Project) -> None:
    require_bounded(platform, lambda began: SLACK_SECONDS, lambda: time.sleep(SECONDS))


def test_no_pod_serves_a_value_beyond_the_bound_while_redis_is_suspended_during_writes(
    platform: Project,
) -> None:
    suspensions = Suspensions()

    def suspend() -> None:
        ends = time.monotonic() + 2 * SECONDS
        while time.monotonic() < ends:
            with hung(*processes_of(platform, "redis/")):
                time.sleep(SUSPENDED_SECONDS)
                suspensions.ended.append(time.monotonic())
            time.sleep(SUSPENDED_SECONDS)

    require_bounded(platform, suspensions.bound, suspend)


def test_no_pod_serves_a_value_beyond_the_bound_while_redis_is_full(platform: Project) -> None:
    def fill() -> None:
        with full(platform, evictable=False):
            time.sleep(SECONDS)

    oldest = require_bounded(platform, lambda began: HELD_SECONDS + SLACK_SECONDS, fill)
    assert oldest["name"] < SLACK_SECONDS, "accounts are not held in the memory of pods"
    wait_for("the service works again", lambda: is_serving(platform), RECOVERY_SECONDS)


def test_no_pod_serves_a_value_beyond_the_bound_while_redis_evicts(platform: Project) -> None:
    def evict() -> None:
        with full(platform, evictable=True):
            time.sleep(SECONDS)

    require_bounded(platform, lambda began: HELD_SECONDS + SLACK_SECONDS, evict)
