"""Connections to Redis, MongoDB and the bucket: certificate verification and failover."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import ServerSelectionTimeoutError
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from app.cache import Cache
from app.connections import open_mongodb, open_redis
from app.queue import Job, Queue
from app.settings import MongoAuth, MongoSettings, RedisSettings, StorageSettings
from app.storage import StorageError, open_bucket
from rehearsal.host.envoy.certificate_authority import Authority, Leaf
from tests.support.backends import Platform, until
from tests.support.backends import redis as redis_server

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that the service does not trust."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@asynccontextmanager
async def front(upstream: int, leaf: Leaf, received: list[bytes]) -> AsyncIterator[int]:
    """TLS proxy in front of a backend, like Envoy; ``received`` collects the decrypted data from clients."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(leaf.certificate, leaf.key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", upstream)

        async def forward(source: asyncio.StreamReader, target: asyncio.StreamWriter, note: bool) -> None:
            with contextlib.suppress(OSError, ssl.SSLError):
                while data := await source.read(65536):
                    if note:
                        received.append(data)
                    target.write(data)
                    await target.drain()
            target.close()

        await asyncio.gather(forward(reader, inner_writer, True), forward(inner_reader, writer, False))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def ask_redis(platform: Platform, port: int, ca: Path, client: Path) -> None:
    settings = RedisSettings(f"rediss://localhost:{port}/0", None, ca)
    async with open_redis(settings) as redis:
        assert await redis.ping()


async def ask_mongodb(platform: Platform, port: int, ca: Path, client: Path) -> None:
    url = f"mongodb://localhost:{port}/?tls=true"
    async with open_mongodb(
        MongoSettings(url, "kingdom", MongoAuth.CERTIFICATE, client), app_name="test"
    ) as database:
        await database.command("ping")


async def ask_storage(platform: Platform, port: int, ca: Path, client: Path) -> None:
    async with open_bucket(StorageSettings("media", f"https://localhost:{port}")) as bucket:
        await bucket.check()


Ask = Callable[[Platform, int, Path, Path], Awaitable[None]]
PARTS: dict[str, tuple[Ask, type[Exception]]] = {
    "redis": (ask_redis, RedisConnectionError),
    "mongodb": (ask_mongodb, ServerSelectionTimeoutError),
    "storage": (ask_storage, StorageError),
}


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("proof", ["right", "of a strange authority", "for another name"])
async def test_connections_require_a_valid_certificate(
    platform: Platform,
    authority: Authority,
    stranger: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    proof: str,
) -> None:
    ask, refusal = PARTS[part]
    upstream = {"redis": platform.redis, "mongodb": platform.gate, "storage": platform.storage}[part].port
    issuer = stranger if proof == "of a strange authority" else authority
    leaf = issuer.server(tmp_path / "server", ["elsewhere" if proof == "for another name" else "localhost"])
    own = authority.client(tmp_path / "client", "service")
    client = tmp_path / "client.pem"
    client.write_bytes(own.certificate.read_bytes() + own.key.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    received: list[bytes] = []
    async with front(upstream, leaf, received) as port:
        if proof == "right":
            await ask(platform, port, authority.certificate, client)
            assert received
        else:
            with pytest.raises(refusal, match=r"(?i)certificate"):
                await ask(platform, port, authority.certificate, client)
            assert received == [], "no data was sent over the untrusted connection"
    with warnings.catch_warnings():
        # A failed handshake leaves garbage with warnings; collected here, so that no other test reports them.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class Address:
    """TCP proxy whose new connections lead to ``target``; existing connections keep their target."""

    def __init__(self, target: int) -> None:
        self.target = target

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.target)

        async def forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(forward(reader, inner_writer), forward(inner_reader, writer))


async def test_failover_drops_connections_to_the_old_primary(tmp_path: Path) -> None:
    """Two servers behind one address: the primary becomes a replica and its connections stay open."""
    primary, replica = redis_server(tmp_path / "one"), redis_server(tmp_path / "two")
    for process in (primary, replica):
        process.start()
    address = Address(primary.port)
    server = await asyncio.start_server(address.serve, "127.0.0.1", 0)
    settings = RedisSettings(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", None, None)
    try:
        async with (
            open_redis(RedisSettings(f"redis://127.0.0.1:{primary.port}/0", None, None)) as old,
            open_redis(RedisSettings(f"redis://127.0.0.1:{replica.port}/0", None, None)) as new,
            open_redis(settings) as client,
        ):
            cache: Cache[bytes] = Cache(client, "failover", encode=bytes, decode=bytes, blind_seconds=0.4)
            listening = asyncio.create_task(cache.run())
            queue = Queue(client)
            await until(lambda: cache.receives_invalidations)
            await new.execute_command("REPLICAOF", "127.0.0.1", primary.port)
            await asyncio.gather(*(client.set(f"key{number}", "before") for number in range(8)))
            assert await queue.enqueue(Job("first", "kind")) == [True]
            await until(lambda: _has(new, "key7"))
            # The failover; the old connections stay open.
            await new.execute_command("REPLICAOF", "NO", "ONE")
            await old.execute_command("REPLICAOF", "127.0.0.1", replica.port)
            address.target = replica.port

            failures = 0

            async def writes() -> bool:
                nonlocal failures
                try:
                    for number in range(8):
                        await client.set(f"key{number}", "after")
                    assert len(await queue.enqueue(Job("second", "kind"))) == 1  # a script
                    async with client.pipeline(transaction=True) as pipe:
                        commands: Any = pipe  # typed by redis-py as awaitable and as a pipeline at once
                        await commands.set("key", "after").get("key").execute()
                except RedisConnectionError:  # and no other error, such as READONLY
                    failures += 1
                    return False
                return True

            await until(writes, 5.0)
            assert failures >= 1, "the old connections were in use"
            # Subscriptions too: the cache receives messages that are published at the new primary.
            await until(lambda: cache.receives_invalidations)
            await until(lambda: _subscribed(new))
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    finally:
        server.close()
        primary.kill()
        replica.kill()


async def _has(client: Redis, key: str) -> bool:
    return bool(await client.exists(key))


async def _subscribed(client: Redis) -> bool:
    return bool(await client.execute_command("PUBSUB", "CHANNELS"))


@pytest.mark.parametrize(
    "response",
    [
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
        b"-ERR Error running script (call to f_1): @user_script:1: -READONLY You can't write\r\n",
    ],
)
async def test_response_of_a_demoted_server_closes_the_connection(response: bytes) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                writer.write(response)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    settings = RedisSettings(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", None, None)
    async with open_redis(settings) as client:
        for expected in (1, 2, 3):
            with pytest.raises(RedisConnectionError):
                await client.set("key", "value")
            assert connections == expected
    server.close()
