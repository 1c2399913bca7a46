from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis import RedisError
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from app.connections import Database, open_mongodb, open_redis
from app.settings import MongoAuth, MongoSettings, RedisSettings
from tests.support import backends
from tests.support.backends import Platform, Process


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform, shared by the tests that do not change its processes."""
    shared = backends.platform(tmp_path_factory.mktemp("platform"))
    try:
        yield shared
    finally:
        backends.end(shared)


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A separate Redis process; some tests kill and restart it."""
    process = backends.redis(tmp_path_factory.mktemp("redis"))
    process.start()
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture
async def redis(redis_process: Process) -> AsyncIterator[Redis]:
    """Client of an empty Redis."""
    async with open_redis(RedisSettings(f"redis://127.0.0.1:{redis_process.port}/0", None, None)) as client:
        await backends.until(lambda: _emptied(client))  # a restarted Redis loads its file first
        yield client
        # Remaining background tasks would reconnect after the client is closed.
        remaining = {task for task in asyncio.all_tasks() if _is_service_task(task)}
        for task in remaining:
            task.cancel()
        if remaining:
            await asyncio.wait(remaining, timeout=5)


def _is_service_task(task: asyncio.Task[Any]) -> bool:
    """Return whether code of the service runs in the task."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and Path(code.co_filename).is_relative_to(backends.ROOT / "app")


async def _emptied(client: Redis) -> bool:
    try:
        return await client.flushall()
    except RedisError:
        return False


@contextlib.asynccontextmanager
async def filled(redis: Redis, *, evictable: bool = False) -> AsyncIterator[None]:
    """A Redis without free memory, with the platform's policy: it evicts what has a lifetime.

    With ``evictable`` there is more of that; otherwise everything has been evicted, and writes are refused.
    """
    await redis.config_set("maxmemory-policy", "volatile-lru")
    try:
        used = (await redis.info("memory"))["used_memory"]
        if evictable:
            await redis.config_set("maxmemory", used + 2 * 1024 * 1024)
            for number in range(400):
                with contextlib.suppress(OutOfMemoryError):
                    await redis.set(f"other:{number}", b"x" * 10_000, ex=600)
        else:
            await redis.config_set("maxmemory", used // 2)
            with contextlib.suppress(OutOfMemoryError):
                while True:  # each write evicts first
                    await redis.set("more", b"")
        yield
    finally:
        await redis.config_set("maxmemory", 0)
        await redis.config_set("maxmemory-policy", "noeviction")


@pytest.fixture
async def own_database(platform: Platform) -> AsyncIterator[Database]:
    """An empty database on the platform's MongoDB that the platform's processes do not use."""
    settings = MongoSettings(
        f"mongodb://127.0.0.1:{platform.mongodb.port}/",
        f"test-{uuid4().hex[:8]}",
        MongoAuth.CERTIFICATE,
        None,
    )
    async with open_mongodb(settings, app_name="test") as database:
        yield database
        await database.client.drop_database(database.name)


@dataclass
class Person:
    """A signed-in user and the client with the user's session."""

    client: httpx.Client
    account: dict[str, Any]
    email: str
    password: str

    def sign_in(self) -> None:
        """Open another session, which has the current roles of the account."""
        response = self.client.post("/v1/sessions", json={"email": self.email, "password": self.password})
        assert response.status_code == 201, response.text
        self.client.headers["authorization"] = f"Bearer {response.json()['token']}"

    def pay_in(self, to: Person, amount: int) -> None:
        """Credit ``amount`` cents to another account, as an administrator."""
        path = f"/v1/accounts/{to.account['id']}/payments"
        headers = {"idempotency-key": uuid4().hex}
        response = self.client.post(path, json={"amount": amount}, headers=headers)
        assert response.status_code == 201, response.text

    def create(self, prompt: str) -> dict[str, Any]:
        """Request a content item and return its representation."""
        response = self.client.post("/v1/contents", json={"prompt": prompt})
        assert response.status_code == 202, response.text
        return response.json()

    def finished(self, content_id: str) -> dict[str, Any]:
        """Wait until the content item is no longer queued, and return it."""
        latest: dict[str, Any] = {}

        def settled() -> bool:
            response = self.client.get(f"/v1/contents/{content_id}")
            latest.clear()
            latest.update(response.json())
            return response.status_code == 200 and latest["state"] != "queued"

        backends.wait_for("content finished", settled)
        return latest


def sign_up(url: str) -> Person:
    """Create an account at the service and sign in."""
    client = httpx.Client(base_url=url, timeout=20)
    email, password = f"{uuid4().hex}@example.com", "correct horse battery"
    signed_up = client.post("/v1/accounts", json={"email": email, "password": password, "name": "Ada"})
    assert signed_up.status_code == 202, signed_up.text
    response = client.post("/v1/sessions", json={"email": email, "password": password})
    assert response.status_code == 201, response.text
    client.headers["authorization"] = f"Bearer {response.json()['token']}"
    return Person(client, response.json()["account"], email, password)


@pytest.fixture
def ada(platform: Platform) -> Iterator[Person]:
    person = sign_up(platform.url)
    with contextlib.closing(person.client):
        yield person


@pytest.fixture
def eve(platform: Platform) -> Iterator[Person]:
    person = sign_up(platform.url)
    with contextlib.closing(person.client):
        yield person


@contextlib.contextmanager
def with_role(platform: Platform, role: str) -> Iterator[Person]:
    """Create an account, grant it a role with the command line, and sign in."""
    person = sign_up(platform.url)
    command = [sys.executable, "-m", "app", "grant", person.email, role]
    subprocess.run(command, cwd=backends.ROOT, env=platform.settings, check=True, capture_output=True)
    person.sign_in()
    with contextlib.closing(person.client):
        yield person


class RoleHolders:
    """Accounts with a role, shared by tests and replaced before their access tokens expire (15 minutes)."""

    def __init__(self, platform: Platform, stack: contextlib.ExitStack) -> None:
        self._platform = platform
        self._stack = stack
        self._created: dict[str, tuple[float, Person]] = {}

    def find(self, role: str) -> Person:
        created_at, person = self._created.get(role, (0.0, None))
        if person is None or time.monotonic() - created_at > 600:
            person = self._stack.enter_context(with_role(self._platform, role))
            self._created[role] = (time.monotonic(), person)
        return person


@pytest.fixture(scope="session")
def holders(platform: Platform) -> Iterator[RoleHolders]:
    with contextlib.ExitStack() as stack:
        yield RoleHolders(platform, stack)


@pytest.fixture
def administrator(holders: RoleHolders) -> Person:
    return holders.find("administrator")


@pytest.fixture
def analyst(holders: RoleHolders) -> Person:
    return holders.find("analyst")


@pytest.fixture
def client(platform: Platform) -> Iterator[httpx.Client]:
    """A client that is not signed in."""
    with httpx.Client(base_url=platform.url, timeout=20) as anonymous:
        yield anonymous
