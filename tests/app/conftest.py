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

from app.connections import Database, open_mongodb, open_redis
from app.settings import MongoAuth, MongoSettings, RedisSettings
from tests.support import backends
from tests.support.backends import Platform, Process


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for the tests that leave it as they found it."""
    whole = backends.platform(tmp_path_factory.mktemp("platform"))
    try:
        yield whole
    finally:
        backends.end(whole)


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A Redis of its own for the tests of what is built on it; some of them kill it and start it again."""
    process = backends.redis(tmp_path_factory.mktemp("redis"))
    process.start()
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture
async def redis(redis_process: Process) -> AsyncIterator[Redis]:
    """A client of an empty Redis."""
    async with open_redis(RedisSettings(f"redis://127.0.0.1:{redis_process.port}/0", None, None)) as client:
        await backends.until(lambda: _emptied(client))  # a restarted one reads its file first
        yield client
        # What goes on in the background would connect anew after the client is closed.
        left = {task for task in asyncio.all_tasks() if _is_ours(task)}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=5)


def _is_ours(task: asyncio.Task[Any]) -> bool:
    """Whether the service started it."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and Path(code.co_filename).is_relative_to(backends.ROOT / "app")


async def _emptied(client: Redis) -> bool:
    try:
        return await client.flushall()
    except RedisError:
        return False


@pytest.fixture
async def own_database(platform: Platform) -> AsyncIterator[Database]:
    """An empty database on the platform's MongoDB, which the platform's processes do not use."""
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
    """Somebody with an account, signed in."""

    client: httpx.Client
    account: dict[str, Any]
    email: str
    password: str

    def sign_in(self) -> None:
        """Another session, with what the account may do by now."""
        answer = self.client.post("/v1/sessions", json={"email": self.email, "password": self.password})
        assert answer.status_code == 201, answer.text
        self.client.headers["authorization"] = f"Bearer {answer.json()['token']}"

    def pay_in(self, to: Person, amount: int) -> None:
        """As an administrator: money for somebody's account."""
        path = f"/v1/accounts/{to.account['id']}/payments"
        named = {"idempotency-key": uuid4().hex}
        answer = self.client.post(path, json={"amount": amount}, headers=named)
        assert answer.status_code == 201, answer.text

    def create(self, prompt: str) -> dict[str, Any]:
        """Ask for content."""
        answer = self.client.post("/v1/contents", json={"prompt": prompt})
        assert answer.status_code == 202, answer.text
        return answer.json()

    def finished(self, content_id: str) -> dict[str, Any]:
        """The content, once it is no longer queued."""
        latest: dict[str, Any] = {}

        def settled() -> bool:
            answer = self.client.get(f"/v1/contents/{content_id}")
            latest.clear()
            latest.update(answer.json())
            return answer.status_code == 200 and latest["state"] != "queued"

        backends.wait_for("content finished", settled)
        return latest


def sign_up(url: str) -> Person:
    """A new person at that service."""
    client = httpx.Client(base_url=url, timeout=20)
    email, password = f"{uuid4().hex}@example.com", "correct horse battery"
    signed_up = client.post("/v1/accounts", json={"email": email, "password": password, "name": "Ada"})
    assert signed_up.status_code == 202, signed_up.text
    answer = client.post("/v1/sessions", json={"email": email, "password": password})
    assert answer.status_code == 201, answer.text
    client.headers["authorization"] = f"Bearer {answer.json()['token']}"
    return Person(client, answer.json()["account"], email, password)


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
    """Somebody to whom an operator gave a role."""
    person = sign_up(platform.url)
    command = [sys.executable, "-m", "app", "grant", person.email, role]
    subprocess.run(command, cwd=backends.ROOT, env=platform.settings, check=True, capture_output=True)
    person.sign_in()
    with contextlib.closing(person.client):
        yield person


class Holders:
    """Accounts with a role, shared by tests until their access token (15 minutes) might end during one."""

    def __init__(self, platform: Platform, closed: contextlib.ExitStack) -> None:
        self._platform = platform
        self._closed = closed
        self._made: dict[str, tuple[float, Person]] = {}

    def of(self, role: str) -> Person:
        made_at, person = self._made.get(role, (0.0, None))
        if person is None or time.monotonic() - made_at > 600:
            person = self._closed.enter_context(with_role(self._platform, role))
            self._made[role] = (time.monotonic(), person)
        return person


@pytest.fixture(scope="session")
def holders(platform: Platform) -> Iterator[Holders]:
    with contextlib.ExitStack() as closed:
        yield Holders(platform, closed)


@pytest.fixture
def administrator(holders: Holders) -> Person:
    return holders.of("administrator")


@pytest.fixture
def analyst(holders: Holders) -> Person:
    return holders.of("analyst")


@pytest.fixture
def client(platform: Platform) -> Iterator[httpx.Client]:
    """A client that is not signed in."""
    with httpx.Client(base_url=platform.url, timeout=20) as anonymous:
        yield anonymous
