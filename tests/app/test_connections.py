"""Nothing is said to whoever cannot prove to be Redis, MongoDB or the bucket: tried with wrong proofs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pymongo.errors import ServerSelectionTimeoutError
from redis.exceptions import ConnectionError as RedisConnectionError

from app.connections import open_mongodb, open_redis
from app.settings import MongoAuth, MongoSettings, RedisSettings, StorageSettings
from app.storage import StorageError, open_bucket
from rehearsal.host.envoy.certificate_authority import Authority, Leaf
from tests.support.backends import Platform

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that the service does not know."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@asynccontextmanager
async def front(upstream: int, leaf: Leaf, heard: list[bytes]) -> AsyncIterator[int]:
    """TLS in front of a part of the platform, as Envoy ends it; ``heard`` gets what clients say inside."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(leaf.certificate, leaf.key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", upstream)

        async def forward(source: asyncio.StreamReader, target: asyncio.StreamWriter, note: bool) -> None:
            with contextlib.suppress(OSError, ssl.SSLError):
                while data := await source.read(65536):
                    if note:
                        heard.append(data)
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


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("proof", ["right", "of a strange authority", "for another name"])
async def test_only_the_right_proof_opens_a_connection(
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
    heard: list[bytes] = []
    async with front(upstream, leaf, heard) as port:
        if proof == "right":
            await ask(platform, port, authority.certificate, client)
            assert heard
        else:
            with pytest.raises(refusal, match=r"(?i)certificate"):
                await ask(platform, port, authority.certificate, client)
            assert heard == [], "not a byte was said"
    with warnings.catch_warnings():
        # What a failed handshake leaves to the garbage collector is collected here, not in another test.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
